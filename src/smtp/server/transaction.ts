// One mail transaction (RFC 5321 §3.3): from MAIL to the reply to the end of data.
import type { Envelope, Origin, Recipient } from "../../core/envelope.ts";
import { describeError, OnArrivalError } from "../../core/errors.ts";
import { reply, type Reply } from "../../core/reply.ts";
import { headerBlockLength } from "../../message/content.ts";
import { countReceived } from "../../message/received.ts";
import type { PropertyValue } from "../../message/properties.ts";
import { BareLineEndingScan } from "./bare-line-endings.ts";
import { type AskForMore, DataCollector } from "./data-collector.ts";
import { type MailCommand, parseRcpt } from "./path-command.ts";
import {
  BARE_LINE_ENDING,
  LOCAL_FAULT,
  STORE_FAILED,
  TOO_LARGE,
  TOO_MANY_HOPS,
  TOO_MANY_RECIPIENTS,
  shortAscii,
} from "./replies.ts";
import type { SessionParts } from "./session-parts.ts";
import { mayWaive, type OversizeMessage, raisedLimit } from "./size-sinks.ts";
import type { BareLineEnding } from "./stream-parser.ts";
import type { ClientAttributes } from "./xclient.ts";
import { durable, type Verdict, verdict } from "./verdict.ts";
import { protocolOf, traceField, type TraceStart } from "./trace-field.ts";

/** What the session knows of its client. */
export interface ClientFacts {
  readonly address: string;
  readonly port: number | undefined;
  /** Of the address, when it was asked for or a proxy said it. */
  readonly name: string | undefined;
  readonly heloDomain: string;
  readonly user: string | undefined;
  /** The mechanism of AUTH that proved it. */
  readonly authMechanism: string | undefined;
  /** Ours, as the client reached it. */
  readonly serverAddress: string;
  readonly serverPort: number;
  /** Recipients of foreign domains are taken. */
  readonly mayRelay: boolean;
  readonly trace: TraceStart;
}

export class Transaction {
  readonly #parts: SessionParts;
  readonly #client: ClientFacts;
  readonly #mail: MailCommand;
  readonly #forwarded: ClientAttributes | undefined;
  readonly #maxBytes: number;
  readonly #recipients: Recipient[] = [];
  readonly #known = new Set<string>();
  #collector: DataCollector | undefined;
  #dataStart = 0;
  #chunks: BareLineEndingScan | undefined;
  #replies = 0;

  constructor(
    parts: SessionParts,
    client: ClientFacts,
    mail: MailCommand,
    forwarded: ClientAttributes | undefined,
    maxBytes: number,
  ) {
    this.#parts = parts;
    this.#client = client;
    this.#mail = mail;
    this.#forwarded = forwarded;
    this.#maxBytes = maxBytes;
  }

  get hasRecipients(): boolean {
    return this.#recipients.length > 0;
  }

  /** How many RCPT were accepted, the same address twice included: so many replies an LMTP client waits for. */
  get acceptedRecipients(): number {
    return this.#replies;
  }

  /** RFC 3030 §3: binary content comes in chunks only. */
  get isBinary(): boolean {
    return this.#mail.body === "BINARYMIME";
  }

  /** The first BDAT has come: no further RCPT, no DATA. */
  get isChunked(): boolean {
    return this.#chunks !== undefined;
  }

  get isOversize(): boolean {
    return this.#collector?.isOversize === true;
  }

  /** Bytes of content received so far. */
  get contentSize(): number {
    return this.#collector?.size ?? 0;
  }

