// The byte-preserving document: round trips, minimal edits, bounds.
import * as fc from "fast-check";
import PostalMime from "postal-mime";
import { describe, expect, test } from "vitest";
import { attachmentParts, htmlBodyPart, textBodyPart } from "../../../src/mime/bodies.ts";
import { MimeDocument } from "../../../src/mime/document.ts";
import { bufferSource } from "../../../src/mime/source.ts";
import { allParts, applySplices, countingSource, crlf, open, structure } from "./mime-testing.ts";

const MIXED = crlf(`Received: from a
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Content-Type: multipart/mixed; boundary="out"
MIME-Version: 1.0

preamble
--out
Content-Type: multipart/alternative; boundary="out-inner"

--out-inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hallo =E2=82=AC=20
--out-inner
Content-Type: text/html; charset=iso-8859-1

<p>Hallo</p>
--out-inner--
--out
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="a.pdf"

JVBERi0xLjQK
--out--
epilogue
`);

describe("bytes are kept", () => {
  test("any bytes come back as they were after every part was looked at", () => {
    const line = fc.constantFrom(
      "--a",
      "--a--",
      "",
      "Content-Type: multipart/mixed; boundary=a",
      " x",
      "--ab",
      "X: y",
      "text\0",
      "From a b:",
    );
    const mail = fc
      .array(fc.tuple(line, fc.constantFrom("\r\n", "\n", "\r", "")))
      .map((all) => Buffer.from(all.flat().join("")));
    fc.assert(
      fc.property(
        fc.oneof(
          mail,
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          const doc = open(bytes);
          for (const part of allParts(doc)) part.headers.entries();
          expect(doc.root.toBuffer().equals(bytes)).toBe(true);
          expect(doc.splices()).toEqual([]);
          doc.root.headers.set("X-New", "1");
          const body = open(bytes).root.rawBody();
          const edited = applySplices(bytes, doc.splices());
          expect(edited.equals(doc.toBuffer())).toBe(true);
          expect(edited.subarray(edited.length - body.length).equals(body)).toBe(true);
          expect(open(edited).root.headers.get("x-new")).toBe("1");
        },
      ),
      { numRuns: 500 },
    );
  });

  test("rewriting one part leaves all others byte for byte", () => {
    const bytes = Buffer.from(MIXED);
    const doc = open(bytes);
    textBodyPart(doc)?.setText("Neu €\n");
    const splices = doc.splices();
    expect(splices).toHaveLength(1);
    expect(applySplices(bytes, splices).toString()).toBe(
      MIXED.replace("Hallo =E2=82=AC=20", "Neu =E2=82=AC\r\n"),
    );
  });

  test("opening and reading the headers of the root touches the header block only", () => {
    const bytes = Buffer.from(MIXED);
    const source = countingSource(bufferSource(bytes));
    const doc = new MimeDocument(source);
    doc.root.headers.set("Subject", "x");
    expect(doc.splices()).toHaveLength(1);
    expect(source.furthest).toBeLessThanOrEqual(source.headerLength);
  });

  test("the parts are those that postal-mime sees", async () => {
    const doc = open(MIXED);
    const email = await PostalMime.parse(MIXED);
    expect(textBodyPart(doc)?.text().trimEnd()).toBe(email.text?.trimEnd());
    expect(htmlBodyPart(doc)?.text().trim()).toBe(email.html?.trim());
    expect(attachmentParts(doc).map((part) => part.fileName)).toEqual(
      email.attachments.map(({ filename }) => filename),
    );
  });
});

test("wrapping and unwrapping the root keeps its content", () => {
  const doc = open(crlf("Subject: a\nContent-Type: text/plain\n\nhi\n"));
  doc.root.wrapIn("multipart/mixed").unwrap();
  expect(structure(open(doc.toBuffer()).root)).toBe("text/plain");
  expect(open(doc.toBuffer()).root.text()).toBe("hi\r\n");
});

describe("hostile input", () => {
  test.each(["a\r\nBcc: b", "a\n", "a\r", "a\0", "a\u0085", "a\u2028"])(
    "the value %j is refused",
    (value) => {
      const { headers } = open(MIXED).root;
      expect(() => headers.set("Subject", value)).toThrow(RangeError);
      expect(() => headers.add("X", value)).toThrow(RangeError);
      expect(() => headers.prepend("X", value)).toThrow(RangeError);
    },
  );

  test.each(["", "a b", "a:b", "a\r\nb", "x".repeat(300), "ü"])("the name %j is refused", (name) => {
    expect(() => open(MIXED).root.headers.add(name, "v")).toThrow(RangeError);
  });

  test("names of object members are data", () => {
    const doc = open('__proto__: 1\r\nconstructor: 2\r\nContent-Type: text/plain; __proto__="x"\r\n\r\n');
    expect(doc.root.headers.get("__proto__")).toBe("1");
    expect(doc.root.contentParameters.get("__proto__")).toBe("x");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("a thousand levels and a hundred thousand parts are bounded and kept", () => {
    let nested = "";
    for (let level = 0; level < 1000; level++)
      nested += `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`;
    const wide = `Content-Type: multipart/mixed; boundary=a\r\n\r\n${"--a\r\n\r\nx\r\n".repeat(100_000)}--a--\r\n`;
    for (const message of [nested, wide]) {
      const doc = open(message);
      expect(allParts(doc).length).toBeLessThanOrEqual(10_001);
      expect(doc.defects.length).toBeGreaterThan(0);
      expect(doc.root.toBuffer().toString()).toBe(message);
    }
  });

  test("H05 a boundary that occurs in a new part is replaced", () => {
    const doc = open(MIXED);
    textBodyPart(doc)?.setRawBody(Buffer.from("x\r\n--out-inner--\r\n"));
    expect(structure(open(doc.toBuffer()).root)).toBe(
      "mixed(alternative(text/plain,text/html),application/pdf)",
    );
  });
});
