// What an operation reads of the original, counted in bytes: a worker fetches them on demand.
import { describe, expect, test } from "vitest";
import { addAttachmentPart, setTextBody, textBodyPart } from "../../../src/mime/bodies.ts";
import { MimeDocument } from "../../../src/mime/document.ts";
import { MimePart } from "../../../src/mime/part.ts";
import { bufferSource, type ByteSource } from "../../../src/mime/source.ts";
import { convertForTransport } from "../../../src/mime/transport-conversion.ts";
import { allParts, countingSource, crlf, open, structure } from "./mime-testing.ts";

const MEBIBYTE = 1024 * 1024;

/** A message of 50 MiB of which only the first bytes exist: reading past them fails. */
function headersOnly(head: string): ByteSource {
  const bytes = Buffer.from(crlf(head));
  return {
    size: 50 * MEBIBYTE,
    headerLength: bytes.length,
    slice(start, end) {
      if (end > bytes.length) throw new Error(`bytes ${start}-${end} were read`);
      return bytes.subarray(start, end);
    },
  };
}

function file(): MimePart {
  const part = MimePart.create("application/pdf");
  part.setDecodedBody(Buffer.from("%PDF"), "base64");
  return part;
}

const multipart = (parts: number, size: number): Buffer =>
  Buffer.from(
    `Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${`--b\r\nContent-Type: text/plain\r\n\r\n${"x".repeat(size)}\r\n`.repeat(parts)}--b--\r\n`,
  );

describe("the header block alone is read", () => {
  test("for the fields, the media type and their edits in a message of 50 MiB", () => {
    const doc = new MimeDocument(
      headersOnly("Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n"),
    );
    expect(doc.root.headers.get("Subject")).toBe("large");
    expect(doc.root.mediaType).toBe("multipart/mixed");
    expect(doc.protection).toBe("none");
    doc.root.headers.set("Subject", "new");
    doc.root.headers.add("X-A", "1");
    expect(doc.splices().map(({ start, end }) => [start, end])).toEqual([
      [0, 16],
      [59, 59],
    ]);
  });

  test("for an attachment that is added to a single text of 50 MiB", () => {
    const doc = new MimeDocument(headersOnly("Subject: large\nContent-Type: text/plain\n\n"));
    addAttachmentPart(doc, file());
    expect(structure(doc.root)).toBe("mixed(text/plain,application/pdf)");
    const splices = doc.splices();
    expect(splices.at(-1)).toMatchObject({ start: 50 * MEBIBYTE, end: 50 * MEBIBYTE });
    expect(splices.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(1000);
  });

  test("for the text body of a flat message that is replaced unread", () => {
    const doc = new MimeDocument(headersOnly("Subject: large\nContent-Type: application/zip\n\n"));
    setTextBody(doc, "new");
    expect(structure(doc.root)).toBe("mixed(text/plain,application/zip)");
    expect(doc.splices()).toHaveLength(3);
  });
});

describe("what is read grows with the message only", () => {
  /** Everything that looking at all parts and adding one reads, per byte of the message. */
  function readPerByte(bytes: Buffer): number {
    const source = countingSource(bufferSource(bytes));
    const doc = new MimeDocument(source);
    for (const part of allParts(doc)) part.headers.get("Content-Type");
    textBodyPart(doc)?.setText("new");
    addAttachmentPart(doc, file());
    doc.splices();
    return source.bytesRead / bytes.length;
  }

  test("by the number of parts", () => {
    for (const parts of [10, 100, 1000, 9000]) expect(readPerByte(multipart(parts, 100))).toBeLessThan(3);
  });

  test("by the size of a part", () => {
    for (const size of [100, 10_000, MEBIBYTE]) expect(readPerByte(multipart(2, size))).toBeLessThan(3);
  });
});

describe("new bytes", () => {
  /** One multipart in another for each part, and a part that must be encoded in each. */
  const multiparts = (count: number): Buffer => {
    const text = `\u00e9 ${"-".repeat(70)}\r\n`.repeat(20);
    const inner = Array.from(
      { length: count },
      (_, at) =>
        `--o\r\nContent-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n\r\n${text}\r\n--b${at}--\r\n`,
    );
    return Buffer.from(`Content-Type: multipart/mixed; boundary=o\r\n\r\n${inner.join("")}--o--\r\n`);
  };

  function millisecondsFor(count: number): number {
    const message = multiparts(count);
    const start = performance.now();
    const { kind } = convertForTransport(message, {
      target: "7bit",
      hideIrregular: false,
      breakSignatures: false,
    });
    expect(kind).toBe("converted");
    return performance.now() - start;
  }

  test("are searched for the boundaries around them, not for those of all multiparts", () => {
    const few = millisecondsFor(300);
    expect(millisecondsFor(1200)).toBeLessThan(few * 9 + 200);
  });
});

describe("a new boundary", () => {
  test("is looked for in new bytes: a part that holds it gets another one", () => {
    const doc = open("Content-Type: text/plain\r\n\r\nhi\r\n");
    const part = file();
    addAttachmentPart(doc, part);
    const first = doc.root.boundary;
    part.setRawBody(Buffer.from(`--${first}\r\n\r\nsmuggled\r\n--${first}--\r\n`));
    const again = open(doc.toBuffer());
    expect(again.root.boundary).not.toBe(first);
    expect(structure(again.root)).toBe("mixed(text/plain,application/pdf)");
    expect(again.root.children[1]?.rawBody().toString()).toContain("smuggled");
  });

  test("that somebody else chose is looked for in the original as well", () => {
    const doc = open("Content-Type: text/plain\r\n\r\n--chosen\r\n\r\nhi\r\n");
    const mixed = doc.root.wrapIn("multipart/mixed");
    mixed.headers.set("Content-Type", "multipart/mixed; boundary=chosen");
    mixed.insertChild(-1, file());
    const again = open(doc.toBuffer());
    expect(again.root.boundary).not.toBe("chosen");
    expect(structure(again.root)).toBe("mixed(text/plain,application/pdf)");
  });
});