  beginChunk(): void {
    if (this.#chunks !== undefined) return;
    this.beginData();
    this.#chunks = new BareLineEndingScan();
  }

  /** What the chunks held of line endings that are none; binary content may. */
  get bareLineEnding(): BareLineEnding | undefined {
    return this.isBinary ? undefined : this.#chunks?.end();
  }

  get sender(): string {
    return this.#mail.sender;
  }

  get recipients(): readonly Recipient[] {
    return this.#recipients;
  }

  /** RCPT: the recipient is added by the effect. */
  judgeRecipient(line: string, mayRelay: boolean): Verdict {
    const { settings, relay, keywords } = this.#parts;
    const scope = { defaultDomain: settings.defaultDomain, keywords, isSecure: false };
    const parsed = parseRcpt(line, scope, this.#mail.smtpUtf8);
    if (!parsed.ok) return verdict(parsed.reply);
    const { address, notify, originalRecipient } = parsed.value;
    if (!relay.isAllowed(address, mayRelay))
      return verdict(reply(550, "7.1", `Unable to relay for ${shortAscii(address)}`));
    const key = address.toLowerCase();
    const isKnown = this.#known.has(key);
    // RFC 5321 §4.5.3.1.10: the first ones stay; the client brings the others in another transaction.
    if (!isKnown && this.#recipients.length >= settings.maxRecipients) return verdict(TOO_MANY_RECIPIENTS);
    return verdict(reply(250, "1.5", shortAscii(address)), () => {
      this.#replies++;
      if (this.#known.has(key)) return;
      this.#known.add(key);
      this.#recipients.push({ address, notify, originalRecipient });
    });
  }

  beginData(): void {
    const { settings, intake, clock, sizeSinks } = this.#parts;
    const askForMore: AskForMore | undefined = mayWaive(sizeSinks)
      ? (size, limit) => raisedLimit(sizeSinks, this.#oversize(size), limit)
      : undefined;
    this.#collector = new DataCollector(intake, settings.inlineBytes, this.#maxBytes, askForMore);
    this.#dataStart = clock.now();
  }

  #oversize(size: number): OversizeMessage {
    return {
      stage: "data",
      server: this.#parts.settings.name,
      client: this.#client.address,
      user: this.#client.user,
      sender: this.#mail.sender,
      recipients: this.#recipients.map(({ address }) => address),
      size,
    };
  }

  add(chunk: Buffer): Promise<void> | undefined {
    if (!this.isBinary) this.#chunks?.add(chunk);
    return this.#collector?.add(chunk);
  }

  /** Whether the content comes slower than the settings ask for. */
  isTooSlow(now: number): boolean {
    const { minDataRate, dataRateGraceMs } = this.#parts.settings;
    const elapsedMs = now - this.#dataStart;
    if (minDataRate === 0 || this.#collector === undefined || elapsedMs < dataRateGraceMs) return false;
    return (this.#collector.size * 1000) / elapsedMs < minDataRate;
  }

  discard(): void {
    // The collector guards its spool: nothing can reject here.
    void this.#collector?.discard();
    this.#collector = undefined;
  }

  /** The verdict on content that is refused whatever the store says. */
  refuseContent(bare: BareLineEnding | undefined): Reply | undefined {
    const { settings } = this.#parts;
    const collector = this.#collector;
    if (bare !== undefined && settings.bareLineEndings === "reject") return BARE_LINE_ENDING[bare];
    if (collector === undefined || collector.hasFailed) return undefined;
    if (collector.isOversize) return TOO_LARGE;
    const start = collector.start;
    return countReceived(start.subarray(0, headerBlockLength(start))) > settings.maxHops
      ? TOO_MANY_HOPS
      : undefined;
  }

  /** Hands the message over. The answer is positive only when it is durable. */
  async submit(properties: ReadonlyMap<string, PropertyValue> | undefined): Promise<Verdict> {
    const { intake, clock, logger, traceDate } = this.#parts;
    const collector = this.#collector;
    // The connection may end from here on; the message is complete and ours.
    this.#collector = undefined;
    if (collector === undefined) return verdict(LOCAL_FAULT);
    const id = intake.nextId();
    try {
      const now = clock.now();
      const single = this.#recipients.length === 1 ? this.#recipients[0]?.address : undefined;
      const built = collector.finish(
        traceField(this.#client.trace, this.#mail.smtpUtf8, id, single, traceDate(now)),
      );
      const content = built instanceof Promise ? await built : built;
      await intake.submit(id, this.#origin(now), this.#envelope(properties), content);
      return durable(reply(250, "6.0", `<${id}> Queued mail for delivery`));
    } catch (thrown) {
      const isStore = thrown instanceof OnArrivalError && thrown.code === "STORE_FAILED";
      const fields = { message: id, client: this.#client.address, error: describeError(thrown) };
      if (isStore) logger.error(fields, "message refused: the store failed");
      else logger.error({ ...fields, cause: thrown }, "message refused: fault while taking it");
      return verdict(isStore ? STORE_FAILED : LOCAL_FAULT);
    }
  }

  #origin(now: number): Origin {
    const { address, port, name, heloDomain, user, authMechanism, serverAddress, serverPort, trace } =
      this.#client;
    const origin: Origin = {
      via: "smtp",
      arrivalTime: now,
      server: this.#parts.settings.name,
      clientAddress: address,
      clientPort: port,
      clientName: name,
      protocol: protocolOf(trace, this.#mail.smtpUtf8),
      heloDomain,
      serverAddress,
      serverPort,
      user,
      authMechanism,
      mailFromAuth: this.#mail.submitter,
      crlfOnly: this.#parts.settings.bareLineEndings === "reject" && !this.isBinary ? true : undefined,
    };
    return this.#forwarded === undefined ? origin : { ...origin, forwarded: definedOf(this.#forwarded) };
  }

  #envelope(properties: ReadonlyMap<string, PropertyValue> | undefined): Envelope {
    const { sender, body, smtpUtf8, requireTls, envelopeId, returnContent } = this.#mail;
    const envelope = { sender, recipients: this.#recipients, body, smtpUtf8, envelopeId, returnContent };
    if (!requireTls && properties === undefined) return envelope;
    return {
      ...envelope,
      ...(requireTls ? { requireTls } : undefined),
      ...(properties === undefined ? undefined : { properties: Object.fromEntries(properties) }),
    };
  }
}

function definedOf(attributes: ClientAttributes): Record<string, string> {
  const known: Record<string, string> = {};
  for (const [name, value] of attributes) if (value !== undefined) known[name] = value;
  return known;
}
