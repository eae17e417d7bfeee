// The attacks on a MIME parser, by the id of the fault list; the full sizes are in test/long.
import { describe, expect, test } from "vitest";
import { parseAddressList } from "../../../src/mime/addresses.ts";
import { attachmentParts, htmlBodyPart, setTextBody, textBodyPart } from "../../../src/mime/bodies.ts";
import { parseDate } from "../../../src/mime/dates.ts";
import { decodeWords } from "../../../src/mime/encoded-words.ts";
import { decodeAddressList } from "../../../src/mime/header-value.ts";
import { parseParameters } from "../../../src/mime/parameters.ts";
import { BOMBS } from "./hostile-messages.ts";
import { lookAtEverything } from "./look-at-everything.ts";
import { allParts, applySplices, crlf, open, structure } from "./mime-testing.ts";

describe("bombs are bounded and come back byte for byte", () => {
  test.each(BOMBS)("$id $title", ({ make, sizes, defect }) => {
    const bytes = make(sizes[0]);
    const doc = open(bytes);
    expect(lookAtEverything(doc)).toBeLessThanOrEqual(10_001);
    if (defect !== undefined) expect(doc.defects.join("\n")).toMatch(defect);
    expect(doc.splices()).toEqual([]);
    expect(doc.root.toBuffer().equals(bytes)).toBe(true);
    // M25: an edit is limited to its field, whatever else the message holds.
    doc.root.headers.set("X-New", "1");
    const splices = doc.splices();
    expect(splices).toHaveLength(1);
    expect(splices[0]?.bytes.length).toBeLessThan(20);
    expect(applySplices(bytes, splices).length).toBe(bytes.length + (splices[0]?.bytes.length ?? 0));
  });
});

