// URL, URLSearchParams and TextDecoder of the runtime, beside Node's own.
import {
  array,
  assert,
  boolean,
  constantFrom,
  integer,
  property,
  string,
  uint8Array,
  webUrl,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { createTextDecoder } from "../../../runtime/web/text-decoder.ts";
import { URLSearchParams as Params } from "../../../runtime/web/url-search-params.ts";
import { createUrl } from "../../../runtime/web/url.ts";
import { WebHost } from "../../../runtime/web/web-host.ts";
import { WebBudget } from "../../../src/sandbox/worker/calls/web-calls.ts";

/** As a context of a script has it while it is being loaded, each time afresh. */
const web = new WebHost((operation, a, b, c, _place, bytes) =>
  new WebBudget().serve(operation, a, b, c, Buffer.from(bytes ?? new ArrayBuffer(0))),
);
const Decoder = createTextDecoder(web);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what it claims to be is what is tested
const Url = createUrl(web) as typeof URL;

const PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;
const partsOf = (url: URL): string[] => PARTS.map((part) => url[part]);

describe("URL", () => {
  test.each([
    ["https://user:p%40ss@EXAMPLE.com:443/a/../b c?q=ä&x#f"],
    ["http://Grüße.example/päth"],
    ["mailto:a@example.com?subject=x"],
    ["//host/x", "ftp://other/"],
    ["../up?y", "https://example.com/a/b/c"],
    ["#only", "https://example.com/a?b"],
    ["file:///C|/x"],
    ["http://[::1]:8080/"],
    ["http://0x7f.1/"],
    ["\n ht\ttps://example.com \n"],
    ["data:text/plain,hi"],
  ])("%j %j has the parts that Node's has", (url, base?) => {
    expect(partsOf(new Url(url, base))).toEqual(partsOf(new URL(url, base)));
    expect(new Url(url, base).toString()).toBe(new URL(url, base).href);
    expect(JSON.stringify({ url: new Url(url, base) })).toBe(JSON.stringify({ url: new URL(url, base) }));
  });

  test.each([
    ["nothing"],
    [""],
    ["http://"],
    ["http://a b/"],
    ["http://x:99999/"],
    ["/x", "nothing"],
    ["http://exa%00mple/"],
  ])("%j %j is no URL: a TypeError", (url, base?) => {
    expect(() => new Url(url, base)).toThrow(TypeError);
    expect(Url.canParse(url, base)).toBe(false);
    expect(Url.parse(url, base)).toBeNull();
  });

  test("its parts are set as Node sets them", () => {
    assert(
      property(
        webUrl(),
        constantFrom(...PARTS.slice(2)),
        string({ unit: "binary", maxLength: 12 }),
        (text, part, value) => {
          const [ours, nodes] = [new Url(text), new URL(text)];
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all of them are settable
          const settable = part as "hash";
          ours[settable] = value;
          nodes[settable] = value;
          expect(partsOf(ours)).toEqual(partsOf(nodes));
        },
      ),
    );
  });

  test("the query and its parameters are one", () => {
    const url = new Url("https://h.example/p?a=1&a=2&b=%20+x");
    const { searchParams } = url;
    expect(searchParams.getAll("a")).toEqual(["1", "2"]);
    expect(searchParams.get("b")).toBe("  x");
    searchParams.append("ü", "& =");
    expect(url.search).toBe("?a=1&a=2&b=++x&%C3%BC=%26+%3D");
    searchParams.delete("a", "1");
    url.search = "?z=9";
    expect([...searchParams]).toEqual([["z", "9"]]);
    url.href = "https://h.example/?y=8";
    expect(searchParams.get("y")).toBe("8");
    expect(url.searchParams).toBe(searchParams);
    searchParams.delete("y");
    expect(url.href).toBe("https://h.example/");
  });

  test("a text without end is no URL", () => {
    expect(() => new Url(`https://h.example/${"x".repeat(70_000)}`)).toThrow(TypeError);
  });
});

describe("URLSearchParams", () => {
  test("characters outside ASCII stay what they are beside invalid bytes", () => {
    expect([...new Params("%ffü=😀%")]).toEqual([["\ufffdü", "😀%"]]);
  });

  test("any query is read and written as Node does it", () => {
    const query = array(constantFrom("a", "b", "=", "&", "%", "%4", "%41", "%c3%bc", "%ff", "+", "?", " "), {
      maxLength: 20,
    });
    assert(
      property(query, (pieces) => {
        const text = pieces.join("");
        const [ours, nodes] = [new Params(text), new URLSearchParams(text)];
        expect([...ours]).toEqual([...nodes]);
        expect(ours.toString()).toBe(nodes.toString());
        ours.sort();
        nodes.sort();
        expect(ours.toString()).toBe(nodes.toString());
      }),
    );
  });

  test("made of pairs, of an object, of another one", () => {
    expect(
      new Params([
        ["a", 1],
        ["b", "x y"],
      ]).toString(),
    ).toBe("a=1&b=x+y");
    expect(new Params({ a: 1, b: null }).toString()).toBe("a=1&b=null");
    const params = new Params(new Params("c=3&d&c=4"));
    expect([
      params.size,
      params.has("c", "4"),
      params.has("c", "5"),
      params.get("d"),
      params.get("e"),
    ]).toEqual([3, true, false, "", null]);
    params.set("c", "0");
    expect(params.toString()).toBe("c=0&d=");
    expect([[...params.keys()], [...params.values()]]).toEqual([
      ["c", "d"],
      ["0", ""],
    ]);
    expect(() => new Params([["a"]])).toThrow(TypeError);
  });
});

describe("TextDecoder", () => {
  const bytes = uint8Array({ maxLength: 40 });
  const encodings = constantFrom(
    "utf-8",
    "latin1",
    "us-ascii",
    "utf-16le",
    "UTF-16BE",
    " shift_jis ",
    "big5",
    "euc-kr",
    "gb18030",
    "koi8-r",
    "iso-8859-15",
    "iso-2022-jp",
    "windows-1251",
  );

  test("any bytes are decoded as Node decodes them", () => {
    assert(
      property(encodings, bytes, boolean(), (label, input, ignoreBOM) => {
        const [ours, nodes] = [new Decoder(label, { ignoreBOM }), new TextDecoder(label, { ignoreBOM })];
        expect(ours.decode(input)).toBe(nodes.decode(input));
        expect(ours.encoding).toBe(nodes.encoding);
      }),
      { numRuns: 500 },
    );
  });

  test("in UTF-8, in pieces of any length, with and without mark, fatal or not", () => {
    const byte = constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc1,
      0xc3,
      0xe0,
      0xe2,
      0xed,
      0xa0,
      0x9f,
      0xf0,
      0x90,
      0xf4,
      0x8f,
      0xef,
      0xbb,
    );
    assert(
      property(
        array(byte, { maxLength: 12 }),
        integer({ min: 1, max: 4 }),
        boolean(),
        boolean(),
        (input, step, fatal, ignoreBOM) => {
          const decode = (decoder: {
            decode(input?: Uint8Array, options?: { stream: boolean }): string;
          }): string => {
            let text = "";
            try {
              for (let at = 0; at < input.length; at += step)
                text += decoder.decode(Uint8Array.from(input.slice(at, at + step)), { stream: true });
              return text + decoder.decode();
            } catch (error) {
              return error instanceof TypeError ? "TypeError" : "other";
            }
          };
          const options = { fatal, ignoreBOM };
          expect(decode(new Decoder("utf-8", options))).toBe(decode(new TextDecoder("utf-8", options)));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("a stream in another encoding comes whole at its end", () => {
    const decoder = new Decoder("shift_jis");
    const text = decoder.decode(Uint8Array.of(0x83), { stream: true }) + decoder.decode(Uint8Array.of(0x65));
    expect(text).toBe("テ");
    expect(() => new Decoder("shift_jis", { fatal: true }).decode(Uint8Array.of(0x83))).toThrow(TypeError);
  });

  test("an unknown label is a RangeError, what is no bytes a TypeError", () => {
    expect(() => new Decoder("klingon")).toThrow(RangeError);
    expect(() => new Decoder("__proto__")).toThrow(RangeError);
    expect(() => new Decoder().decode("text")).toThrow(TypeError);
    expect(new Decoder().decode(new DataView(Uint8Array.from([0x41, 0x42, 0x43]).buffer, 1, 1))).toBe("B");
  });
});
