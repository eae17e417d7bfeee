// Edits of the MIME tree that keep it a valid one (REFERENCE 1.3.3 and 1.5): parts come and go, types change.
import { isAscii } from "node:buffer";
import { addAttachmentPart, attachmentParts } from "../../../mime/bodies.ts";
import { MimeDocument } from "../../../mime/document.ts";
import { type ParameterizedValue, parseParameters } from "../../../mime/parameters.ts";
import { MimePart } from "../../../mime/part.ts";
import { bufferSource } from "../../../mime/source.ts";
import type { LocatedPart } from "./documents.ts";

const isMultipartType = (mediaType: string): boolean => mediaType.startsWith("multipart/");

/** CDO's new part: nothing in it, of no known type. */
export const createPart = (): MimePart => MimePart.create("application/octet-stream");

/** RFC 1847 §2: these have two parts each. */
const OF_TWO_PARTS = new Set(["multipart/signed", "multipart/encrypted"]);
const isClosed = ({ mediaType }: MimePart): boolean =>
  mediaType === "multipart/alternative" || OF_TWO_PARTS.has(mediaType);

/**
 * The multipart that takes a part beside what `located` holds. Content of its own moves down into a first child; an
 * alternative does so too, because what comes is no alternative of its text, and so does what is signed or encrypted. One that
 * is still being built by hand (fewer than two parts) is taken as it is.
 */
export function containerIn({ document, number, part }: LocatedPart): MimePart {
  if (part.isMultipart && (!isClosed(part) || part.children.length < 2)) return part;
  if (part.isEmptyLeaf) {
    part.setMediaType("multipart/mixed");
    return part;
  }
  const wrapper = part.wrapIn("multipart/mixed");
  document.rename(number, wrapper);
  return wrapper;
}

/** Puts a new part at `place` (from 1; -1: at the end) among the attachments. False: there is no such place. */
export function addAttachment(mime: MimeDocument, place: number, part: MimePart): boolean {
  // At the end nobody needs to know what is there: adding many costs no more for each.
  const present = place === -1 ? [] : attachmentParts(mime);
  if (place !== -1 && (place < 1 || place > present.length + 1)) return false;
  part.headers.set("Content-Disposition", "attachment");
  const next = present[place - 1];
  const parent = next?.parent;
  if (next === undefined || parent === undefined || OF_TWO_PARTS.has(parent.mediaType))
    addAttachmentPart(mime, part);
  else parent.insertChild(parent.children.indexOf(next), part);
  return true;
}

export function removePart(part: MimePart): void {
  const { parent } = part;
  if (parent === undefined) {
    emptyRoot(part);
    return;
  }
  parent.removeChild(part);
  if (isPromoted(parent)) parent.unwrap();
}

/** autopromotebodyparts: a mixed with one part left is that part, and so is what was signed without its signature. */
function isPromoted(parent: MimePart): boolean {
  const [last, ...others] = parent.children;
  if (last === undefined || others.length > 0) return false;
  if (OF_TWO_PARTS.has(parent.mediaType)) return true;
  // A named text is an attachment here and would be the body alone: a script that counts down would miss it.
  const isTextFile = last.mediaType.startsWith("text/") && last.fileName !== "";
  return parent.mediaType === "multipart/mixed" && !(parent.isRoot && isTextFile);
}

/** A message that is nothing but its attachment becomes an empty text: the original could not delete it at all. */
function emptyRoot(root: MimePart): void {
  root.headers.set("Content-Type", "text/plain; charset=us-ascii");
  root.headers.remove("Content-Disposition");
  root.headers.remove("Content-Transfer-Encoding");
  root.setRawBody(Buffer.alloc(0));
}

/** Content of its own moves down into the first child of what becomes a multipart (REFERENCE 1.3.3). */
export function setMediaType({ document, number, part }: LocatedPart, mediaType: string): MimePart {
  if (!isMultipartType(mediaType) || !part.hasOwnContent) {
    part.setMediaType(mediaType);
    return part;
  }
  const wrapper = part.wrapIn(mediaType);
  document.rename(number, wrapper);
  return wrapper;
}

/**
 * A written Content-Type. A part that becomes a multipart needs a boundary, one that is a multipart must not lose or
 * change the boundary that its delimiter lines have; one that is no multipart any more has no parts.
 */
export function setContentType(located: LocatedPart, raw: string): void {
  const { part } = located;
  const wanted = parseParameters(raw);
  if (part.headers.get("Content-Type") === raw || keepsBytes(part, wanted)) {
    part.headers.set("Content-Type", raw);
    return;
  }
  const typed = setMediaType(located, wanted.value);
  if (!isMultipartType(wanted.value)) {
    typed.headers.set("Content-Type", raw);
    return;
  }
  for (const [name, value] of wanted.parameters)
    if (name !== "boundary") typed.setContentParameter(name, value);
}

/** Whether only the label of a leaf changes: its bytes are, or may be read as, what the new one says. */
function keepsBytes(part: MimePart, { value, parameters }: ParameterizedValue): boolean {
  if (part.isMultipart) return false;
  if (!isMultipartType(value)) return true;
  return !part.isEmptyLeaf && (isMultipartType(part.mediaType) || parameters.has("boundary"));
}

/**
 * The part as it is in `bytes`: headers, a blank line, the content. The object that named the old one names it. `change`: as what it
 * is noted.
 */
export function replacePart({ document, number, part }: LocatedPart, bytes: Buffer, change: string): void {
  const { parent } = part;
  if (parent === undefined) {
    document.replace(bytes, change);
    return;
  }
  const range = { source: bufferSource(bytes), start: 0, end: bytes.length };
  const replacement = MimePart.fromRange(part.context, undefined, range);
  parent.replaceChild(part, replacement);
  document.rename(number, replacement);
}

/** `message` as the content of the part. */
export function embedMessage(part: MimePart, message: Buffer): void {
  if (part.mediaType !== "message/rfc822") part.setMediaType("message/rfc822");
  // RFC 2046 §5.2.1: a message is never encoded beyond what its own parts are.
  part.headers.remove("Content-Transfer-Encoding");
  if (!isAscii(message)) part.headers.set("Content-Transfer-Encoding", "8bit");
  part.setRawBody(message);
}
