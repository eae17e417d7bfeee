// Puts new content into a part: charset, transfer encoding and the header fields that name them.
import { encodeCharset, encodeGuessed } from "./charset.ts";
import type { MimePart } from "./part.ts";
import { encodeTransferEncoding, encodingForText, fitsEncoding } from "./transfer-encoding.ts";

export interface TextOptions {
  readonly charset?: string;
  readonly transferEncoding?: string;
}

interface EncodedText {
  readonly bytes: Buffer;
  readonly charset: string;
}

const FALLBACK_CHARSET = "utf-8";
const STRAY_LINE_BREAK = /\r(?!\n)|(?<!\r)\n/;

/** RFC 2046 §4.1.1: the lines of text end with CRLF. */
function canonicalText(text: string): string {
  const wellFormed = text.toWellFormed();
  return STRAY_LINE_BREAK.test(wellFormed) ? wellFormed.replaceAll(/\r\n|\r|\n/g, "\r\n") : wellFormed;
}

function encodeInCharset(part: MimePart, text: string, charset: string): EncodedText {
  const bytes =
    encodeCharset(text, charset) ??
    // The bytes of others stay what they were, whatever they mean.
    (charset === part.charset ? encodeGuessed(text, part.decodedBody(), charset) : undefined);
  if (bytes !== undefined) return { bytes, charset };
  return { bytes: Buffer.from(text, "utf8"), charset: FALLBACK_CHARSET };
}

/** RFC 5321 §4.1.1.4: a message ends with a line end; without one the next hop would have to add it. */
const endedText = (text: string): string => (text === "" || text.endsWith("\r\n") ? text : `${text}\r\n`);

export function encodeTextBody(part: MimePart, text: string, options: TextOptions): void {
  // However it is encoded: nothing to tell, and a signature goes on to verify.
  if (options.charset === undefined && options.transferEncoding === undefined && part.isTextRead(text))
    return;
  const canonical = part.isRoot ? endedText(canonicalText(text)) : canonicalText(text);
  const { bytes, charset } = encodeInCharset(part, canonical, options.charset?.toLowerCase() ?? part.charset);
  const wanted = options.transferEncoding?.toLowerCase() ?? part.transferEncoding;
  const encoding = fittingEncoding(part, bytes, wanted, encodingForText);
  const raw = encodeTransferEncoding(bytes, encoding);
  // So for a text that nobody has read.
  if (charset === part.charset && encoding === part.transferEncoding && raw.equals(part.rawBody())) return;
  if (charset !== part.charset) part.setContentParameter("charset", charset);
  nameTransferEncoding(part, encoding);
  part.setRawBody(raw);
}

export function encodeDecodedBody(part: MimePart, bytes: Buffer, transferEncoding: string | undefined): void {
  const wanted = transferEncoding?.toLowerCase() ?? part.transferEncoding;
  const encoding = fittingEncoding(part, bytes, wanted, () => "base64");
  nameTransferEncoding(part, encoding);
  part.setRawBody(encodeTransferEncoding(bytes, encoding));
}

function fittingEncoding(
  part: MimePart,
  bytes: Buffer,
  wanted: string,
  otherwise: (bytes: Buffer) => string,
): string {
  if (fitsEncoding(bytes, wanted)) return wanted;
  // RFC 2046 §5.2.1: a message is never encoded beyond what its own parts are.
  if (part.mediaType.startsWith("message/")) return fitsEncoding(bytes, "8bit") ? "8bit" : "binary";
  return otherwise(bytes);
}

function nameTransferEncoding(part: MimePart, encoding: string): void {
  if (part.transferEncoding !== encoding) part.headers.set("Content-Transfer-Encoding", encoding);
  if (part.isRoot) requireMimeVersion(part);
}

/** RFC 2045 §4: without the version some readers ignore the content headers. */
export function requireMimeVersion(root: MimePart): void {
  const { headers } = root;
  if (headers.has("MIME-Version")) return;
  if (headers.has("Content-Type") || headers.has("Content-Transfer-Encoding"))
    headers.add("MIME-Version", "1.0");
}
