// Does with a message what scripts do with it: reads every derived value of every part.
import { parseAddressList } from "../../../src/mime/addresses.ts";
import { attachmentParts, htmlBodyPart, textBodyPart } from "../../../src/mime/bodies.ts";
import { parseDate } from "../../../src/mime/dates.ts";
import type { MimeDocument } from "../../../src/mime/document.ts";
import { decodeWords } from "../../../src/mime/encoded-words.ts";
import { decodeAddressList } from "../../../src/mime/header-value.ts";
import { allParts } from "./mime-testing.ts";

/** The number of parts found. */
export function lookAtEverything(doc: MimeDocument): number {
  const { headers } = doc.root;
  headers.entries();
  for (const name of ["To", "From"]) {
    parseAddressList(headers.get(name) ?? "");
    decodeAddressList(headers.get(name) ?? "");
  }
  for (const name of ["Subject", "X-Words", "References"]) decodeWords(headers.get(name) ?? "");
  parseDate(headers.get("Date") ?? "");
  textBodyPart(doc)?.text();
  htmlBodyPart(doc)?.text();
  attachmentParts(doc);
  const parts = allParts(doc);
  for (const part of parts) {
    for (const value of [part.fileName, part.contentId, part.charset]) decodeWords(value);
    if (!part.isMultipart) part.decodedBody();
  }
  return parts.length;
}
