// docs/mime.md says the limits, the fixtures and the differences that the code has.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DEFAULT_MIME_LIMITS } from "../../../src/mime/limits.ts";

const page = readFileSync(new URL("../../../docs/mime.md", import.meta.url), "utf8");

test("the page lists every limit with its default", () => {
  const listed = [...page.matchAll(/^\| `(max\w+)` \| ([\d,]+) /gm)].map(([, name = "", value = ""]) => [
    name,
    Number(value.replaceAll(",", "")),
  ]);
  expect(Object.fromEntries(listed)).toEqual(DEFAULT_MIME_LIMITS);
});

test("the page counts the fixtures", () => {
  const fixtures = readdirSync(new URL("../../fixtures/mime/", import.meta.url));
  expect(page).toContain(`compares the ${fixtures.length} messages of`);
});
