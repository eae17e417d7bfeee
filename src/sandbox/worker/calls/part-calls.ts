// Host operations on bodies and parts of the MIME tree. A part is named by its handle, a message by that of its root.
import { setHtmlBody, setTextBody } from "../../../mime/bodies.ts";
import { decodeCharset } from "../../../mime/charset.ts";
import { singleLine } from "../../../mime/encoded-words.ts";
import type { MimePart } from "../../../mime/part.ts";
import type { CallState } from "../call-state.ts";
import {
  isEncodable,
  removeHtml,
  setTransferEncoding,
  textOf,
  TRANSFER_ENCODINGS,
} from "../content/compose.ts";
import { completeMime, warnOfSignature } from "./header-calls.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "../isolates/isolate.ts";
import { addAttachment, containerIn, createPart, removePart, setMediaType } from "../content/tree-edits.ts";
import { cut } from "../../../../runtime/contract.ts";

const MEDIA_TYPE = /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i;
const NOTHING = Buffer.alloc(0);

const gone = (call: CallState): false => call.fail("CDO_E_INACTIVE", "body part");

/** The handles of some parts, for the script. */
const handles = (call: CallState, sibling: number, parts: readonly MimePart[]): string =>
  parts.map((part) => call.documents.handleOf(sibling, part)).join(",");

function readPart(call: CallState, handle: HostValue, property: HostValue): HostValue {
  const part = call.documents.part(Number(handle));
  if (part === undefined) return gone(call);
  switch (String(property)) {
    case "mediaType":
      return part.mediaType;
    case "charset":
      return part.charset;
    case "transferEncoding":
      return part.transferEncoding;
    case "fileName":
      // As it can be written: line breaks and controls that a sender has encoded into a name are no part of any file's.
      return singleLine(part.fileName);
    case "disposition":
      return part.disposition;
    default:
      return undefined;
  }
}

function writePart(call: CallState, handle: HostValue, property: HostValue, value: string): HostValue {
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  const { document, part } = located;
  const refusal = refusePart(call, part, String(property), value);
  if (refusal !== undefined) return refusal;
  warnOfSignature(call, document);
  if (property === "mediaType") setMediaType(located, value.trim().toLowerCase());
  else if (property === "charset") setCharset(call, part, value.trim().toLowerCase());
  else setTransferEncoding(part, value.trim().toLowerCase());
  completeMime(call, handle);
  document.noteChange(String(property));
  return true;
}

/** Asked before anything is changed: a refused value leaves the message as it was. */
function refusePart(call: CallState, part: MimePart, property: string, value: string): false | undefined {
  const plain = value.trim().toLowerCase();
  if (property === "mediaType")
    return MEDIA_TYPE.test(plain) ? undefined : call.fail("CDO_E_BAD_DATA", `ContentMediaType "${value}"`);
  if (property === "charset")
    return isCharset(plain) ? undefined : call.fail("CDO_E_INVALID_CHARSET", `Charset "${value}"`);
  if (!TRANSFER_ENCODINGS.has(plain))
    return call.fail("CDO_E_INVALID_ENCODING_TYPE", `ContentTransferEncoding "${value}"`);
  return isEncodable(part, plain) ? undefined : call.fail("CDO_E_INVALID_ENCODING_FOR_MULTIPART", plain);
}

const isCharset = (label: string): boolean => label !== "" && decodeCharset(NOTHING, label) !== undefined;

/** Text that is there already is written anew in the charset; other parts only say it. */
function setCharset(call: CallState, part: MimePart, charset: string): void {
  const text = part.mediaType.startsWith("text/") ? textOf(part) : "";
  if (text === "") part.setContentParameter("charset", charset);
  else {
    part.setText(text, { charset });
    if (part.charset !== charset)
      call.warn(`Charset "${charset}" cannot hold the text: it is written in ${part.charset}`);
  }
}

function setBody(call: CallState, root: HostValue, kind: HostValue, text: string): HostValue {
  const document = call.documents.document(Number(root));
  if (document === undefined) return gone(call);
  const body = document.bodyPart(kind === "html" ? "html" : "text");
  // Nothing is changed: nothing to warn of, to save or to drop.
  if (body === undefined ? text === "" : body.isTextRead(text)) return true;
  warnOfSignature(call, document);
  if (kind === "html" && text === "" && document.bodyPart("text") !== undefined)
    call.warn(
      "HTMLBody is empty beside a text, and most readers show the HTML: delete HTMLBodyPart to keep the text alone",
    );
  if (kind === "html") setHtmlBody(document.mime, text, body);
  else setTextBody(document.mime, text, body);
  const name = kind === "html" ? "HTMLBody" : "TextBody";
  if (body === undefined) document.noteChange(name);
  else document.noteNewText(name);
  return true;
}

