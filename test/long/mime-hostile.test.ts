// The attacks on the parser at their full size, against the pass rule of group M: 1 s + 0.2 s per MB, memory bounded.
import { expect, test } from "vitest";
import { attachmentParts, setTextBody, textBodyPart } from "../../src/mime/bodies.ts";
import { MimeDocument } from "../../src/mime/document.ts";
import { bufferSource } from "../../src/mime/source.ts";
import { BOMBS } from "../unit/mime/hostile-messages.ts";
import { lookAtEverything } from "../unit/mime/look-at-everything.ts";

const MEGABYTE = 1_000_000;

function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

test.each(BOMBS)("$id $title at full size", ({ make, sizes, title }) => {
  const bytes = make(sizes[1]);
  const before = process.memoryUsage().rss;
  const allowed = 1 + (0.2 * bytes.length) / MEGABYTE;
  const seconds = cpuSeconds(() => {
    const doc = new MimeDocument(bufferSource(bytes));
    expect(lookAtEverything(doc)).toBeLessThanOrEqual(10_001);
    expect(doc.root.toBuffer().equals(bytes)).toBe(true);
  });
  console.log(`${title}: ${(bytes.length / MEGABYTE).toFixed(1)} MB, ${seconds.toFixed(2)} s`);
  expect(seconds).toBeLessThan(allowed);
  expect(process.memoryUsage().rss - before).toBeLessThan(10 * bytes.length + 100 * MEGABYTE);
});

test("M23 a message of 150 MB gives its text and takes another one", () => {
  const body = Buffer.alloc(150 * MEGABYTE, "The quick brown fox jumps over the lazy dog.\r\n");
  const bytes = Buffer.concat([Buffer.from("Subject: a\r\nContent-Type: text/plain\r\n\r\n"), body]);
  const doc = new MimeDocument(bufferSource(bytes));
  const seconds = cpuSeconds(() => {
    expect(textBodyPart(doc)?.text().length).toBe(body.length);
    setTextBody(doc, "short");
    attachmentParts(doc);
  });
  expect(doc.toBuffer().length).toBeLessThan(100);
  expect(seconds).toBeLessThan(1 + 0.2 * 150);
});
