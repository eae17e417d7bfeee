// The text of a Pickup file: envelope lines or header addresses, what is removed, and line ends (REFERENCE 6.4).
import type { Envelope } from "../core/envelope.ts";
import { isMailbox } from "../core/address.ts";
import { countReceived } from "../message/received.ts";

/** Mailboxes of the raw value of an address header field. */
export type ParseAddresses = (raw: string) => string[];

export interface PickupMessage {
  readonly kind: "message";
  readonly envelope: Envelope;
  /** The header block as it goes on, CRLF line ends, its blank line included. */
  readonly header: Buffer;
  /** Where the body begins in the bytes that were given. */
  readonly bodyStart: number;
}

export interface PickupRefusal {
  readonly kind: "refusal";
  readonly reason: string;
}

const CR = 0x0d;
const LF = 0x0a;

/**
 * Cuts the header block into fields: a field is its first line and the folded ones. Answers where the body begins.
 * A bare CR becomes a blank: some reader down the line would take it for a line end, and what follows for a field.
 */
function splitFields(bytes: Buffer, from: number): { fields: string[]; bodyStart: number } {
  const fields: string[] = [];
  let at = from;
  while (at < bytes.length) {
    const lineFeed = bytes.indexOf(LF, at);
    const next = lineFeed < 0 ? bytes.length : lineFeed + 1;
    let end = lineFeed < 0 ? bytes.length : lineFeed;
    while (end > at && bytes[end - 1] === CR) end -= 1;
    const text = bytes.toString("latin1", at, end).replaceAll("\r", " ");
    if (text === "") return { fields, bodyStart: next };
    const isFolded = (text.startsWith(" ") || text.startsWith("\t")) && fields.length > 0;
    // Neither a field nor the continuation of one: the blank line is missing and the body begins here.
    if (!isFolded && !/^[!-9;-~]+[ \t]*:/.test(text)) return { fields, bodyStart: at };
    if (isFolded) fields[fields.length - 1] += `\r\n${text}`;
    else fields.push(text);
    at = next;
  }
  return { fields, bodyStart: at };
}

/** Byte order marks: editors and scripts of Windows write them. */
const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

const startsWith = (bytes: Buffer, mark: Buffer): boolean => bytes.subarray(0, mark.length).equals(mark);

function whyNoFields(bytes: Buffer, isBlankLine: boolean): string {
  if (UTF16_MARKS.some((mark) => startsWith(bytes, mark)))
    return "the file is UTF-16: a message is ASCII or UTF-8";
  return isBlankLine ? "the file begins with a blank line" : "the file has no header fields";
}

const nameOf = (field: string): string => field.slice(0, field.indexOf(":")).trim().toLowerCase();

const isEnvelopeLine = (field: string): boolean => /^x-(?:sender|receiver)$/.test(nameOf(field));

/** Unfolded, and as the text that the bytes spell. */
const valueOf = (field: string): string =>
  Buffer.from(field.slice(field.indexOf(":") + 1), "latin1")
    .toString("utf8")
    .replaceAll(/\r\n(?=[ \t])/g, "")
    .trim();

/** Bytes that are no UTF-8 have become U+FFFD: nobody knows whose address that was. */
const isAddress = (text: string): boolean => isMailbox(text) && !text.includes("\ufffd");

const withoutBrackets = (text: string): string => /^<(.*)>$/.exec(text)?.[1] ?? text;

/** `start` holds the beginning of the file, its header block included; `maxHops`: Received fields that it may have. */
export function parsePickupMessage(
  start: Buffer,
  parseAddresses: ParseAddresses,
  maxHops: number,
): PickupMessage | PickupRefusal {
  const from = startsWith(start, UTF8_MARK) ? UTF8_MARK.length : 0;
  const { fields, bodyStart } = splitFields(start, from);
  const firstOther = fields.findIndex((field) => !isEnvelopeLine(field));
  const count = firstOther < 0 ? fields.length : firstOther;
  if (fields.length === 0) return { kind: "refusal", reason: whyNoFields(start, bodyStart > from) };
  const lines = fromEnvelopeLines(fields.slice(0, count));
  const rest = fields.slice(count);
  const found = "reason" in lines ? lines : completed(lines, rest, parseAddresses);
  if ("reason" in found) return { kind: "refusal", reason: found.reason };
  // RFC 5321 §6.3: whoever feeds Drop to Pickup sends the same message round and round.
  const hops = countReceived(start.subarray(from, bodyStart));
  if (hops > maxHops)
    return {
      kind: "refusal",
      reason: `the file has ${hops} Received fields, limits.maxHops is ${maxHops}: possible mail loop`,
    };
  const kept = found.isFromHeader ? rest.filter((field) => nameOf(field) !== "bcc") : rest;
  const text = kept.map((field) => `${field}\r\n`).join("");
  const envelope = { sender: found.sender, recipients: found.recipients.map((address) => ({ address })) };
  return { kind: "message", envelope, header: Buffer.from(`${text}\r\n`, "latin1"), bodyStart };
}

