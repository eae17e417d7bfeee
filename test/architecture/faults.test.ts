// The table of docs/faults.md and the tests are held in step: every case of the catalogue, and tests whose text carries its id.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** How many cases each group of the catalogue has. X is in docs/security.md (wall.test.ts). */
const CASES = { S: 28, M: 28, H: 12, R: 13, C: 23, T: 5, N: 14, Q: 8, P: 10 };

const page = readFileSync("docs/faults.md", "utf8");
const rows = page.split("\n").flatMap((line) => {
  const [, id = "", text = "", tests = ""] = line.split("|").map((cell) => cell.trim());
  const files = [...tests.matchAll(/`([^`]+)`/g)].map(([, file]) => file ?? "");
  return /^[A-Z]\d\d$/.test(id) ? [{ id, text, files }] : [];
});

test("every case of the catalogue has one row", () => {
  const wanted = Object.entries(CASES).flatMap(([group, count]) =>
    Array.from({ length: count }, (_unused, index) => `${group}${String(index + 1).padStart(2, "0")}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(wanted);
});

test("each row names tests that carry its id in a text, or says why the case does not apply", () => {
  const without = rows.flatMap(({ id, text, files }) => {
    if (files.length === 0) return text.startsWith("not applicable: ") ? [] : [`${id} names no test`];
    return files
      .filter((file) => !new RegExp(String.raw`["'\`(][^"'\`\n]*\b${id}\b`).test(readFileSync(file, "utf8")))
      .map((file) => `${id} in ${file}`);
  });
  expect(without).toEqual([]);
});
