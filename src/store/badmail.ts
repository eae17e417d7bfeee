// Badmail: messages that can neither be delivered nor returned, three files each (REFERENCE 6.4).
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Envelope } from "../core/envelope.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Content } from "../message/content.ts";
import { writeWhole } from "./durable-file.ts";

export interface BadmailReason {
  readonly code: string;
  readonly text: string;
}

export interface Badmail {
  /**
   * Durable when it resolves; the same id again replaces its files. Throws STORE_FAILED: the message stays where it
   * was. The files are `<id>.BAD` (can be moved to Pickup), `<id>.BDR` (why) and `<id>.BDP` (the envelope).
   */
  put(id: string, envelope: Envelope, content: Content, reason: BadmailReason): Promise<void>;
}

export function createBadmail({ folder }: { readonly folder: string }): Badmail {
  return {
    async put(id, envelope, content, reason) {
      const base = path.join(folder, id);
      try {
        await mkdir(folder, { recursive: true });
        await writeWhole(`${base}.BDP`, [Buffer.from(`${JSON.stringify(envelope, undefined, 2)}\n`)], true);
        await writeWhole(`${base}.BDR`, [Buffer.from(describe(envelope, reason))], true);
        // The message last: where a .BAD is, its two companions are whole.
        await writeWhole(`${base}.BAD`, content.chunks(), true);
      } catch (error) {
        throw new OnArrivalError("STORE_FAILED", `${base}.BAD: ${describeError(error)}`, { cause: error });
      }
    },
  };
}

/** Addresses and replies of others come in here: one line each, so that none can pretend to be another field. */
const line = (text: string): string => text.replaceAll(/\p{Cc}+/gu, " ");

function describe(envelope: Envelope, reason: BadmailReason): string {
  const lines = [
    "The message beside this file could not be delivered.",
    "",
    `Code: ${line(reason.code)}`,
    `Reason: ${line(reason.text)}`,
    `Sender: <${line(envelope.sender)}>`,
    ...envelope.recipients.map(({ address }) => `Recipient: <${line(address)}>`),
  ];
  return `${lines.join("\r\n")}\r\n`;
}