interface Refused {
  readonly reason: string;
}

interface EnvelopeLines {
  readonly sender: string | undefined;
  readonly recipients: readonly string[];
}

function fromEnvelopeLines(lines: readonly string[]): EnvelopeLines | Refused {
  let sender: string | undefined;
  const recipients: string[] = [];
  for (const field of lines) {
    const address = withoutBrackets(valueOf(field));
    const isSender = nameOf(field) === "x-sender";
    // "<>" is the null sender of a report; everything else must be one mailbox, which no line end survives.
    if (!isAddress(address) && !(isSender && address === "")) {
      return { reason: `${nameOf(field)} is not an address: ${JSON.stringify(address.slice(0, 100))}` };
    }
    if (!isSender) recipients.push(address);
    else if (sender === undefined) sender = address;
    else return { reason: "there is more than one x-sender line" };
  }
  return { sender, recipients };
}

interface Addresses {
  readonly sender: string;
  readonly recipients: readonly string[];
  /** The recipients are those of the header. */
  readonly isFromHeader: boolean;
}

/** What the lines leave open is as the header says, the sender and the recipients each for itself (REFERENCE 5.4). */
function completed(
  lines: EnvelopeLines,
  fields: readonly string[],
  parseAddresses: ParseAddresses,
): Addresses | Refused {
  const addressesOf = (name: string): string[] =>
    fields.filter((field) => nameOf(field) === name).flatMap((field) => parseAddresses(valueOf(field)));
  const isFromHeader = lines.recipients.length === 0;
  const sender = lines.sender ?? addressesOf("sender")[0] ?? addressesOf("from")[0];
  // `To: Nobody <>` names nobody. As the sender <> stands: a report that somebody moves in has it.
  const recipients = isFromHeader
    ? ["to", "cc", "bcc"].flatMap(addressesOf).filter((address) => address !== "")
    : lines.recipients;
  const wrong = [sender ?? "", ...recipients].find((address) => address !== "" && !isAddress(address));
  if (wrong !== undefined)
    return { reason: `the header has no usable address in ${JSON.stringify(wrong.slice(0, 100))}` };
  if (sender === undefined)
    return { reason: "there is no sender: an x-sender line, or a Sender or From field, is missing" };
  const unique = [...new Map(recipients.map((address) => [address.toLowerCase(), address])).values()];
  if (unique.length === 0)
    return { reason: "there is no recipient: an x-receiver line, or a To, Cc or Bcc field, is missing" };
  return { sender, recipients: unique, isFromHeader };
}

/** Converts chunk by chunk: a bare LF or a bare CR becomes CRLF. RFC 5321 §2.3.8: neither may occur on its own. */
export class LineEnds {
  #lastWasCr = false;
  #lastByte = LF;

  convert(chunk: Buffer): Buffer {
    this.#lastByte = chunk.at(-1) ?? this.#lastByte;
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.#lastWasCr) {
        this.#lastWasCr = false;
        if (byte === LF) continue;
        parts.push(chunk.subarray(from, at), Buffer.from("\n"));
        from = at;
      } else if (byte === LF) {
        parts.push(chunk.subarray(from, at), Buffer.from("\r"));
        from = at;
      }
      this.#lastWasCr = byte === CR;
    }
    if (parts.length === 0) return chunk;
    parts.push(chunk.subarray(from));
    return Buffer.concat(parts);
  }

  /** What is owed at the end of the file: a message ends with a line end. */
  end(): Buffer {
    if (this.#lastWasCr) return Buffer.from("\n");
    return Buffer.from(this.#lastByte === LF ? "" : "\r\n");
  }
}
