// Host operations behind Send, Reply and Forward: a message of the script becomes one that the relay queues.
import { randomUUID } from "node:crypto";
import { domainOf, isMailbox, sameMailbox } from "../../../core/address.ts";
import {
  addAttachmentPart,
  addRelatedPart,
  attachmentParts,
  htmlBodyPart,
  isInRelated,
  leaves,
  partsBesideBodies,
} from "../../../mime/bodies.ts";
import { parseAddressList } from "../../../mime/addresses.ts";
import { singleLine } from "../../../mime/encoded-words.ts";
import { MimeDocument } from "../../../mime/document.ts";
import type { Headers } from "../../../mime/headers.ts";
import type { MimePart } from "../../../mime/part.ts";
import { bufferSource } from "../../../mime/source.ts";
import { SENT_BY_HEADER, cut } from "../../../../runtime/contract.ts";
import type { CallState, SentMail } from "../call-state.ts";
import { completeHeaders } from "../content/compose.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "../isolates/isolate.ts";
import { createPart } from "../content/tree-edits.ts";

const ALL_DSN_OPTIONS = 15;
const MESSAGE_ID = /^<[^<>\s]{1,250}>$/;
/** Older ones of a long thread are left out. */
const MAX_REFERENCES = 20;

const addressesOf = (headers: Headers, ...names: readonly string[]): string[] =>
  names.flatMap((name) =>
    headers.getAll(name).flatMap((raw) => parseAddressList(raw).map((mailbox) => mailbox.address)),
  );

/** Whether the binding lets the script send, to this next hop when there is one; asked before anything of Send is looked at. */
function mayNotSend(call: CallState, nextHop: string): false | undefined {
  if (nextHop !== "") return mayNotSendTo(call, nextHop);
  if (call.allow.send === true) return undefined;
  return call.fail("CDO_E_UNSAFE_OPERATION", "sending needs allow: { send: true } in the script's binding");
}

function mayNotSendTo(call: CallState, nextHop: string): false | undefined {
  const { smtp = [] } = call.allow;
  if (smtp.some((server) => server.toLowerCase() === nextHop)) return undefined;
  return call.fail(
    smtp.length === 0 ? "CDO_E_NOT_AVAILABLE" : "CDO_E_UNSAFE_OPERATION",
    `sending through ${cut(nextHop, 100)} needs allow: { smtp: ["${cut(nextHop, 100)}"] } of the binding (or leave sendusing at cdoSendUsingPickup: the service routes the message)`,
  );
}

/** The script's mail would make a script send again, and so on: the relay counts, this says it where it happens. */
function loops(call: CallState): boolean {
  let hops = 0;
  for (const value of call.document.mime.root.headers.getAll(SENT_BY_HEADER))
    hops = Math.max(hops, Number(/;\s*hops=(\d{1,6})/i.exec(value)?.[1] ?? 0));
  return hops >= call.limits.sendHops;
}

function send(call: CallState, root: HostValue, dsnOptions: HostValue, hop: HostValue): HostValue {
  const nextHop = hop === undefined ? "" : String(hop);
  const refused = mayNotSend(call, nextHop);
  if (refused !== undefined) return refused;
  const document = call.documents.document(Number(root));
  if (document === undefined) return call.fail("CDO_E_INACTIVE", "message");
  if (call.sent.length >= call.limits.sentMessages)
    return call.exceeded("sentMessages", call.limits.sentMessages);
  if (loops(call))
    return call.fail(
      "CDO_E_SMTP_SEND_FAILED",
      `the message that arrived was sent by a script, ${call.limits.sendHops} times in a row (limits.sendHops)`,
    );
  const { headers } = document.mime.root;
  const envelope = envelopeOf(call, headers);
  if (envelope === undefined) return false;
  const bytes = outgoing(document.toBuffer(), envelope.sender);
  const used = call.sent.reduce((sum, mail) => sum + mail.bytes.length, bytes.length);
  if (used > call.limits.growthBytes) return call.exceeded("growthBytes", call.limits.growthBytes);
  const notify = Number(dsnOptions) & ALL_DSN_OPTIONS;
  call.sent.push({ ...envelope, notify, ...(nextHop === "" ? undefined : { nextHop }), bytes });
  return true;
}

/** Sender before From; To, Cc and Bcc, each mailbox once. Undefined: the failure is noted. */
function envelopeOf(call: CallState, headers: Headers): Pick<SentMail, "sender" | "recipients"> | undefined {
  const recipients: string[] = [];
  for (const address of addressesOf(headers, "To", "Cc", "Bcc")) {
    if (!isMailbox(address)) return failed(call, "CDO_E_RECIPIENTS_REJECTED", `"${address}" is no address`);
    if (!recipients.some((known) => sameMailbox(known, address))) recipients.push(address);
    if (recipients.length > call.limits.recipientsAdded) {
      call.exceeded("recipientsAdded", call.limits.recipientsAdded);
      return undefined;
    }
  }
  if (recipients.length === 0) return failed(call, "CDO_E_RECIPIENT_MISSING", "Message.Send");
  const sender = addressesOf(headers, "Sender", "From")[0];
  if (sender === undefined) return failed(call, "CDO_E_FROM_MISSING", "Message.Send");
  if (!isMailbox(sender)) return failed(call, "CDO_E_SENDER_REJECTED", `"${sender}" is no address`);
  return { sender, recipients };
}

