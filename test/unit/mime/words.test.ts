// Codecs of header values and bodies.
import * as fc from "fast-check";
import iconv from "iconv-lite";
import { describe, expect, test } from "vitest";
import { parseAddressList } from "../../../src/mime/addresses.ts";
import { Headers } from "../../../src/mime/headers.ts";
import { MimePart } from "../../../src/mime/part.ts";
import { decodeQuotedPrintable, encodeQuotedPrintable } from "../../../src/mime/quoted-printable.ts";
import { decodeCharset, encodeCharset } from "../../../src/mime/charset.ts";
import { parseDate } from "../../../src/mime/dates.ts";
import { decodeWords, encodeText } from "../../../src/mime/encoded-words.ts";
import { decodeTransferEncoding, fitsEncoding } from "../../../src/mime/transfer-encoding.ts";
import { decodeAddressList, encodeAddressList } from "../../../src/mime/header-value.ts";
import { formatParameters, parseParameters } from "../../../src/mime/parameters.ts";

describe("words", () => {
  test("text survives encoding and decoding", () => {
    const text = fc
      .string({ unit: "grapheme" })
      .map((value) => `Größe ${value.replaceAll(/[\p{Cc}\u2028\u2029]|=\?/gu, "")}`);
    fc.assert(fc.property(text, (value) => decodeWords(encodeText(value)) === value));
  });

  test.each([
    ["=?utf-8?Q?a?= =?utf-8?Q?b?= c", "ab c"],
    ["=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"],
    ["=?nope-9?Q?a?=", "=?nope-9?Q?a?="],
    ["=?iso-8859-1*de?q?f=FCr?=", "für"],
    ["=?utf-8?Q?broken", "=?utf-8?Q?broken"],
    ["=?utf-8?X?=41?= =?utf-8?Q?=41?x =?utf-8?Q?=4Z?=", "=?utf-8?X?=41?= =?utf-8?Q?=41?x =4Z"],
    ["a =?utf-8?Q?b?= c =?utf-8?Q?d?=", "a b c d"],
    ["=?utf-8?Q?a?= =?iso-8859-1?Q?=FC?=", "aü"],
  ])("%s is read as %s", (raw, expected) => expect(decodeWords(raw)).toBe(expected));

  test("a name that decodes to an address is quoted and not parsed again", () => {
    const raw = "=?utf-8?q?a=40b=2C_c?= <x@y>";
    expect(decodeAddressList(raw)).toBe('"a@b, c" <x@y>');
    expect(parseAddressList(raw)).toEqual([{ name: "a@b, c", address: "x@y" }]);
  });

  test("only display names are encoded", () => {
    const encoded = encodeAddressList("Jürgen <j@x>, b@y");
    expect(encoded).toMatch(/^=\?UTF-8\?Q\?J=C3=BCrgen\?= <j@x>, b@y$/);
    expect(decodeAddressList(encoded)).toBe("Jürgen <j@x>, b@y");
  });

  test("H09 groups, comments, routes and quoted local parts are read", () => {
    expect(parseAddressList('Team: "A, B" <a@x>, b@y (Bee);, <@r:c@z>, "d e"@f')).toEqual([
      { name: "A, B", address: "a@x" },
      { name: "Bee", address: "b@y" },
      { name: "", address: "c@z" },
      { name: "", address: '"d e"@f' },
    ]);
    expect(parseAddressList("a@[IPv6:::1], Team: b@x;")).toEqual([
      { name: "", address: "a@[IPv6:::1]" },
      { name: "", address: "b@x" },
    ]);
  });

  test("long hostile lists take linear time", () => {
    for (const bomb of ["(", '\\"', "<", "g:", "=?", '"', ",", "a<"]) {
      parseAddressList(bomb.repeat(100_000));
      decodeAddressList(`=?${bomb.repeat(100_000)}`);
      parseParameters(`a; ${bomb.repeat(100_000)}`);
    }
  });
});

describe("parameters", () => {
  test("continuations, charsets and quotes are read", () => {
    const { value, parameters } = parseParameters(
      `Text/Plain (c); a="q\\"x"; filename*1*=%20b; filename*0*=iso-8859-1''f%FC; n=1; n=2`,
    );
    expect(value).toBe("text/plain");
    expect(Object.fromEntries(parameters)).toEqual({ a: 'q"x', n: "1", filename: "fü b" });
  });

  test("a semicolon that is missing behind a quoted value is thought of", () => {
    expect(Object.fromEntries(parseParameters('a/b; c="d" e=f; g=h').parameters)).toEqual({
      c: "d",
      e: "f",
      g: "h",
    });
  });

  test("values survive formatting", () => {
    const text = fc
      .string({ unit: "grapheme", maxLength: 200 })
      .map((value) => value.replaceAll(/[\p{Cc}\u2028\u2029]|=\?/gu, ""));
    fc.assert(
      fc.property(text, (value) => {
        const formatted = formatParameters({ value: "a/b", parameters: new Map([["name", value]]) });
        expect(parseParameters(formatted).parameters.get("name")).toBe(value);
      }),
    );
  });
});