function bodyPart(call: CallState, root: HostValue, kind: HostValue): MimePart | undefined {
  return call.documents.document(Number(root))?.bodyPart(kind === "html" ? "html" : "text");
}

/** Place counts from 1; -1 is the end. Kind "attachment" counts the attachments of the message, else the part's children. */
function addPart(call: CallState, handle: HostValue, place: HostValue, kind: HostValue): HostValue {
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  const { document, part } = located;
  const at = Number(place);
  const added = createPart();
  const wrong = `place ${cut(String(place), 40)}`;
  if (!Number.isInteger(at)) return call.fail("CDO_E_ARGUMENT1", wrong);
  warnOfSignature(call, document);
  if (kind === "attachment") {
    if (!addAttachment(document.mime, at, added)) return call.fail("CDO_E_ARGUMENT1", wrong);
  } else {
    const count = part.isMultipart ? part.children.length : 1;
    if (at < -1 || at === 0 || at > count + 1) return call.fail("CDO_E_ARGUMENT1", wrong);
    const container = containerIn(located);
    container.insertChild(at === -1 ? -1 : Math.min(at - 1, container.children.length), added);
    completeMime(call, handle);
  }
  document.noteChange(kind === "attachment" ? "Attachments" : "BodyParts");
  return call.documents.handleOf(Number(handle), added);
}

/** "attachment": those of the message whose root the part is; "child": the parts directly below. */
function listParts(call: CallState, handle: HostValue, kind: HostValue): readonly MimePart[] | undefined {
  const located = call.documents.find(Number(handle));
  return kind === "attachment" ? located?.document.attachments : located?.part.children;
}

export const partOperations: Readonly<Record<string, Operation>> = {
  body: (call, root, kind) => {
    const part = bodyPart(call, root, kind);
    return part === undefined ? undefined : textOf(part);
  },
  setBody: (call, root, kind, value) => setBody(call, root, kind, String(value)),
  bodyPart: (call, root, kind) => {
    const part = bodyPart(call, root, kind);
    return part === undefined ? undefined : call.documents.handleOf(Number(root), part);
  },
  parts: (call, handle, kind) => {
    const parts = listParts(call, handle, kind);
    return parts === undefined ? gone(call) : handles(call, Number(handle), parts);
  },
  partCount: (call, handle, kind) => listParts(call, handle, kind)?.length ?? gone(call),
  partAt: (call, handle, kind, index) => {
    const parts = listParts(call, handle, kind);
    if (parts === undefined) return gone(call);
    const part = parts[Number(index)];
    return part === undefined ? undefined : call.documents.handleOf(Number(handle), part);
  },
  parent: (call, handle) => {
    const part = call.documents.part(Number(handle));
    if (part === undefined) return gone(call);
    const { parent } = part;
    if (parent?.isRoot === true) return call.documents.rootOf(Number(handle));
    return parent === undefined ? undefined : call.documents.handleOf(Number(handle), parent);
  },
  part: readPart,
  setPart: (call, handle, property, value) => writePart(call, handle, property, String(value)),
  checkPart: (call, handle, property, value) => {
    const part = call.documents.part(Number(handle));
    return part === undefined
      ? gone(call)
      : (refusePart(call, part, String(property), String(value)) ?? true);
  },
  addPart,
  removePart: (call, handle) => {
    const located = call.documents.find(Number(handle));
    if (located === undefined) return call.fail("CDO_E_NOT_FOUND", "body part");
    warnOfSignature(call, located.document);
    removePart(located.part);
    located.document.noteChange("Attachments");
    return true;
  },
  setMimeFormatted: (call, root, value) => {
    const document = call.documents.document(Number(root));
    if (document === undefined) return gone(call);
    if (value === 0) {
      warnOfSignature(call, document);
      removeHtml(document.mime);
    }
    document.isFlat = value === 0;
    return true;
  },
};
