// Badmail: messages that can neither be delivered nor returned, three files each (REFERENCE 6.4).
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Envelope, Recipient } from "../core/envelope.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import { ignoreMissing } from "../core/system-error.ts";
import type { Content } from "../message/content.ts";
import { writeWhole } from "./durable-file.ts";

export interface BadmailReason {
  readonly code: string;
  readonly text: string;
}

export interface Badmail {
  /**
   * Durable when it resolves; the same id again replaces its files, and adds why and for whom: recipients end one after the
   * other. Throws STORE_FAILED: the message stays where it was. The files are `<id>.BAD` (can be moved to Pickup), `<id>.BDR`
   * (why) and `<id>.BDP` (the envelope).
   */
  put(id: string, envelope: Envelope, content: Content, reason: BadmailReason): Promise<void>;
}

export function createBadmail({ folder }: { readonly folder: string }): Badmail {
  /** By id: next hops may refuse a message at the same time. */
  const underWay = new Map<string, Promise<void>>();
  return {
    async put(id, ...message) {
      const before = underWay.get(id)?.catch(() => undefined) ?? Promise.resolve();
      const writing = before.then(() => write(path.join(folder, id), ...message));
      underWay.set(id, writing);
      try {
        await writing;
      } finally {
        if (underWay.get(id) === writing) underWay.delete(id);
      }
    },
  };
}

async function write(base: string, given: Envelope, content: Content, reason: BadmailReason): Promise<void> {
  try {
    await mkdir(path.dirname(base), { recursive: true });
    // Without the message its companions are of a put that failed: why it comes here, and for whom, may have changed since.
    const isAgain = existsSync(`${base}.BAD`);
    const recipients = [...(isAgain ? await recipientsIn(`${base}.BDP`) : []), ...given.recipients];
    const byAddress = new Map(recipients.map((recipient) => [recipient.address, recipient]));
    const envelope = { ...given, recipients: [...byAddress.values()] };
    await writeWhole(`${base}.BDP`, [Buffer.from(`${JSON.stringify(envelope, undefined, 2)}\n`)], true);
    const reasons = new Set([...(isAgain ? await reasonsIn(`${base}.BDR`) : []), formatReason(reason)]);
    await writeWhole(`${base}.BDR`, [Buffer.from(describe(envelope, [...reasons]))], true);
    // The message last: where a .BAD is, its two companions are whole.
    await writeWhole(`${base}.BAD`, content.chunks(), true);
  } catch (error) {
    throw new OnArrivalError("STORE_FAILED", `${base}.BAD: ${describeError(error)}`, { cause: error });
  }
}

/** Addresses and replies of others come in here: one line each, so that none can pretend to be another field. */
const line = (text: string): string => text.replaceAll(/\p{Cc}+/gu, " ");

const formatReason = ({ code, text }: BadmailReason): string =>
  `Code: ${line(code)}\r\nReason: ${line(text)}`;

async function reasonsIn(file: string): Promise<readonly string[]> {
  const text = await readFile(file, "utf8").catch(ignoreMissing);
  return text?.match(/^Code: [^\r\n]*\r\nReason: [^\r\n]*/gm) ?? [];
}

async function recipientsIn(file: string): Promise<readonly Recipient[]> {
  const text = await readFile(file, "utf8").catch(ignoreMissing);
  if (text === undefined) return [];
  try {
    const { recipients }: { recipients?: unknown } = JSON.parse(text);
    return Array.isArray(recipients) ? recipients.filter(isRecipient) : [];
  } catch {
    return [];
  }
}

const isRecipient = (value: unknown): value is Recipient =>
  typeof value === "object" && value !== null && "address" in value && typeof value.address === "string";

function describe(envelope: Envelope, reasons: readonly string[]): string {
  const lines = [
    "The message beside this file could not be delivered.",
    "",
    ...reasons,
    `Sender: <${line(envelope.sender)}>`,
    ...envelope.recipients.map(({ address }) => `Recipient: <${line(address)}>`),
  ];
  return `${lines.join("\r\n")}\r\n`;
}
