// MAIL and RCPT of one transaction, with the parameters that the peer offers, and what is refused without asking it.
import { isAscii as isAsciiBytes } from "node:buffer";
import { asciiAddress, isAscii, isMailbox, isNullSender } from "../../core/address.ts";
import type { Recipient } from "../../core/envelope.ts";
import { ownReply, type Reply } from "../../core/reply.ts";
import type { OutboundMessage } from "./destination.ts";
import type { PeerExtensions } from "./extensions.ts";

export interface EnvelopeCommands {
  readonly mail: string;
  /** RCPT lines of the recipients that are not refused here. */
  readonly rcpts: readonly string[];
  /** Their places among the message's recipients. */
  readonly places: readonly number[];
  /** Replies of recipients refused here, by place. */
  readonly refused: ReadonlyMap<number, Reply>;
  /** Whether MAIL or a RCPT carries parameters that the peer might dislike after all. */
  readonly parameters: boolean;
  readonly rcptParameters: boolean;
}

export const BAD_SENDER = ownReply(553, "1.7", "The sender address cannot be sent over SMTP");
export const BAD_RECIPIENT = ownReply(553, "1.3", "The recipient address cannot be sent over SMTP");
export const NEEDS_UTF8 = ownReply(
  550,
  "6.7",
  "The message needs SMTPUTF8, which the next host does not offer",
);
/** RFC 8689 §4.2.1 */
export const NEEDS_TLS = ownReply(
  550,
  "7.30",
  "REQUIRETLS support required, and the next host has none to rely on",
);
export const tooLarge = (size: number, limit: number): Reply =>
  ownReply(552, "3.4", `The message has ${size} bytes, the next host takes ${limit}`);

const NONE_REFUSED: ReadonlyMap<number, Reply> = new Map();
// The usual address, told apart by one short expression; everything else takes the full check.
const PLAIN_ADDRESS = /^[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9.-]+$/;

const canBeSent = (address: string): boolean => PLAIN_ADDRESS.test(address) || isMailbox(address);

/** The commands, or the reply that stands for all recipients. */
export function envelopeCommands(
  message: OutboundMessage,
  offered: PeerExtensions,
): EnvelopeCommands | Reply {
  const { envelope, content } = message;
  if (!isNullSender(message.sender) && !canBeSent(message.sender)) return BAD_SENDER;
  if (envelope.requireTls === true && !offered.requireTls && !offered.staysHere) return NEEDS_TLS;
  if (offered.maxSize !== undefined && offered.maxSize > 0 && content.size > offered.maxSize) {
    return tooLarge(content.size, offered.maxSize);
  }
  const sender = offered.smtpUtf8 ? message.sender : asciiAddress(message.sender);
  // RFC 6531 §3.5: a relay does not downgrade header fields; the message goes back.
  if (sender === undefined || (!offered.smtpUtf8 && headerNeedsUtf8(message))) return NEEDS_UTF8;
  const utf8 = offered.smtpUtf8 && needsUtf8(message);
  const path = `MAIL FROM:<${sender}>`;
  const mail = path + mailParameters(message, offered, utf8);
  return recipientCommands(message, offered, mail, mail.length > path.length);
}

function recipientCommands(
  message: OutboundMessage,
  offered: PeerExtensions,
  mail: string,
  mailHasParameters: boolean,
): EnvelopeCommands {
  const rcpts: string[] = [];
  const places: number[] = [];
  let refused: Map<number, Reply> | undefined;
  let rcptParameters = false;
  let place = -1;
  for (const recipient of message.recipients) {
    place += 1;
    const address = forwardPath(recipient.address, offered);
    if (typeof address !== "string") {
      refused ??= new Map();
      refused.set(place, address);
      continue;
    }
    const extra = offered.dsn ? recipientParameters(recipient) : "";
    rcptParameters ||= extra.length > 0;
    rcpts.push(`RCPT TO:<${address}>${extra}\r\n`);
    places.push(place);
  }
  const parameters = mailHasParameters || rcptParameters;
  return { mail: `${mail}\r\n`, rcpts, places, refused: refused ?? NONE_REFUSED, parameters, rcptParameters };
}

/** The address as it is written to this peer, or why it is not. */
function forwardPath(address: string, offered: PeerExtensions): string | Reply {
  // FAULTS H03: an address that breaks out of its brackets is never written.
  if (PLAIN_ADDRESS.test(address)) return address;
  if (!isMailbox(address)) return BAD_RECIPIENT;
  return offered.smtpUtf8 ? address : (asciiAddress(address) ?? NEEDS_UTF8);
}

function needsUtf8(message: OutboundMessage): boolean {
  if (headerNeedsUtf8(message)) return true;
  if (!PLAIN_ADDRESS.test(message.sender) && !isAscii(message.sender)) return true;
  return message.recipients.some(({ address }) => !PLAIN_ADDRESS.test(address) && !isAscii(address));
}

/** 8-bit header fields of a message that was not declared SMTPUTF8 are old mail, not UTF-8: they go as they came. */
const headerNeedsUtf8 = ({ envelope, content }: OutboundMessage): boolean =>
  envelope.smtpUtf8 === true && !isAsciiBytes(content.header);

function mailParameters(message: OutboundMessage, offered: PeerExtensions, utf8: boolean): string {
  const { envelope, content } = message;
  let text = offered.maxSize === undefined ? "" : ` SIZE=${content.size}`;
  if (offered.eightBitMime && envelope.body === "8BITMIME") text += " BODY=8BITMIME";
  else if (envelope.body === "BINARYMIME") text += " BODY=BINARYMIME";
  if (utf8) text += " SMTPUTF8";
  if (envelope.requireTls === true && offered.requireTls) text += " REQUIRETLS";
  // RFC 4954 §5: we vouch for no submitter, and whom we authenticated at must not take us for one.
  if (offered.isAuthenticated) text += " AUTH=<>";
  if (!offered.dsn) return text;
  if (envelope.returnContent !== undefined) text += ` RET=${envelope.returnContent}`;
  if (envelope.envelopeId !== undefined) text += ` ENVID=${xtext(envelope.envelopeId)}`;
  return text;
}

function recipientParameters(recipient: Recipient): string {
  let text = "";
  if (recipient.notify !== undefined && recipient.notify.length > 0)
    text += ` NOTIFY=${recipient.notify.join(",")}`;
  const original = recipient.originalRecipient;
  const semicolon = original?.indexOf(";") ?? -1;
  if (original !== undefined && semicolon > 0) {
    const address = original.slice(semicolon + 1);
    // RFC 6533 §3: the form of a UTF-8 address that also passes a peer without SMTPUTF8.
    const encoded = isAscii(address) ? xtext(address) : unitext(address);
    text += ` ORCPT=${xtext(original.slice(0, semicolon))};${encoded}`;
  }
  return text;
}

/** RFC 3461 §4: printable ASCII but "+" and "=" as it is, every other byte as +HH. */
export function xtext(text: string): string {
  return text.replaceAll(/[^!-*,-<>-~]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `+${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join(""),
  );
}

/** RFC 6533 §3, utf-8-addr-xtext: \x{HEX} for what is not plain ASCII. */
export function unitext(text: string): string {
  return text.replaceAll(/[^!-*,-<>-[\]-~]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return `\\x{${point.toString(16).toUpperCase().padStart(2, "0")}}`;
  });
}
