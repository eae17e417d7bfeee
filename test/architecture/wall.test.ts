// The table of docs/security.md and the tests of hostile scripts are held in step.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("docs/security.md", "utf8");
const rows = page.split("\n").flatMap((line) => {
  const cells = line.split("|").map((cell) => cell.trim());
  const id = /^X\d\d$/.exec(cells[1] ?? "")?.[0];
  return id === undefined
    ? []
    : [{ id, files: [...(cells[4] ?? "").matchAll(/`([^`]+)`/g)].map(([, file]) => file ?? "") }];
});

test("each case of the table names tests that carry its id", () => {
  const without = rows.flatMap(({ id, files }) =>
    files.length === 0
      ? [id]
      : files.filter((file) => !readFileSync(file, "utf8").includes(id)).map((file) => `${id} in ${file}`),
  );
  expect(without).toEqual([]);
});

test("all forty cases are there, in the table or below it", () => {
  const ids = Array.from({ length: 40 }, (_unused, index) => `X${String(index + 1).padStart(2, "0")}`);
  expect(ids.filter((id) => !page.includes(id))).toEqual([]);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
});
