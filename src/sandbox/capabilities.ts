// What a binding's `allow` grants, on the relay's side: mail that scripts send goes into the queue, behind a loop guard.
import type { Envelope, NotifyCondition } from "../core/envelope.ts";
import { isAscii } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import { Content } from "../message/content.ts";
import { SENT_BY_HEADER } from "../../runtime/contract.ts";
import type { SentMessage } from "./tasks.ts";

/** Resolves when the message is durable. */
export type Submit = (envelope: Envelope, content: Content) => Promise<void>;

/** What one script of a run sent. */
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
 * Queues what the scripts sent because of one message. A script that answers its own answers would never stop, so its mail
 * counts the hops and ends after a few. Rejects when the store cannot take one: then the message is tried again.
 */
export async function submitSent(
  outboxes: readonly Outbox[],
  header: Buffer,
  messageId: string,
  submit: Submit | undefined,
  log: Logger,
): Promise<void> {
  const hops = hopsOf(header) + 1;
  for (const { messages, script, hops: most } of outboxes) {
    // The worker refuses both where they happen: who gets here made its own rules.
    if (hops > most || submit === undefined) {
      log.error({ message: messageId, script, hops }, "mail of a script was dropped: it may not be sent");
      continue;
    }
    const guard = Buffer.from(`${SENT_BY_HEADER}: ${tokenOf(script)}; hops=${hops}\r\n`, "latin1");
    for (const message of messages) {
      // One after the other: the store keeps their order.
      // oxlint-disable-next-line no-await-in-loop
      await submit(envelopeOf(message), Content.fromBuffer(Buffer.concat([guard, message.bytes])));
      log.info(
        { message: messageId, script, recipients: message.recipients.length },
        "script sent a message",
      );
    }
  }
}

/** A file name may hold anything; a header field may not. */
const tokenOf = (name: string): string => name.replaceAll(/[^\w.-]/g, "_").slice(0, 100);

function envelopeOf({ sender, recipients, notify }: SentMessage): Envelope {
  const conditions = notifyOf(notify);
  return {
    sender,
    recipients: recipients.map((address) =>
      conditions === undefined ? { address } : { address, notify: conditions },
    ),
    body: "8BITMIME",
    ...([sender, ...recipients].every(isAscii) ? undefined : { smtpUtf8: true }),
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
