import { expect, test } from "vitest";
import { isPrintable, oneLine, printable, printableJson } from "../../../src/core/printable.ts";

test.each([
  ["line ends", "\r\n"],
  ["what a terminal obeys", "\u001b\u009b"],
  ["line and paragraph separators", "\u2028\u2029"],
  ["marks of direction", "\u061c\u200e\u200f"],
  ["embeddings and overrides", "\u202a\u202b\u202c\u202d\u202e"],
  ["isolates", "\u2066\u2067\u2068\u2069"],
])("H08 text for people is without %s", (_title, controls) => {
  const text = `pay${controls}pal`;
  expect(isPrintable(text)).toBe(false);
  expect(oneLine(text)).toBe("pay pal");
  expect(printable(text)).toBe(`pay${"?".repeat(controls.length)}pal`);
  const json = printableJson(JSON.stringify(text));
  expect([isPrintable(json), JSON.parse(json)]).toEqual([true, text]);
});

test("text in any script is left as it is", () => {
  const text = "Grüße, שלום, السلام, 你好 😀 \u200b\u200d";
  expect([isPrintable(text), oneLine(text), printable(text)]).toEqual([true, text, text]);
});
