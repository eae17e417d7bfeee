// Host operations on header fields: raw as on the wire, or decoded and encoded on the way.
import { parseDate } from "../../../mime/dates.ts";
import { decodeWords, singleLine } from "../../../mime/encoded-words.ts";
import { decodeAddressList } from "../../../mime/header-value.ts";
import { parseParameters } from "../../../mime/parameters.ts";
import { Headers } from "../../../mime/headers.ts";
import { DEFAULT_MIME_LIMITS } from "../../../mime/limits.ts";
import type { MimePart } from "../../../mime/part.ts";
import { requireMimeVersion } from "../../../mime/text-body.ts";
import { isAscii } from "../../../core/address.ts";
import type { CallState } from "../call-state.ts";
import type { Operation } from "./host-calls.ts";
import type { JobDocument } from "../content/job-document.ts";
import type { HostValue } from "../isolates/isolate.ts";
import { isEncodable, setTransferEncoding, TRANSFER_ENCODINGS } from "../content/compose.ts";
import { setContentType } from "../content/tree-edits.ts";

/** Fields that describe the body: changing them changes what a signature covers. */
const BODY_HEADERS = new Set(["content-type", "content-transfer-encoding"]);

const gone = (call: CallState): false => call.fail("CDO_E_INACTIVE", "body part");

function headersOf(call: CallState, part: HostValue): Headers | undefined {
  return call.documents.part(Number(part))?.headers;
}

/** All fields of the name, as CDO gave them: one text, the occurrences apart by CRLF. */
function readHeader(
  call: CallState,
  part: HostValue,
  name: HostValue,
  decode: (raw: string) => string,
): HostValue {
  const headers = headersOf(call, part);
  if (headers === undefined) return gone(call);
  const field = String(name);
  // Eight letters: other names need no second look.
  if (field.length === 8 && field.toLowerCase() === "received") {
    const all = headers.getAll(field);
    return all.length === 0 ? undefined : all.join("\r\n");
  }
  const raw = headers.get(field);
  return raw === undefined ? undefined : decode(raw);
}

/** What an octet outside ASCII becomes in encoded words and RFC 2231 parameters: "=C3", "%C3". */
const ENCODED_OCTET_LENGTH = 3;
/** A UTF-16 unit is 3 octets of UTF-8 at most. */
const MAX_LETTER_LENGTH = 3 * ENCODED_OCTET_LENGTH;

/**
 * Whether the value has room in a header block. Asked before it is encoded: that is one turn of the host, which no time limit
 * can end.
 */
export function admitHeader(call: CallState, value: string): boolean {
  const { maxHeaderBytes } = DEFAULT_MIME_LIMITS;
  // Most values are far from it, whatever they hold.
  if (value.length * MAX_LETTER_LENGTH <= maxHeaderBytes) return true;
  const bytes = isAscii(value) ? value.length : Buffer.byteLength(value) * ENCODED_OCTET_LENGTH;
  return bytes <= maxHeaderBytes || call.exceeded("headerBytes", maxHeaderBytes);
}

function writeHeader(call: CallState, handle: HostValue, name: HostValue, value: string): HostValue {
  if (!admitHeader(call, value)) return false;
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  const { document, part } = located;
  const field = String(name);
  const lower = field.toLowerCase();
  const encoding = newEncoding(part, lower, value);
  if (encoding !== undefined && !isEncodable(part, encoding))
    return call.fail("CDO_E_INVALID_ENCODING_FOR_MULTIPART", encoding);
  if (BODY_HEADERS.has(lower)) warnOfSignature(call, document);
  if (lower === "content-type") setContentType(located, value);
  else if (encoding !== undefined) setTransferEncoding(part, encoding);
  else part.headers.set(field, value);
  if (BODY_HEADERS.has(lower)) completeMime(call, handle);
  document.noteChange(field, `${part.isRoot ? "header" : "part header"} ${field}`);
  return true;
}

/** The encoding that a field asks for, when it is one that is known and not there already. */
function newEncoding(part: MimePart, field: string, value: string): string | undefined {
  if (field !== "content-transfer-encoding") return undefined;
  const encoding = value.trim().toLowerCase();
  return TRANSFER_ENCODINGS.has(encoding) && encoding !== part.transferEncoding ? encoding : undefined;
}