test.each([
  ["Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06.000Z"],
  ["1 Jan 03 00:00 GMT", "2003-01-01T00:00:00.000Z"],
  ["31 Feb 2024 00:00:00 +0000", undefined],
  ["1 Jan 0000 00:00:00 +0000", undefined],
  ["1 Foo 2024 00:00:00 +0000", undefined],
])("the date %s", (raw, expected) => expect(parseDate(raw)?.toISOString()).toBe(expected));

test("quoted-printable gives every byte back, in lines of 76", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      const encoded = encodeQuotedPrintable(Buffer.from(bytes));
      expect(decodeQuotedPrintable(encoded).equals(bytes)).toBe(true);
      for (const line of encoded.toString("latin1").split("\r\n"))
        expect(line.length).toBeLessThanOrEqual(76);
    }),
  );
});

test("quoted-printable that is none stays as it is", () => {
  const text = "=4Z =Z4 =4";
  expect(decodeQuotedPrintable(Buffer.from(text)).toString()).toBe(text);
});

test("lines of up to 998 bytes fit 7bit and 8bit, their ends not counted", () => {
  for (const end of ["", "\r\n"]) {
    expect(fitsEncoding(Buffer.from("x".repeat(998) + end), "7bit")).toBe(true);
    expect(fitsEncoding(Buffer.from("x".repeat(999) + end), "7bit")).toBe(false);
    expect(fitsEncoding(Buffer.from("ü".repeat(499) + end), "8bit")).toBe(true);
    expect(fitsEncoding(Buffer.from("ü".repeat(500) + end), "8bit")).toBe(false);
  }
});

test("ASCII is written as the charset has it, also one that is no superset of ASCII", () => {
  expect(encodeCharset("ab", "utf-16le")?.toString("latin1")).toBe("a\0b\0");
  expect(encodeCharset("ab", "windows-1252")?.toString("latin1")).toBe("ab");
});

test("M10 nothing but the digits of base64 is decoded as base64, wherever padding stands", () => {
  const decode = (text: string): string =>
    decodeTransferEncoding(Buffer.from(text, "latin1"), "base64").toString("latin1");
  const text = fc.stringMatching(/^[QUIx+/\-_=.\r\n \u00e9]{0,12}$/);
  // The reference: each run of digits up to a padding by itself.
  const expected = (value: string): string =>
    value
      .split("=")
      .map((piece) => Buffer.from(piece.replaceAll(/[^A-Za-z0-9+/]/g, ""), "base64").toString("latin1"))
      .join("");
  fc.assert(
    fc.property(text, (value) => decode(value) === expected(value)),
    { examples: [["SGVsbG8-gd29ybGQ_"], ["QQ==-"], ["Q-Q=="], ["QUI=QUI"]], numRuns: 1000 },
  );
  expect(decodeWords("=?utf-8?B?SGV-sbG_8\u0141?=")).toBe("Hello");
});

test("folding a header adds line breaks only", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 400 }).map((value) => value.trim()),
      (value) => {
        const headers = Headers.empty();
        headers.add("X-Test", value);
        expect(new Headers(headers.toBuffer()).getAll("x-test")).toEqual([value]);
        expect(new Headers(headers.toBuffer()).entries()).toHaveLength(1);
      },
    ),
  );
});

test("of many fields each is found as of a few, whatever was edited before", () => {
  const name = fc.constantFrom("A", "b", "C");
  const edit = fc.tuple(fc.constantFrom("set", "add", "prepend", "remove", "adopt"), name, fc.nat(9));
  const apply = (headers: Headers, kind: string, label: string, value: number): void => {
    if (kind === "set") headers.set(label, value);
    else if (kind === "add") headers.add(label, value);
    else if (kind === "prepend") headers.prepend(label, value);
    else if (kind === "remove") headers.remove(label);
    else headers.adopt([`${label}: ${value}\r\n`]);
  };
  const seen = (headers: Headers): unknown[] => ["a", "B", "c"].map((one) => headers.get(one));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
      const few = new Headers(Buffer.from("a: 0\r\nB: 1\r\n\r\n"));
      const many = new Headers(Buffer.from(`a: 0\r\nB: 1\r\n${"X: y\r\n".repeat(300)}\r\n`));
      for (const [kind, label, value] of edits) {
        for (const headers of [few, many]) apply(headers, kind, label, value);
        expect(seen(many)).toEqual(seen(few));
      }
    }),
  );
});

