import { array, assert, nat, property, string, tuple } from "fast-check";
import { expect, test } from "vitest";
import type { Splice } from "../../../src/core/splice.ts";
import { areValidSplices } from "../../../src/core/splice.ts";
import { bufferSource } from "../../../src/mime/source.ts";
import {
  composeSplices,
  EditedSource,
  replacementSplices,
} from "../../../src/sandbox/worker/content/edited-source.ts";

function apply(bytes: Buffer, splices: readonly Splice[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const splice of splices) {
    parts.push(bytes.subarray(at, splice.start), splice.bytes);
    at = splice.end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

/** Cuts random numbers into a valid list of splices for a content of that size. */
function splicesFor(size: number, numbers: readonly number[], text: string): Splice[] {
  const places = numbers.map((number) => number % (size + 1)).sort((a, b) => a - b);
  const splices: Splice[] = [];
  for (let at = 0; at + 1 < places.length; at += 2) {
    splices.push({ start: places[at] ?? 0, end: places[at + 1] ?? 0, bytes: Buffer.from(text.slice(0, at)) });
  }
  return splices;
}

const cases = tuple(string(), array(nat()), array(nat()));

test("two lists of edits made one do what they do one after the other", () => {
  assert(
    property(cases, ([text, first, second]) => {
      const original = Buffer.from(text);
      const one = splicesFor(original.length, first, "first edit");
      const between = apply(original, one);
      const two = splicesFor(between.length, second, "SECOND EDIT");
      const composed = composeSplices(original.length, one, two);
      expect(areValidSplices(composed, original.length)).toBe(true);
      expect(apply(original, composed).toString("hex")).toBe(apply(between, two).toString("hex"));
    }),
  );
});

test("an edited source reads as the edited bytes, at any place", () => {
  assert(
    property(cases, nat(), nat(), ([text, numbers], a, b) => {
      const original = Buffer.from(text);
      const splices = splicesFor(original.length, numbers, "inserted");
      const expected = apply(original, splices);
      const source = new EditedSource(bufferSource(original), splices);
      expect(source.size).toBe(expected.length);
      const [start = 0, end = 0] = [a % (expected.length + 1), b % (expected.length + 1)].sort(
        (x, y) => x - y,
      );
      expect(source.slice(start, end).toString("hex")).toBe(expected.subarray(start, end).toString("hex"));
    }),
  );
});

test("a replacement keeps what both contents begin and end with, and gives the new one", () => {
  assert(
    property(string(), string(), string(), string(), (head, before, after, tail) => {
      const original = Buffer.from(head + before + tail);
      const replacement = Buffer.from(head + after + tail);
      const splices = replacementSplices(bufferSource(original), replacement);
      expect(areValidSplices(splices, original.length)).toBe(true);
      expect(apply(original, splices).toString("hex")).toBe(replacement.toString("hex"));
      expect(splices.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(
        Buffer.byteLength(after) + 3,
      );
    }),
  );
});

test("the header block is found however far an edit moved its end", () => {
  const original = bufferSource(Buffer.from(`Subject: x\r\n\r\n${"text\r\n".repeat(20_000)}`));
  const replacement = Buffer.from(`Subject: y\r\nX: ${"z".repeat(30_000)}\r\n\r\nb\r\n`);
  const edited = new EditedSource(original, replacementSplices(original, replacement));
  expect(edited.headerLength).toBe(replacement.length - 3);
});
