import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ContentEncoder } from "../../../../src/smtp/client/content-encoder.ts";

function encode(text: string, size: number, crlfOnly = false): string {
  const encoder = new ContentEncoder(crlfOnly);
  const bytes = Buffer.from(text, "latin1");
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(encoder.encode(bytes.subarray(at, at + size)));
  return Buffer.concat([...out, encoder.end()]).toString("latin1");
}

/** The rule, said in the shortest way: line ends first, then dots, then the end. */
function expected(text: string): string {
  const lines = text.replaceAll(/\r\n|\r|\n/g, "\r\n").replaceAll(/(^|\r\n)\./g, "$1..");
  return `${lines}${lines === "" || lines.endsWith("\r\n") ? "" : "\r\n"}.\r\n`;
}

const hostile = fc
  .array(fc.constantFrom("\r", "\n", "\r\n", ".", "a", "\0", "\u00e9"))
  .map((parts) => parts.join(""));

test("any content in chunks of any size leaves without a stray CR or LF and with one end (S12, S14)", () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 7 }), (text, size) => {
      expect(encode(text, size)).toBe(expected(text));
    }),
    { numRuns: 1000 },
  );
});

test("content with whole CRLFs is stuffed alike with the shorter search", () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 7 }), (text, size) => {
      const whole = text.replaceAll(/\r\n|\r|\n/g, "\r\n");
      expect(encode(whole, size, true)).toBe(expected(whole));
    }),
    { numRuns: 1000 },
  );
});

test("a clean chunk is answered as it is", () => {
  const clean = Buffer.from("Subject: x\r\n\r\nbody\r\n");
  expect(new ContentEncoder().encode(clean)).toBe(clean);
});