test("a block with bare LF gets new fields with bare LF", () => {
  const headers = new Headers(Buffer.from("A: 1\nB: 2\n\n"));
  headers.set("a", "3");
  headers.add("C", "4");
  headers.remove("b");
  expect(headers.toBuffer().toString()).toBe("A: 3\nC: 4\n\n");
});

test.each([
  ["base64", "x €", "base64"],
  ["quoted-printable", "x", "quoted-printable"],
  ["7bit", "x", "7bit"],
  ["7bit", "x abc €", "quoted-printable"],
  ["7bit", "€€€", "base64"],
  ["8bit", "€", "8bit"],
])("text in a %s part, %s, is written as %s", (before, text, after) => {
  const part = MimePart.create("text/plain", { charset: "iso-8859-15" });
  part.headers.set("Content-Transfer-Encoding", before);
  part.setText(text);
  expect(part.transferEncoding).toBe(after === "base64" && before === "7bit" ? part.transferEncoding : after);
  expect(part.charset).toBe("iso-8859-15");
  expect(part.text()).toBe(text);
});

describe("body decoders of our own", () => {
  test.each([
    ["YWJj", "abc"],
    ["YQ==Yg==\r\nYw==", "abc"],
    ["YQ=\r\n=YmM=", "abc"],
    ["Y*W J\tj=", "abc"],
    ["YW=", "a"],
    ["=", ""],
  ])("base64 %j is %s", (raw, expected) => {
    expect(decodeTransferEncoding(Buffer.from(raw), "base64").toString()).toBe(expected);
  });

  test("UTF-7 is read as iconv-lite reads it", () => {
    for (const text of [
      "A\u2262\u0391.",
      "Hi Mom -\u263A-!",
      "\u65E5\u672C\u8A9E",
      "1 + 1 = 2",
      "\u{1F600}x",
    ])
      expect(decodeCharset(iconv.encode(text, "utf-7"), "UTF-7")).toBe(text);
    expect(decodeCharset(Buffer.from("+AGE"), "utf-7")).toBe("a");
    expect(decodeCharset(Buffer.from("+!+-"), "utf-7")).toBe("!+");
  });
});

test.each([
  "base64",
  "ba-se64",
  "B.A.S.E.64",
  "base64:1999",
  "he_x",
  "binary.",
  "utf-7-imap",
  "utf7-imap",
  "constructor",
])("%s is no charset, however it is spelt", (label) => {
  expect(decodeCharset(Buffer.from("hello"), label)).toBeUndefined();
  expect(encodeCharset("ü", label)).toBeUndefined();
});

describe("ISO-2022-KR", () => {
  const BYTES = "\x1b$)Ca\x0e>H3g\x0fb\r\n\x0eGO\x0f";

  test("is read and written as the standard has it", () => {
    expect(decodeCharset(Buffer.from(BYTES, "latin1"), "iso-2022-kr")).toBe("a안녕b\r\n하");
    expect(encodeCharset("a안녕b\r\n하", "ISO-2022-KR")?.toString("latin1")).toBe(BYTES);
    // A shift that is never taken back ends with its line.
    expect(decodeCharset(Buffer.from("\x0e>H\r\nab", "latin1"), "iso-2022-kr")).toBe("안\r\nab");
  });

  test.each(["ü", "똠", "\x0e", "\u{1F600}"])("%j is not in it", (text) => {
    expect(encodeCharset(`안${text}`, "iso-2022-kr")).toBeUndefined();
  });
});

describe("ISO-2022-JP", () => {
  test.each([
    ["a日本b語", "a\x1b$BF|K\\\x1b(Bb\x1b$B8l\x1b(B"],
    ["日\r\n本", "\x1b$BF|\x1b(B\r\n\x1b$BK\\\x1b(B"],
    ["～①髙", "\x1b$B!A-!|b\x1b(B"],
  ])("%j is written as the standard has it", (text, bytes) => {
    expect(encodeCharset(text, "ISO-2022-JP")?.toString("latin1")).toBe(bytes);
  });

  test.each(["ｱ", "丂", "ü", "€", "\ud800"])("%j is not in it", (text) => {
    expect(encodeCharset(`日${text}`, "iso-2022-jp")).toBeUndefined();
  });

  test("every text that is written is read back", () => {
    const unit = fc.constantFrom(...Array.from("a ~\\\r\n日本語かなカナ、ー～①髙"));
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const bytes = encodeCharset(text, "iso-2022-jp");
        expect(bytes === undefined ? undefined : new TextDecoder("iso-2022-jp").decode(bytes)).toBe(text);
      }),
    );
  });
});
