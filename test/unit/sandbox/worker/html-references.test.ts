// The references of pages and style sheets, also of broken and hostile ones.
import { describe, expect, test } from "vitest";
import {
  baseOf,
  declaredCharset,
  rewriteCss,
  rewriteHtml,
} from "../../../../src/sandbox/worker/html-references.ts";

const marked = (html: string): string => rewriteHtml(html, (kind, reference) => `[${kind}:${reference}]`);

test.each([
  ["<img src=a.png>", '<img src="[image:a.png]">'],
  ["<constructor name=a><img src=b>", '<constructor name=a><img src="[image:b]">'],
  ["<IMG alt='>' SRC = 'a b.png' >", `<IMG alt='>' SRC = "[image:a b.png]" >`],
  ['<img src="a?x=1&amp;y=%22">', '<img src="[image:a?x=1&amp;y=%22]">'],
  [
    "<link rel='alternate stylesheet' href=a.css><link rel=icon href=b>",
    `<link rel='alternate stylesheet' href="[style:a.css]"><link rel=icon href="[link:b]">`,
  ],
  [
    '<td background=a><div background=b style="background:url(c)">',
    '<td background="[image:a]"><div background=b style="background:url(&quot;[image:c]&quot;)">',
  ],
  ["<script>'<img src=a>'</script><img src=b>", `<script>'<img src=a>'</script><img src="[image:b]">`],
  ["<!-- <img src=a> --><object data=b>", '<!-- <img src=a> --><object data="[object:b]">'],
  [
    "<style>@import 'a.css'; b{c:url(d)}</style>",
    `<style>@import "[style:a.css]"; b{c:url("[image:d]")}</style>`,
  ],
])("the references of %s are found", (html, expected) => {
  expect(marked(html)).toBe(expected);
});

test.each([
  "a < b",
  "<",
  "<img",
  "<img src",
  '<img src="a',
  "<img src='a.png",
  "<a =>",
  "<!-- <img src=a>",
  "</img src=a>",
  "<img src=''>",
])("%s is left as it is", (html) => {
  expect(marked(html)).toBe(html);
});

test("style sheets: imports and urls in all quotes; what is not closed stays", () => {
  const css = (text: string): string => rewriteCss(text, (kind, reference) => `${kind}:${reference}`);
  expect(css("@import url(\"a.css\") print; @import  url(b.css); p{x:URL( c.png ),url('d')}")).toBe(
    '@import url("style:a.css") print; @import  url("style:b.css"); p{x:URL("image:c.png"),url("image:d")}',
  );
  expect(css("p{x:url(a")).toBe("p{x:url(a");
  expect(css("url()")).toBe("url()");
});

test("a replaced reference cannot leave its quotes", () => {
  expect(rewriteHtml("<img src=a>", () => '"><script>')).toBe('<img src="&quot;><script>">');
  expect(rewriteCss("url(a)", () => '");}')).toBe('url("%22);}")');
});

test("base and charset of a page", () => {
  expect(baseOf("<p><BASE target=x><base href='http://a/b/'>")).toBeUndefined();
  expect(baseOf("<p><BASE target=x href='http://a/b/'>")).toBe("http://a/b/");
  expect(declaredCharset('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">')).toBe(
    "iso-8859-2",
  );
  expect(declaredCharset("<p>charset=x")).toBeUndefined();
});

describe("a long page takes no longer than its length allows", () => {
  const LENGTH = 512 * 1024;
  test.each([
    "<",
    "<a ",
    "<a b='",
    "<a b=\"c' ",
    "<!--",
    "<style>",
    "url(",
    "@import '",
    "<script><",
    "<base ",
    "<meta ",
  ])("%s", (piece) => {
    const text = piece.repeat(LENGTH / piece.length);
    const started = performance.now();
    rewriteHtml(text, () => "");
    rewriteCss(text, () => "");
    baseOf(text);
    declaredCharset(text.slice(0, 4096));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