describe("codecs", () => {
  test("M07 two hundred thousand adjacent encoded words are decoded", () => {
    expect(decodeWords("=?utf-8?Q?a?= ".repeat(200_000)).length).toBe(200_001);
  });

  test.each([
    ["a character split between words", "=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"],
    ["an unknown charset", "=?nope?Q?a?=", "=?nope?Q?a?="],
    ["a word inside a word", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=", "=?utf-8?Q?a?="],
    ["an invalid sequence", "=?utf-8?Q?=FF?=", "\uFFFD"],
  ])("M07 %s", (_title, raw, expected) => expect(decodeWords(raw)).toBe(expected));

  test("M16 what an encoded word spells is never read as structure", () => {
    const raw = "=?utf-8?Q?boss=40corp=2Eexample=2C_=3Cevil=40x=3E?= <real@y.example>";
    expect(parseAddressList(raw)).toEqual([
      { name: "boss@corp.example, <evil@x>", address: "real@y.example" },
    ]);
    expect(parseAddressList(decodeAddressList(raw))).toEqual(parseAddressList(raw));
    const broken = "=?utf-8?Q?a=0D=0ABcc:_b=40c?= <real@y.example>";
    expect(decodeAddressList(broken)).not.toMatch(/[\r\n]/);
  });

  test.each([
    "31 Feb 2024 00:00:00 +0000",
    "1 Foo 2024 00:00:00 +0000",
    "1 Jan 0000 00:00:00 +0000",
    "1 Jan 99999 00:00:00 +0000",
    "1 Jan 2024 25:00:00 +0000",
    "1 Jan 2024 00:00:00 -9999",
    "",
    `1 Jan 2024 00:00:00 +0000${" ".repeat(1_000_000)}`,
  ])("M18 %# is no date", (raw) => expect(parseDate(raw)).toBeUndefined());

  test("M18 a negative and a named zone are dates", () => {
    expect(parseDate("Mon, 1 Jan 2024 00:00:00 -0130")?.toISOString()).toBe("2024-01-01T01:30:00.000Z");
    expect(parseDate("1 Jan 24 00:00 EST")?.toISOString()).toBe("2024-01-01T05:00:00.000Z");
  });

  test.each([
    ["utf-16", Buffer.from("\uFEFFhi", "utf16le"), "hi"],
    ["utf-16le", Buffer.from("hi\uD800", "utf16le"), "hi"],
    ["iso-2022-jp", Buffer.from("\x1b$B"), ""],
    ["base64", Buffer.from("aGk="), "aGk="],
  ])("M19 %s games end in some text", (charset, body, expected) => {
    const doc = open(
      Buffer.concat([Buffer.from(`Content-Type: text/plain; charset=${charset}\r\n\r\n`), body]),
    );
    expect(textBodyPart(doc)?.text().startsWith(expected)).toBe(true);
  });
});

describe("delimiters", () => {
  const message = (boundary: string, body: string): string =>
    crlf(`Content-Type: multipart/mixed; boundary=${boundary}\n\n${body}`);

  test.each([
    ["M08 a boundary that begins another one", '"a"', "--a\n\nx\n--ab\n\ny\n--a--\n", 1],
    ["M08 blanks behind a delimiter", '"a"', "--a  \t\n\nx\n--a-- \n", 1],
    ["M08 an empty boundary", '""', "--\n\nx\n----\n", 0],
    ["M08 a boundary of dashes", '"---"', "-----\n\nx\n--------\n-----\n\ny\n-------\n", 2],
    ["M08 blanks at the end of the boundary", '"a "', "--a\n\nx\n--a--\n", 1],
    ["M09 no closing delimiter", '"a"', "--a\n\nx\n--a\n\ny\n", 2],
    ["M09 preamble and epilogue only", '"a"', "preamble\n--a--\nepilogue\n", 0],
    ["M09 a delimiter inside a line", '"a"', "--a\n\nx --a\n--a--\n", 1],
    ["M09 no blank line before the body of a part", '"a"', "--a\nx\n--a--\n", 1],
    ["M26 text behind the closing delimiter", '"a"', "--a\n\nx\n--a--\n--a\n\nhidden\n--a--\n", 1],
  ])("%s: %# parts", (_title, boundary, body, parts) => {
    for (const text of [message(boundary, body), message(boundary, body).replaceAll("\r\n", "\n")]) {
      const doc = open(text);
      expect(doc.root.children).toHaveLength(parts);
      expect(doc.root.toBuffer().toString()).toBe(text);
    }
  });

  test("M09 a delimiter inside base64 content ends the part, nothing is lost", () => {
    const text = message("a", "--a\nContent-Transfer-Encoding: base64\n\nYWJj\n--a\nYWJj\n--a--\n");
    expect(open(text).root.children.map((part) => part.rawBody().toString())).toEqual(["YWJj", ""]);
  });

  test("M11 the transfer encoding of a multipart is ignored and told", () => {
    const doc = open(message("a\nContent-Transfer-Encoding: base64", "--a\n\nx\n--a--\n"));
    expect(structure(doc.root)).toBe("mixed(text/plain)");
    expect(doc.defects.join()).toMatch(/transfer encoding/);
  });

  test("M11 a message/rfc822 is a leaf whose encoding is undone", () => {
    const doc = open(
      crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogYQ==\n"),
    );
    expect(structure(doc.root)).toBe("message/rfc822");
    expect(doc.root.decodedBody().toString()).toBe("Subject: a");
  });
});

describe("line ends and odd bytes", () => {
  test.each([
    ["bare LF", "Subject: a\nX: b\n\nbody\n"],
    ["mixed line ends", "Subject: a\r\nX: b\n\nbody\r\n"],
    ["NUL", "Subject: a\r\nX: \0b\r\n\r\n\0body\r\n"],
    ["no line end at the end", "Subject: a\r\nX: b\r\n\r\nbody"],
    ["no body", "Subject: a\r\nX: b"],
    ["bare CR in a value", "Subject: a\r\nX: b\rBcc: c\r\n\r\nbody"],
  ])("M12 %s: fields are found, bytes are kept, a new field is readable", (_title, text) => {
    const doc = open(text);
    expect(doc.root.headers.get("subject")).toBe("a");
    expect(doc.root.headers.get("bcc")).toBeUndefined();
    expect(doc.root.toBuffer().toString()).toBe(text);
    doc.root.headers.set("X-New", "1");
    const again = open(doc.toBuffer());
    expect(again.root.headers.get("x-new")).toBe("1");
    expect(again.root.headers.get("subject")).toBe("a");
    expect(again.root.rawBody().toString()).toBe(open(text).root.rawBody().toString());
  });

  test("M12 a mail of bare CR only has no fields and is kept", () => {
    const doc = open("Subject: a\r\rbody\r");
    expect(lookAtEverything(doc)).toBe(1);
    expect(doc.root.toBuffer().toString()).toBe("Subject: a\r\rbody\r");
  });

  test.each([
    ["no colon", "no field here\r\nSubject: a\r\n\r\n"],
    ["colon first", ": x\r\nSubject: a\r\n\r\n"],
    ["blank before the colon", "Subject : a\r\n\r\n"],
    ["blanks before the first field", " x: y\r\nSubject: a\r\n\r\n"],
    ["UTF-8 name", "Größe: x\r\nSubject: a\r\n\r\n"],
    ["mbox line first", "From a@b Mon Jan  1 00:00:00 2024\r\nSubject: a\r\n\r\n"],
  ])("M15 %s: the other fields are found and the line is kept", (_title, text) => {
    const doc = open(text);
    expect(doc.root.headers.get("subject")).toBe("a");
    doc.root.headers.set("Subject", "b");
    expect(doc.toBuffer().toString()).toBe(
      text.replace(/: a\r/, ": b\r").replace("Subject : b", "Subject: b"),
    );
  });
});

describe("ambiguous messages have one documented reading and a defect", () => {
  test.each(["__proto__", "constructor", "prototype", "toString", "then", "hasOwnProperty"])(
    "M13 a field and a parameter named %s are data",
    (name) => {
      const doc = open(`${name}: 1\r\nContent-Type: text/plain; ${name}=2; charset=utf-8\r\n\r\n`);
      expect(doc.root.headers.get(name)).toBe("1");
      expect(doc.root.contentParameters.get(name.toLowerCase())).toBe("2");
      expect(doc.root.charset).toBe("utf-8");
      expect(open("\r\n").root.headers.get(name)).toBeUndefined();
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    },
  );

  test("M14 of several fields the first counts, all are kept", () => {
    const text = crlf(
      "From: a@x\nFrom: b@x\nContent-Type: text/html\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nPGI+\n",
    );
    const doc = open(text);
    expect(doc.root.headers.getAll("from")).toEqual(["a@x", "b@x"]);
    expect(htmlBodyPart(doc)?.text()).toBe("<b>");
    expect(doc.defects).toEqual([
      "There are several Content-Type fields: the first was taken",
      "There are several Content-Transfer-Encoding fields: the first was taken",
    ]);
    expect(doc.root.toBuffer().toString()).toBe(text);
  });

  test.each([
    ["two boundaries", 'multipart/mixed; boundary="a"; boundary="b"', "boundary", "a", true],
    ["a folded value", "multipart/mixed;\r\n boundary=\r\n a", "boundary", "a", false],
    [
      "comments between the tokens",
      "multipart/mixed (x); (y) boundary (z) = (u) a (v)",
      "boundary",
      "a",
      false,
    ],
    ["a stray semicolon", "multipart/mixed;; boundary=a;", "boundary", "a", false],
    ["no semicolon", 'multipart/mixed\r\n boundary="a"', "boundary", "a", false],
    ["no semicolon behind a quoted value", 'multipart/mixed; boundary="a" charset=x', "boundary", "a", false],
    ["no quotes around a blank", "text/plain; name=a b.exe", "name", "a b.exe", false],
    [
      "an RFC 2231 form beside a plain one",
      "text/plain; name=a.txt; name*=utf-8''b.exe",
      "name",
      "b.exe",
      false,
    ],
    ["an unclosed quote", 'text/plain; name="a.exe', "name", "a.exe", false],
    ["an encoded word", "text/plain; name==?utf-8?Q?a=2Eexe?=", "name", "a.exe", false],
  ])("M26 %s", (_title, raw, name, expected, defective) => {
    expect(parseParameters(raw.replaceAll("\r\n", "")).parameters.get(name)).toBe(expected);
    const doc = open(`Content-Type: ${raw}\r\n\r\n`);
    expect(doc.root.contentParameters.get(name)).toBe(expected);
    expect(doc.defects.some((defect) => defect.includes("twice"))).toBe(defective);
  });

  test("M26 of two file names that of Content-Disposition counts", () => {
    const doc = open(
      crlf("Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=b.exe\n\nx\n"),
    );
    expect(attachmentParts(doc).map((part) => part.fileName)).toEqual(["b.exe"]);
    expect(doc.defects).toEqual(["A part has two file names: that of Content-Disposition was taken"]);
  });

  test("M26 a type with stray characters counts as text", () => {
    expect(open("Content-Type: nonsense\r\n\r\nx").root.mediaType).toBe("text/plain");
    expect(open("Content-Type:\r\n\r\nx").root.mediaType).toBe("text/plain");
  });
});

describe("what is not read stays as it is", () => {
  test.each([
    ["M21 TNEF", "application/ms-tnef", "x\x9f\x3e\x22"],
    ["M22 a compressed file", "application/zip", "PK\x03\x04"],
    ["M21 uuencoded text", "text/x-uuencode", "begin 644 a\n#86)C\n`\nend\n"],
  ])("%s is one opaque part", (_title, type, body) => {
    const doc = open(Buffer.from(`Content-Type: ${type}\r\n\r\n${body}`, "latin1"));
    expect(attachmentParts(doc).length).toBeLessThanOrEqual(1);
    expect(doc.root.decodedBody().toString("latin1")).toBe(body);
  });

  test("M24 documents over the same bytes share nothing", () => {
    const bytes = BOMBS[0]?.make(100) ?? Buffer.alloc(0);
    const documents = Array.from({ length: 10 }, () => open(bytes));
    for (const doc of documents) allParts(doc);
    const [first, second] = documents;
    if (first === undefined || second === undefined) throw new Error("no documents");
    setTextBody(first, "changed");
    first.root.headers.set("Subject", "changed");
    expect(second.changed).toBe(false);
    expect(second.root.headers.get("Subject")).toBe("a");
    expect(second.root.toBuffer().equals(bytes)).toBe(true);
  });

  test("M25 a field edited in a large message leaves every byte of the body", () => {
    const bytes = Buffer.concat([
      Buffer.from("Subject: a\r\nTo: b@c\r\n\r\n"),
      Buffer.alloc(5_000_000, "body\r\n"),
    ]);
    const doc = open(bytes);
    doc.root.headers.set("Subject", "other");
    expect(doc.splices()).toEqual([{ start: 0, end: 12, bytes: Buffer.from("Subject: other\r\n") }]);
  });
});
