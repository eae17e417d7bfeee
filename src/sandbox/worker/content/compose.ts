// What is added to a message that a script made when it is written out, and the form of one that is no MIME.
import { mailDate } from "../../../core/mail-date.ts";
import { attachmentParts, htmlBodyPart, textBodyPart } from "../../../mime/bodies.ts";
import { MimeDocument } from "../../../mime/document.ts";
import type { MimePart } from "../../../mime/part.ts";
import { bufferSource } from "../../../mime/source.ts";
import { decodeBinHex, encodeBinHex } from "./binhex.ts";
import { removePart } from "./tree-edits.ts";
import { decodeUu, encodeUu } from "./uuencode.ts";

/** RFC 5322 §3.6: origination date; RFC 2045 §4: version. Message-ID is the submission's. */
export function completeHeaders(root: MimePart): void {
  const { headers } = root;
  if (!headers.has("Date")) headers.add("Date", mailDate(Date.now()));
  if (!headers.has("MIME-Version")) headers.add("MIME-Version", "1.0");
  headers.ensureBlankLine();
}

/** The content of a leaf, also in the encodings that are none of MIME. */
export function decodedBytes(part: MimePart): Buffer {
  switch (part.transferEncoding) {
    case "uuencode":
    case "x-uuencode":
      return decodeUu(part.rawBody());
    case "mac-binhex40":
      return decodeBinHex(part.rawBody());
    default:
      return part.decodedBody();
  }
}

export const textOf = (part: MimePart): string => part.text(decodedBytes(part));

/** Takes the bytes for the part's content in an encoding that is none of MIME. False: it is another one. */
export function setForeignEncoded(part: MimePart, bytes: Buffer, encoding: string): boolean {
  if (encoding === "mac-binhex40") part.setRawBody(encodeBinHex(bytes, part.fileName));
  else if (encoding === "uuencode" || encoding === "x-uuencode")
    part.setRawBody(encodeUu(bytes, part.fileName));
  else return false;
  return true;
}

export const TRANSFER_ENCODINGS = new Set([
  "7bit",
  "8bit",
  "binary",
  "quoted-printable",
  "base64",
  "uuencode",
  "mac-binhex40",
]);

const IDENTITY_ENCODINGS = new Set(["7bit", "8bit", "binary"]);

/** RFC 2045 §6.4: the parts of a multipart are encoded, it is not. */
export const isEncodable = (part: MimePart, encoding: string): boolean =>
  !part.isMultipart || IDENTITY_ENCODINGS.has(encoding);

/** The content that is there is encoded anew. */
export function setTransferEncoding(part: MimePart, encoding: string): void {
  if (encoding === part.transferEncoding) return;
  if (part.isMultipart) part.headers.set("Content-Transfer-Encoding", encoding);
  else {
    const bytes = decodedBytes(part);
    // Nothing there yet: what comes is encoded so.
    if (bytes.length === 0) part.headers.set("Content-Transfer-Encoding", encoding);
    else if (setForeignEncoded(part, bytes, encoding))
      part.headers.set("Content-Transfer-Encoding", encoding);
    else part.setDecodedBody(bytes, encoding);
  }
}

/** One text with the attachments uuencoded behind it: what MimeFormatted = False meant. */
export function flatten(mime: MimeDocument): Buffer {
  const flat = new MimeDocument(bufferSource(mime.root.headers.toBuffer()));
  const { headers } = flat.root;
  for (const { name } of headers.entries()) {
    const lower = name.toLowerCase();
    if (lower.startsWith("content-") && lower !== "content-class") headers.remove(name);
  }
  const body = textBodyPart(mime);
  const text = body === undefined ? "" : textOf(body);
  const files = attachmentParts(mime).map((part) =>
    encodeUu(decodedBytes(part), part.fileName).toString("utf8"),
  );
  headers.ensureBlankLine();
  flat.root.setText([text, ...files].filter((block) => block !== "").join("\r\n"), { charset: "utf-8" });
  return flat.toBuffer();
}

/** Takes the HTML out of the message, and the alternative that is none any more. */
export function removeHtml(mime: MimeDocument): void {
  const html = htmlBodyPart(mime);
  if (html === undefined) return;
  const { parent } = html;
  if (parent === undefined) {
    html.setMediaType("text/plain");
    html.setText("");
    return;
  }
  removePart(html);
  if (parent.children.length === 1 && parent.mediaType === "multipart/alternative") parent.unwrap();
}
