// Every message of the folder CORPUS_DIR goes through the document and comes back byte for byte.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attachmentParts } from "../../src/mime/bodies.ts";
import { MimeDocument } from "../../src/mime/document.ts";
import { bufferSource } from "../../src/mime/source.ts";

const folder = process.env["CORPUS_DIR"] ?? "";
if (folder === "") console.log("CORPUS_DIR is not set: the message corpora are skipped");

test.skipIf(folder === "")("every message of the corpora comes back byte for byte", () => {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  for (const name of names.filter((path) => statSync(path).isFile())) {
    const bytes = readFileSync(name);
    const doc = new MimeDocument(bufferSource(bytes));
    attachmentParts(doc);
    expect(doc.root.toBuffer().equals(bytes), name).toBe(true);
    expect(doc.splices(), name).toEqual([]);
  }
});
