// What a binding's `allow` grants, on the relay's side: mail that scripts send goes into the queue, behind a loop guard.
import type { Envelope, NotifyCondition } from "../../core/envelope.ts";
import { isAscii } from "../../core/address.ts";
import type { Logger } from "../../core/logger.ts";
import { Content } from "../../message/content.ts";
import { MailMsg } from "../../message/mail-msg.ts";
import { hasUtf8Address } from "../../message/utf8-addresses.ts";
import { SENT_BY_HEADER } from "../../../runtime/contract.ts";
import type { SentMessage } from "../pool/tasks.ts";

/** What a message of our own needs beside what the script gave. */
export interface SendParts {
  readonly nextId: () => string;
  readonly now: () => number;
}

/** What one script sent because of a message. */
export interface Outbox {
  readonly messages: readonly SentMessage[];
  readonly script: string;
  /** ScriptLimits.sendHops of its binding. */
  readonly hops: number;
}

const HOPS = new RegExp(String.raw`^${SENT_BY_HEADER}:[^\r\n]*?;\s*hops=(\d{1,6})`, "gim");

/** How many scripts in a row have sent because of this header block's message: the most that any of its fields says. */
export function hopsOf(header: Buffer): number {
  let hops = 0;
  for (const [, count] of header.toString("latin1").matchAll(HOPS)) hops = Math.max(hops, Number(count));
  return hops;
}

/**
 * Hangs what a script sent on the message that it ran on, as a sink's forks: the transport makes them durable together with
 * what became of the message, or forgets them when the message goes through the sinks again. They come in as if they had been
 * put into Pickup. A script that answers its own answers would never stop, so its mail counts the hops and ends after a few.
 */
export function addSent(
  msg: MailMsg,
  { messages, script, hops: most }: Outbox,
  header: Buffer,
  parts: SendParts | undefined,
  log: Logger,
): void {
  const hops = hopsOf(header) + 1;
  // The worker refuses both where they happen: who gets here made its own rules.
  if (hops > most || parts === undefined) {
    log.error({ message: msg.id, script, hops }, "mail of a script was dropped: it may not be sent");
    return;
  }
  const guard = Buffer.from(`${SENT_BY_HEADER}: ${tokenOf(script)}; hops=${hops}\r\n`, "latin1");
  const origin = { via: "pickup", arrivalTime: parts.now(), server: msg.origin.server } as const;
  for (const message of messages) {
    const content = Content.fromBuffer(Buffer.concat([guard, message.bytes]));
    const sent = new MailMsg(parts.nextId(), origin, envelopeOf(message, content), content);
    msg.forks.push(sent);
    log.info({ message: msg.id, script, sent: sent.id }, "script sent a message");
  }
}

/** A file name may hold anything; a header field may not. */
const tokenOf = (name: string): string => name.replaceAll(/[^\w.-]/g, "_").slice(0, 100);

function envelopeOf({ sender, recipients, notify, nextHop }: SentMessage, { header }: Content): Envelope {
  const conditions = notifyOf(notify);
  const needsUtf8 = ![sender, ...recipients].every(isAscii) || hasUtf8Address(header);
  return {
    sender,
    recipients: recipients.map((address) =>
      conditions === undefined ? { address } : { address, notify: conditions },
    ),
    body: "8BITMIME",
    ...(nextHop === undefined ? undefined : { nextHop }),
    ...(needsUtf8 ? { smtpUtf8: true } : undefined),
  };
}

/** CdoDSNOptions as NOTIFY of RFC 3461 §4.1. NEVER stands alone there, so it wins. */
function notifyOf(options: number): readonly NotifyCondition[] | undefined {
  if (options === 0) return undefined;
  if ((options & 1) !== 0) return ["NEVER"];
  const conditions: NotifyCondition[] = [];
  if ((options & 2) !== 0) conditions.push("FAILURE");
  if ((options & 4) !== 0) conditions.push("SUCCESS");
  if ((options & 8) !== 0) conditions.push("DELAY");
  return conditions;
}
