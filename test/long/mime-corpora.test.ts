// Every message of the folder CORPUS_DIR goes through the document: unchanged byte for byte, edited as it was meant.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  addAttachmentPart,
  attachmentParts,
  htmlBodyPart,
  setHtmlBody,
  setTextBody,
  textBodyPart,
} from "../../src/mime/bodies.ts";
import { MimeDocument } from "../../src/mime/document.ts";
import { MimePart } from "../../src/mime/part.ts";
import { bufferSource } from "../../src/mime/source.ts";
import { applySplices } from "../unit/mime/mime-testing.ts";

const folder = process.env["CORPUS_DIR"] ?? "";
if (folder === "") console.log("CORPUS_DIR is not set: the message corpora are skipped");

const open = (bytes: Buffer): MimeDocument => new MimeDocument(bufferSource(bytes));
const messages = (): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.endsWith(".json"))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

test.skipIf(folder === "")("every message of the corpora comes back byte for byte", () => {
  for (const name of messages()) {
    const bytes = readFileSync(name);
    const doc = open(bytes);
    attachmentParts(doc);
    expect(doc.root.toBuffer().equals(bytes), name).toBe(true);
    expect(doc.splices(), name).toEqual([]);
  }
});

const TEXT = "Neuer Text für 5 €\r\n";
const HTML = "<p>Neues HTML für 5 €</p>\r\n";
const contents = (doc: MimeDocument): string[] =>
  attachmentParts(doc).map((part) => `${part.fileName}: ${part.rawBody().toString("latin1").trimEnd()}`);

test.skipIf(folder === "")("both bodies, a field and an attachment are read back from every message", () => {
  for (const name of messages()) {
    const bytes = readFileSync(name);
    const doc = open(bytes);
    const files = contents(doc);
    setTextBody(doc, TEXT);
    setHtmlBody(doc, HTML);
    const file = MimePart.create("application/zip", { name: "new.zip" });
    file.setDecodedBody(Buffer.from([0, 1, 2, 255]), "base64");
    addAttachmentPart(doc, file);
    doc.root.headers.set("X-New", "1");
    const edited = applySplices(bytes, doc.splices());
    expect(edited.equals(doc.toBuffer()), name).toBe(true);
    const again = open(edited);
    expect(textBodyPart(again)?.text().trimEnd(), name).toBe(TEXT.trimEnd());
    expect(htmlBodyPart(again)?.text().trimEnd(), name).toBe(HTML.trimEnd());
    expect(again.root.headers.get("X-New"), name).toBe("1");
    expect(contents(again).at(-1), name).toBe("new.zip: AAEC/w==");
    // Pictures that the old HTML showed are attachments now; nothing that was one is gone.
    for (const content of files) expect(contents(again), name).toContain(content);
  }
});
