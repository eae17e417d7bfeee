import { expect, test } from "vitest";
import {
  bodyDifferences,
  headerDifferences,
} from "../../../../src/composition/scripts/message-differences.ts";

const message = (headers: string, body = ""): Buffer =>
  Buffer.from(`${headers}\n\n${body}`.replaceAll("\n", "\r\n"));

test("fields before, between and behind those that stay are told apart", () => {
  const before = message("A: 1\nB: 2\nC: 3\nD: 4");
  const after = message("A: 1\nB: two\nC: 3\nD: 4\nE: 5");
  expect(headerDifferences(before, after)).toEqual(["- B: 2", "+ B: two", "+ E: 5"]);
});

test("a change of a body shows its lines and not those that stay", () => {
  const before = message("Subject: s", "one\ntwo\nthree");
  const after = message("Subject: s", "zero\none\nthree\nfour");
  expect(bodyDifferences(before, after)).toEqual([
    "part 1 text/plain, 22 bytes",
    "  + zero",
    "  - two",
    "  + four",
  ]);
});

test("long texts that differ all over are cut", () => {
  const lines = (word: string): string => Array.from({ length: 3000 }, (_, i) => `${word} ${i}`).join("\n");
  const changes = bodyDifferences(message("S: s", lines("a")), message("S: s", lines("b")));
  expect(changes.at(-1)).toBe("  … and 5960 more lines");
  expect(changes).toHaveLength(42);
});
