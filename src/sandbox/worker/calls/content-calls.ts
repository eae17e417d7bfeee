// Host operations on whole contents: what streams hold and put back, and messages opened from or saved into others.
// Bytes cross as copies in buffers of exactly their length: a view would take the memory around it along.
import { canEncode, decodeCharset, encodeCharset, isLatin1Text } from "../../../mime/charset.ts";
import type { CallState } from "../call-state.ts";
import { decodedBytes, setForeignEncoded, textOf } from "../content/compose.ts";
import type { LocatedPart } from "../content/documents.ts";
import { raise } from "./asking.ts";
import { warnOfSignature } from "./header-calls.ts";
import type { Operation } from "./host-calls.ts";
import type { HostAnswer, HostValue } from "../isolates/isolate.ts";
import { readFile } from "./resources.ts";
import { embedMessage, replacePart } from "../content/tree-edits.ts";

const NOTHING = Buffer.alloc(0);
const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const MEGABYTE = 1024 * 1024;

const gone = (call: CallState): false => call.fail("CDO_E_INACTIVE", "body part");

function toIsolate(call: CallState, bytes: Buffer): HostAnswer {
  if (!call.admitCopy(bytes.length)) return false;
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

/** `whole`: headers and content; `encoded`: the content as on the wire; `decoded`: the content; `unicode`: its text. */
function readContent(call: CallState, handle: HostValue, form: HostValue): HostAnswer {
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  const { document, part } = located;
  const room = call.limits.memoryMb * MEGABYTE * call.settings.streamMemoryShare;
  if (part.isRoot && document.estimatedSize > room) return tooLarge(call);
  if (form !== "whole" && part.isMultipart) return call.fail("CDO_E_MULTIPART_NO_DATA", "");
  const bytes = contentOf(located, String(form));
  return bytes.length > room ? tooLarge(call) : toIsolate(call, bytes);
}

const tooLarge = (call: CallState): false =>
  call.fail(
    "CDO_E_NOT_AVAILABLE",
    `a stream of this size needs a higher limits.memoryMb than ${call.limits.memoryMb}`,
  );

function contentOf({ document, part }: LocatedPart, form: string): Buffer {
  if (form === "whole") return part.isRoot ? document.toBuffer() : part.toBuffer();
  if (form === "unicode") return Buffer.from(`\ufeff${textOf(part)}`, "utf16le");
  return form === "encoded" ? part.rawBody() : decodedBytes(part);
}

function writeContent(call: CallState, handle: HostValue, form: HostValue, bytes: Buffer): HostValue {
  const located = call.documents.find(Number(handle));
  if (located === undefined) return gone(call);
  if (!call.admitCopy(bytes.length)) return false;
  const { document, part } = located;
  if (form !== "whole" && part.isMultipart) return call.fail("CDO_E_MULTIPART_NO_DATA", "");
  warnOfSignature(call, document);
  if (form === "whole") replacePart(located, withoutMark(bytes), "stream");
  else if (form === "encoded") part.setRawBody(bytes);
  else if (form === "decoded") setDecoded(located, bytes);
  else part.setText(streamText(bytes, String(form).slice("text ".length)) ?? "");
  document.noteChange("stream");
  return true;
}

/** ADO begins a text in UTF-8 with its mark; a header block must not begin so. */
const withoutMark = (bytes: Buffer): Buffer =>
  bytes.subarray(0, UTF8_MARK.length).equals(UTF8_MARK) ? bytes.subarray(UTF8_MARK.length) : bytes;

function setDecoded({ part }: LocatedPart, bytes: Buffer): void {
  if (!setForeignEncoded(part, bytes, part.transferEncoding)) part.setDecodedBody(bytes);
}

/** `open`: the target becomes the source, or the message that the source holds; `embed`: the target comes to hold it. */
function copyContent(call: CallState, from: HostValue, to: HostValue, how: HostValue): HostValue {
  const source = call.documents.find(Number(from));
  const target = call.documents.find(Number(to));
  if (source === undefined || target === undefined) return gone(call);
  if (source.part === target.part) return call.fail("CDO_E_SELF_BINDING", "DataSource");
  const holdsMessage = how === "open" && !source.part.isRoot && source.part.mediaType === "message/rfc822";
  const bytes = contentOf(source, holdsMessage && target.part.isRoot ? "decoded" : "whole");
  if (!call.admitCopy(bytes.length)) return false;
  warnOfSignature(call, target.document);
  const change = how === "embed" ? "SaveToObject" : "OpenObject";
  if (how === "embed" && !target.part.isRoot) embedMessage(target.part, bytes);
  else replacePart(target, Buffer.from(bytes), change);
  target.document.noteChange(change);
  return true;
}

/** The charsets of streams: "Unicode" and "utf-16" are UTF-16LE, and ASCII is read and written byte for byte. */
function streamCharset(label: string): string {
  const name = label.toLowerCase();
  if (name === "unicode" || name === "utf-16") return "utf-16le";
  return name === "ascii" ? BYTES : name;
}

const BYTES = "us-ascii";

const streamText = (bytes: Buffer, label: string): string | undefined => {
  const charset = streamCharset(label);
  if (charset === BYTES) return bytes.toString("latin1");
  const text = charset === "utf-16le" ? bytes.toString("utf16le") : decodeCharset(bytes, charset);
  return text?.startsWith("\ufeff") === true ? text.slice(1) : text;
};

function encodeInStream(text: string, charset: string): Buffer | undefined {
  if (charset !== BYTES) return encodeCharset(text, charset);
  return isLatin1Text(text) ? Buffer.from(text, "latin1") : undefined;
}

/** Undefined for a charset that can only be read. */
function streamBytes(text: string, label: string): Buffer | undefined {
  const charset = streamCharset(label);
  if (charset === "utf-16le") return Buffer.from(text, "utf16le");
  const bytes = encodeInStream(text, charset);
  if (bytes !== undefined || !canEncode(charset)) return bytes;
  // What the charset lacks becomes a question mark, as everywhere on that system.
  const question = Buffer.from("?");
  return Buffer.concat(Array.from(text, (character) => encodeInStream(character, charset) ?? question));
}

function decodeStream(call: CallState, charset: HostValue, bytes: Buffer): HostValue {
  if (!call.admitCopy(bytes.length)) return false;
  return streamText(bytes, String(charset)) ?? call.fail("CDO_E_INVALID_CHARSET", String(charset));
}

function encodeStream(call: CallState, charset: HostValue, text: HostValue): HostAnswer {
  const bytes = streamBytes(String(text), String(charset));
  if (bytes !== undefined) return toIsolate(call, bytes);
  return call.fail("CDO_E_INVALID_CHARSET", `"${String(charset)}" can be read, not written`);
}

/** Without any grant the capability is what is missing; with one, the file is. */
function fileContent(call: CallState, name: HostValue): HostAnswer {
  if ((call.allow.read ?? []).length === 0)
    return call.fail(
      "CDO_E_NOT_AVAILABLE",
      "Stream.LoadFromFile needs allow: { read: [patterns] } of the binding",
    );
  const file = readFile(call, String(name));
  return file.kind === "resource" ? toIsolate(call, file.bytes) : raise(call, file);
}

export const contentOperations: Readonly<Record<string, Operation>> = {
  newMessage: (call) => {
    const { messages } = call.limits;
    if (call.documents.count >= messages) return call.exceeded("messages", messages);
    return call.documents.create();
  },
  content: readContent,
  setContent: (call, handle, form, _unused, bytes) => writeContent(call, handle, form, bytes),
  copyContent,
  markSaved: (call, root) => {
    call.documents.document(Number(root))?.markSaved();
    return true;
  },
  fileContent,
  isCharset: (_call, label) =>
    decodeCharset(NOTHING, streamCharset(String(label))) === undefined || label === "" ? 0 : 1,
  decodeText: (call, charset, _b, _c, bytes) => decodeStream(call, charset, bytes),
  encodeText: encodeStream,
  // In a charset that can only be read a character counts as one byte.
  textLength: (call, charset, text) => {
    const { length } = streamBytes(String(text), String(charset)) ?? String(text);
    return call.admitCopy(length) ? length : false;
  },
};