function failed(call: CallState, name: string, detail: string): undefined {
  call.fail(name, detail);
}

/** As it goes out: without Bcc, with what RFC 5322 §3.6 wants of every message. The script's own object stays as it is. */
function outgoing(bytes: Buffer, sender: string): Buffer {
  const copy = new MimeDocument(bufferSource(bytes));
  const { headers } = copy.root;
  headers.remove("Bcc");
  if (!headers.has("Message-ID"))
    headers.add("Message-ID", `<${randomUUID()}@${domainOf(sender) || "localhost"}>`);
  completeHeaders(copy.root);
  encodeBinary(copy);
  return withCrlf(copy.toBuffer());
}

const MAX_NESTING = 20;

/** RFC 2045 §2.9: what is labelled binary has no lines, and would lose bytes where it gets line ends. */
function encodeBinary({ root }: MimeDocument, nesting = 0): void {
  for (const part of leaves(root)) {
    if (part.transferEncoding !== "binary") continue;
    if (part.mediaType === "message/rfc822" && nesting < MAX_NESTING) {
      const nested = new MimeDocument(bufferSource(part.rawBody()));
      encodeBinary(nested, nesting + 1);
      part.setRawBody(nested.toBuffer());
    }
    // RFC 2045 §6.4: composite types are never encoded.
    if (part.mediaType.startsWith("message/")) part.headers.set("Content-Transfer-Encoding", "8bit");
    else part.setDecodedBody(part.decodedBody(), "base64");
  }
}

const STRAY_LINE_END = /\r(?!\n)|(?<!\r)\n/;

/** As from Pickup: a file of a script may have the line ends of this system. */
function withCrlf(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  return STRAY_LINE_END.test(text) ? Buffer.from(text.replaceAll(/\r\n|\r|\n/g, "\r\n"), "latin1") : bytes;
}

/**
 * The attachments of one message as they are, behind those of another; where that has the bodies too, also what belongs to them:
 * pictures of the HTML, invitations, further texts.
 */
function copyAttachments(call: CallState, from: HostValue, to: HostValue): HostValue {
  const source = call.documents.document(Number(from));
  const target = call.documents.document(Number(to));
  if (source === undefined || target === undefined) return call.fail("CDO_E_INACTIVE", "message");
  const attachments = new Set(attachmentParts(source.mime));
  const hasBodies = !target.mime.root.isEmptyLeaf;
  const hasHtml = htmlBodyPart(target.mime) !== undefined;
  for (const part of hasBodies ? partsBesideBodies(source.mime) : attachments) {
    const copy = copyOf(call, part);
    if (copy === undefined) return false;
    if (attachments.has(part) && copy.disposition === "")
      copy.headers.set("Content-Disposition", "attachment");
    if (!attachments.has(part) && hasHtml && isInRelated(part)) addRelatedPart(target.mime, copy);
    else addAttachmentPart(target.mime, copy);
  }
  target.noteChange("Attachments");
  return true;
}

/** Only the content fields: of a message that is its own attachment the rest is the message's. */
function copyOf(call: CallState, part: MimePart): MimePart | undefined {
  const bytes = part.rawBody();
  if (!call.admitCopy(bytes.length)) return undefined;
  const copy = createPart();
  // Of a part that does not say what it is the place decides, and the copy has another one.
  if (!part.headers.has("Content-Type")) copy.setMediaType(part.mediaType);
  for (const { name, value } of part.headers.entries()) {
    if (name.toLowerCase().startsWith("content-")) copy.headers.set(name, singleLine(value));
  }
  copy.setRawBody(Buffer.from(bytes));
  return copy;
}

/** RFC 5322 §3.6.4: what is answered, and what that answered. */
function refer(call: CallState, from: HostValue, to: HostValue): HostValue {
  const original = call.documents.document(Number(from))?.mime.root.headers;
  const answer = call.documents.document(Number(to));
  if (original === undefined || answer === undefined) return call.fail("CDO_E_INACTIVE", "message");
  const id = original.get("Message-ID");
  if (id === undefined || !MESSAGE_ID.test(id)) return true;
  const before = original.get("References") ?? original.get("In-Reply-To") ?? "";
  const earlier = (before.match(/<[^<>\s]{1,250}>/g) ?? []).slice(-MAX_REFERENCES);
  answer.mime.root.headers.set("In-Reply-To", id);
  answer.mime.root.headers.set("References", [...earlier, id].join(" "));
  return true;
}

export const sendOperations: Readonly<Record<string, Operation>> = {
  maySend: (call, nextHop) => mayNotSend(call, String(nextHop)) ?? true,
  send,
  copyAttachments,
  refer,
};