/** What a header of a throw-away block refuses, the message would refuse too. */
function checkHeader(call: CallState, handle: HostValue, name: HostValue, value: HostValue): HostValue {
  const part = call.documents.part(Number(handle));
  if (part === undefined) return gone(call);
  const field = String(name);
  const isType = field.toLowerCase() === "content-type";
  if (value === "") {
    return isType && part.isMultipart
      ? call.fail("CDO_E_PROP_CANNOT_DELETE", "Content-Type of a multipart")
      : true;
  }
  // The value that stands there may be set again, whatever it is.
  if (part.headers.get(field) === value) return true;
  if (!admitHeader(call, String(value))) return false;
  const encoding = newEncoding(part, field.toLowerCase(), String(value));
  if (encoding !== undefined && !isEncodable(part, encoding))
    return call.fail("CDO_E_INVALID_ENCODING_FOR_MULTIPART", encoding);
  Headers.empty().set(field, unfolded(String(value)));
  return true;
}

function removeHeader(call: CallState, handle: HostValue, name: HostValue): HostValue {
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  const { document, part } = located;
  const field = String(name);
  if (!part.headers.has(field)) return true;
  // Without its type a multipart is a text that shows its own delimiter lines.
  if (field.toLowerCase() === "content-type" && part.isMultipart)
    return call.fail("CDO_E_PROP_CANNOT_DELETE", "Content-Type of a multipart");
  if (BODY_HEADERS.has(field.toLowerCase())) warnOfSignature(call, document);
  part.headers.remove(field);
  document.noteChange(field, `${part.isRoot ? "header" : "part header"} ${field} (removed)`);
  return true;
}

/** Said once per call, before the first change that breaks the signature or the encryption of the message. */
export function warnOfSignature(call: CallState, document: JobDocument): void {
  if (call.signatureWarned || document !== call.document) return;
  call.signatureWarned = true;
  const { protection } = document.mime;
  if (protection !== "none")
    call.warn(
      `the message is ${protection}: the change of its body makes the signature or encryption invalid`,
    );
}

/** The message of a part whose content fields were written says that it is MIME; where they are as they were, it stays as it is. */
export function completeMime(call: CallState, handle: HostValue): void {
  const located = call.documents.find(Number(handle));
  if (located?.part.ownChange === true) requireMimeVersion(located.document.mime.root);
}

/** A raw value is taken as it is, except that folding is undone. */
const unfolded = (value: string): string =>
  value.includes("\n") ? value.replaceAll(/\r?\n[ \t]+/g, " ") : value;

/** A decoded value; where it is what the field shows, the field stays as it is written. */
function setDecoded(
  call: CallState,
  part: HostValue,
  name: HostValue,
  value: HostValue,
  decode: (raw: string) => string,
): HostValue {
  const text = String(value);
  const raw = headersOf(call, part)?.get(String(name));
  const isSame = raw?.includes("=?") === true && decode(raw) === text;
  return writeHeader(call, part, name, isSame ? raw : singleLine(text));
}

/** Longer ones are given one by one, to those who want them. */
const MAX_MAIN_HEADER_CHARS = 1000;

/** Subject, From and To as the object model shows them, "" for those that are missing, apart by NUL (runtime/read-texts.ts). */
function mainHeaders(call: CallState): HostValue {
  const { headers } = call.document.mime.root;
  const subject = headers.get("subject") ?? "";
  const from = headers.get("from") ?? "";
  const to = headers.get("to") ?? "";
  if (subject.length + from.length + to.length > MAX_MAIN_HEADER_CHARS) return undefined;
  const texts = [decodeWords(subject), decodeAddressList(from), decodeAddressList(to)];
  return texts.some((text) => text.includes("\0")) ? undefined : texts.join("\0");
}

export const headerOperations: Readonly<Record<string, Operation>> = {
  mainHeaders,
  header: (call, part, name) => readHeader(call, part, name, (raw) => raw),
  headerText: (call, part, name) => readHeader(call, part, name, decodeWords),
  headerAddresses: (call, part, name) => readHeader(call, part, name, decodeAddressList),
  setHeader: (call, part, name, value) => writeHeader(call, part, name, unfolded(String(value))),
  setHeaderText: (call, part, name, value) => setDecoded(call, part, name, value, decodeWords),
  setHeaderAddresses: (call, part, name, value) => setDecoded(call, part, name, value, decodeAddressList),
  checkHeader,
  removeHeader,
  headerNames: (call, part) => {
    const headers = headersOf(call, part);
    if (headers === undefined) return gone(call);
    return headers
      .entries()
      .map((entry) => entry.name)
      .join("\n");
  },
  headerDate: (call, part, name) => {
    const raw = headersOf(call, part)?.get(String(name));
    return raw === undefined ? undefined : parseDate(raw)?.getTime();
  },
  headerParameter: (call, part, name, parameter) => {
    const raw = headersOf(call, part)?.get(String(name));
    return raw === undefined
      ? undefined
      : parseParameters(raw).parameters.get(String(parameter).toLowerCase());
  },
};
