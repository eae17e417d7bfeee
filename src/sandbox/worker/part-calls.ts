// Host operations on bodies and parts of the MIME tree.
import { attachmentParts, htmlBodyPart, setHtmlBody, setTextBody, textBodyPart } from "../../mime/bodies.ts";
import { MimePart } from "../../mime/part.ts";
import { formatParameters, parseParameters } from "../../mime/parameters.ts";
import type { CallState } from "./call-state.ts";
import { warnOfSignature } from "./header-calls.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "./isolate.ts";

const TRANSFER_ENCODINGS = new Set(["7bit", "8bit", "binary", "quoted-printable", "base64"]);
const IDENTITY_ENCODINGS = new Set(["7bit", "8bit", "binary"]);
const MEDIA_TYPE = /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i;

const numbers = (call: CallState, parts: readonly MimePart[]): string =>
  parts.map((part) => call.document.numberOf(part)).join(",");

function readPart(call: CallState, number: HostValue, property: HostValue): HostValue {
  const part = call.document.part(Number(number));
  if (part === undefined) return call.fail("CDO_E_INACTIVE", "body part");
  switch (String(property)) {
    case "mediaType":
      return part.mediaType;
    case "charset":
      return part.charset;
    case "transferEncoding":
      return part.transferEncoding;
    case "fileName":
      return part.fileName;
    case "disposition":
      return part.disposition;
    default:
      return undefined;
  }
}

function writePart(call: CallState, number: HostValue, property: HostValue, value: string): HostValue {
  const part = call.document.part(Number(number));
  if (part === undefined) return call.fail("CDO_E_INACTIVE", "body part");
  warnOfSignature(call);
  call.document.noteChange(String(property));
  if (property === "mediaType") {
    if (!MEDIA_TYPE.test(value)) return call.fail("CDO_E_BAD_DATA", `ContentMediaType "${value}"`);
    part.setMediaType(value);
    return true;
  }
  if (property === "charset") return setCharset(part, value);
  return setTransferEncoding(call, part, value.trim().toLowerCase());
}

/** Text that is there already is written anew in the charset; other parts only say it. */
function setCharset(part: MimePart, charset: string): HostValue {
  if (part.mediaType.startsWith("text/")) {
    part.setText(part.text(), { charset });
    return true;
  }
  const type = parseParameters(part.headers.get("Content-Type") ?? part.mediaType);
  type.parameters.set("charset", charset);
  part.headers.set("Content-Type", formatParameters(type));
  return true;
}

function setTransferEncoding(call: CallState, part: MimePart, encoding: string): HostValue {
  if (!TRANSFER_ENCODINGS.has(encoding)) return call.fail("CDO_E_INVALID_ENCODING_TYPE", encoding);
  if (!part.isMultipart) {
    part.setDecodedBody(part.decodedBody(), encoding);
    return true;
  }
  if (!IDENTITY_ENCODINGS.has(encoding)) return call.fail("CDO_E_INVALID_ENCODING_FOR_MULTIPART", encoding);
  part.headers.set("Content-Transfer-Encoding", encoding);
  return true;
}

function removePart(call: CallState, number: HostValue): HostValue {
  const part = call.document.part(Number(number));
  if (part === undefined) return call.fail("CDO_E_NOT_FOUND", "body part");
  warnOfSignature(call);
  call.document.noteChange("Attachments");
  const { parent } = part;
  if (parent === undefined) return emptyRoot(part);
  parent.removeChild(part);
  // RFC 2046 §5.1.1: a multipart has at least one part.
  if (parent.children.length === 0)
    parent.insertChild(0, MimePart.create("text/plain", { charset: "us-ascii" }));
  return true;
}

/** A message that is nothing but its attachment becomes an empty text: the original could not delete it at all. */
function emptyRoot(root: MimePart): HostValue {
  root.headers.set("Content-Type", "text/plain; charset=us-ascii");
  root.headers.remove("Content-Disposition");
  root.headers.remove("Content-Transfer-Encoding");
  root.setRawBody(Buffer.alloc(0));
  return true;
}

export const partOperations: Readonly<Record<string, Operation>> = {
  body: (call, kind) =>
    (kind === "html" ? htmlBodyPart(call.document.mime) : textBodyPart(call.document.mime))?.text(),
  setBody: (call, kind, _unused, value) => {
    warnOfSignature(call);
    call.document.noteChange(kind === "html" ? "HTMLBody" : "TextBody");
    if (kind === "html") setHtmlBody(call.document.mime, String(value));
    else setTextBody(call.document.mime, String(value));
    return true;
  },
  bodyPart: (call, kind) => {
    const part = kind === "html" ? htmlBodyPart(call.document.mime) : textBodyPart(call.document.mime);
    return part === undefined ? undefined : call.document.numberOf(part);
  },
  attachments: (call) => numbers(call, attachmentParts(call.document.mime)),
  children: (call, number) => numbers(call, call.document.part(Number(number))?.children ?? []),
  parent: (call, number) => {
    const parent = call.document.part(Number(number))?.parent;
    return parent === undefined ? undefined : call.document.numberOf(parent);
  },
  part: readPart,
  setPart: (call, number, property, value) => writePart(call, number, property, String(value)),
  removePart,
};
