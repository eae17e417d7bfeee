// The parts of the runtime that are plain functions, beside what Node has under the same name.
import { array, assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { CDO_ERRORS, CdoError } from "../../../runtime/cdo/errors.ts";
import { htmlToText } from "../../../runtime/cdo/html-text.ts";
import { structuredClone as cloneOf } from "../../../runtime/web/structured-clone.ts";
import {
  atob as fromBase64,
  btoa as toBase64,
  TextEncoder as Encoder,
} from "../../../runtime/web/text-coding.ts";

describe("text coding", () => {
  test("texts are encoded as Node encodes them, lone surrogates included", () => {
    assert(
      property(string({ unit: "binary" }), (text) => {
        expect([...new Encoder().encode(text)]).toEqual([...new TextEncoder().encode(text)]);
      }),
    );
    expect([...new Encoder().encode("\ud800x")]).toEqual([...new TextEncoder().encode("\ud800x")]);
  });

  test("base64 goes there and back, and refuses what is not base64", () => {
    assert(
      property(array(string({ unit: "binary-ascii" })), (texts) => {
        const text = texts.join("\xff");
        expect(toBase64(text)).toBe(btoa(text));
        expect(fromBase64(toBase64(text))).toBe(text);
      }),
    );
    expect(() => toBase64("€")).toThrow(RangeError);
    expect(() => fromBase64("a*b=")).toThrow(RangeError);
  });
});

describe("text of HTML", () => {
  test.each([
    ["<p>one</p><p>two</p>", "one\r\ntwo"],
    ["a<br>b &lt;c&gt; &amp;amp; &#228;&#xe4;", "a\r\nb <c> &amp; ää"],
    ["<style>p{}</style>seen<script>if (a<b) c()</script>", "seen"],
    ["<head><title>t</title></head><body>x", "x"],
    ["<head><meta name=x><body>seen", "seen"],
    ["<table><tr><td>1<td>2</tr><tr><th>a</th> <th>b</th></table>z", "1 2\r\na b\r\nz"],
    ["no tags", "no tags"],
    [
      "Gr&uuml;&szlig;e &Uuml; &euro; &mdash; &hearts; &there4; &klingon; &AMP;",
      "Grüße Ü € — ♥ ∴ &klingon; &",
    ],
    ["a<!-- a > b --> c<!--><!--[if mso]><p>d</p><![endif]-->e", "a ce"],
    ["a<!-- never > ends", "a ends"],
    ["<style><!-- p > a {} --></style>seen", "seen"],
    ["cut off <b", "cut off"],
  ])("%s", (html, text) => {
    expect(htmlToText(html)).toBe(text);
  });

  test("a page of open brackets takes no longer than another", () => {
    expect(htmlToText("<".repeat(200_000))).toBe("");
  });

  test.each([
    ["two hundred thousand tags", "<b>".repeat(200_000)],
    ["1 MB of quotes in a tag", `<a title=${"\"'".repeat(500_000)}`],
    ["paragraphs", "<p>x".repeat(200_000)],
    ["cells", "<td>x".repeat(200_000)],
    ["comments that never close", "<!-- ".repeat(200_000)],
    ["styles that never close", "<style>".repeat(200_000)],
    ["entities without end", "&".repeat(200_000)],
  ])("M20 %s become text in linear time", (_name, html) => {
    const begun = performance.now();
    expect(htmlToText(html).length).toBeLessThanOrEqual(html.length);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe("structuredClone", () => {
  test("copies are deep, keep cycles, and share nothing", () => {
    const value: Record<string, unknown> = {
      list: [1, { a: new Date(5) }],
      map: new Map([["k", new Set([1])]]),
      bytes: new Uint8Array([1, 2]),
    };
    value["self"] = value;
    const copy = cloneOf(value);
    expect(copy).toEqual(value);
    expect(copy).not.toBe(value);
  });

  test("functions are refused", () => {
    expect(() => cloneOf({ f: () => 1 })).toThrow(TypeError);
  });
});

test("errors carry the signed HRESULT, the name and a text", () => {
  const error = new CdoError("CDO_E_PROP_READONLY", "Message.SentOn");
  expect(error.number).toBe(-2147220953);
  expect(error.name).toBe("CDO_E_PROP_READONLY");
  expect(error.message).toContain("Message.SentOn");
  expect(new Set(Object.values(CDO_ERRORS).map(([hresult]) => hresult)).size).toBe(
    Object.keys(CDO_ERRORS).length,
  );
});
