// What sinks of the DSN event receive (REFERENCE 4.5), under idiomatic names. Reports to a null sender are never made: no sink is asked.
import type { Envelope, Origin, Recipient } from "../../core/envelope.ts";
import type { MailMsg } from "../../message/mail-msg.ts";

/** The actions of the original: failure, delay, success, handed to a next hop that reports nothing itself, list expanded. */
export type DsnAction = "failed" | "delayed" | "delivered" | "relayed" | "expanded";

/** The message that is reported on. */
export interface ReportedMessage {
  readonly id: string;
  /** How it came: fixed at arrival. */
  readonly origin: Origin;
  /** As the sinks left it. */
  readonly envelope: Envelope;
}

export interface ReportedRecipient {
  readonly recipient: Recipient;
  /** "550 5.1.1 No such user" */
  readonly reply: string;
  /** The next hop that said so; absent when it is our own reply. */
  readonly remoteMta: string | undefined;
}

/** A report is due: the original's OnSyncGetDSNRecipientIterator. */
export interface DsnDueContext {
  readonly kind: "due";
  readonly original: ReportedMessage;
  readonly action: DsnAction;
  /** Those that the report is about. A sink may take some away; without any there is no report. Others cannot be added. */
  recipients: readonly ReportedRecipient[];
  /** Stands above the text for people: at most 64 KB, in lines of at most 900 characters. */
  textAbove: string;
  /** The same, below it. */
  textBelow: string;
}

/** The report is made, and not yet submitted: OnSyncGenerateDSN and OnSyncPostGenerateDSN. */
export interface DsnMadeContext {
  readonly kind: "made";
  readonly original: ReportedMessage;
  readonly action: DsnAction;
  /**
   * Headers, content and recipients may be changed or replaced. Its sender is null and its recipients hear of no failure, whatever
   * a sink sets. Status 2 drops the report, 3 moves it to Badmail. It cannot be forked.
   */
  readonly msg: MailMsg;
}

export type DsnSubject = DsnDueContext | DsnMadeContext;
