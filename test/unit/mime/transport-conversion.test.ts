import { isAscii } from "node:buffer";
import { assert, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { bufferSource } from "../../../src/mime/source.ts";
import { MimeDocument } from "../../../src/mime/document.ts";
import { type ConversionWish, convertForTransport } from "../../../src/mime/transport-conversion.ts";
import { Content } from "../../../src/message/content.ts";

const SEVEN: ConversionWish = { target: "7bit", hideIrregular: false, breakSignatures: false };
const FROM_BINARY: ConversionWish = { target: "7bit", hideIrregular: true, breakSignatures: false };

async function converted(message: string | Buffer, wish: ConversionWish = SEVEN): Promise<string> {
  const bytes = typeof message === "string" ? Buffer.from(message) : message;
  const conversion = convertForTransport(bytes, wish);
  if (conversion.kind !== "converted") throw new Error(`not converted: ${JSON.stringify(conversion)}`);
  const content = Content.fromBuffer(bytes).splice(conversion.splices);
  return (await content.toBuffer()).toString("latin1");
}

const leaf = (message: string): Buffer =>
  new MimeDocument(bufferSource(Buffer.from(message, "latin1"))).root.decodedBody();

describe("conversion to 7 bits (RFC 6152)", () => {
  test("text of few 8-bit letters becomes quoted-printable, everything else of the message stays", async () => {
    const message =
      "Subject:  odd   spacing\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    const result = await converted(`${message}Content-Transfer-Encoding: 8bit\r\n\r\nGrüße.\r\n`);
    expect(result).toBe(`${message}Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe.\r\n`);
  });

  test("text that is mostly 8-bit becomes base64, because that is shorter", async () => {
    const result = await converted("Content-Type: text/plain; charset=utf-8\r\n\r\nпривет, мир\r\n");
    expect(result).toContain("Content-Transfer-Encoding: base64\r\n");
    expect(leaf(result).toString()).toBe("привет, мир\r\n");
  });

  test("8-bit parts that are no text become base64: their line ends are bytes like others", async () => {
    const bytes = Buffer.concat([
      Buffer.from("Content-Type: application/x-thing\r\n\r\nplain\r\nplain "),
      Buffer.of(0xff, 0x0d, 0x0a),
    ]);
    expect(await converted(bytes)).toContain("Content-Transfer-Encoding: base64");
  });

  test("only the parts with 8-bit bytes change, and multiparts are relabelled but never encoded", async () => {
    const result = await converted(
      [
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n",
        "preamble\r\n--b\r\ncontent-type:text/plain\r\n\r\nseven\r\n--b",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\né\r\n--b--",
        "epilogue\r\n",
      ].join("\r\n"),
    );
    expect(result).toBe(
      [
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n",
        "preamble\r\n--b\r\ncontent-type:text/plain\r\n\r\nseven\r\n--b",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--",
        "epilogue\r\n",
      ].join("\r\n"),
    );
  });

  test.each([
    ["signed", "Content-Type: multipart/signed; boundary=s", "--s\r\n\r\né\r\n--s\r\n\r\nx\r\n--s--"],
    ["of an unknown encoding", "Content-Transfer-Encoding: x-own", "é"],
    ["a part of one", "Content-Type: message/partial", "é"],
  ])(
    "a report returns the header of a message that is %s and cannot be converted",
    async (_, field, body) => {
      const inner = `Subject: h\xe9llo\r\n${field}\r\n`;
      const report = (returned: string): string =>
        `Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\n\r\nsorry\r\n--r\r\n${returned}\r\n--r--\r\n`;
      const whole = `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${inner}\r\n${body}`;
      const result = await converted(Buffer.from(report(whole), "latin1"));
      const header = inner.replace("boundary=", "boundary=3D").replace("\xe9", "=E9");
      expect(result).toBe(
        report(
          `Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${header}\r\n`,
        ),
      );
    },
  );

  test("a message inside the message is converted inside, not encoded (RFC 2045 §6.4)", async () => {
    const inner = "Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    const result = await converted(
      `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${inner}\r\né\r\n`,
    );
    expect(result).toBe(
      `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n${inner}Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n`,
    );
  });

  test("mail from before MIME says that its charset is not known (RFC 1428)", async () => {
    expect(await converted("Subject: old\r\n\r\né\r\n")).toBe(
      "Subject: old\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n\r\n=C3=A9\r\n",
    );
  });

  test("8-bit bytes among quoted-printable are quoted as well", async () => {
    const result = await converted("Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9 é\r\n");
    expect(leaf(result).toString()).toBe("é é\r\n");
    expect(isAscii(Buffer.from(result, "latin1"))).toBe(true);
  });

  test.each([
    ["a DKIM signature", "DKIM-Signature: v=1\r\nContent-Type: text/plain\r\n\r\né\r\n"],
    [
      "multipart/signed",
      "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n",
    ],
    [
      "multipart/encrypted in a forwarded message",
      "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b--\r\n",
    ],
  ])("%s is not broken unless that is wished for (N13)", async (_, message) => {
    expect(convertForTransport(Buffer.from(message), SEVEN)).toEqual({ kind: "protected" });
    expect(await converted(message, { ...SEVEN, breakSignatures: true })).toContain("=C3=A9");
  });

  test("8-bit parts beside a signed one are converted, and the signed one stays byte for byte", async () => {
    const signed =
      "--b\r\nContent-Type: multipart/signed; boundary=s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nseven\r\n--s--\r\n";
    const result = await converted(
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${signed}--b\r\n\r\né\r\n--b--\r\n`,
    );
    expect(result).toContain("--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nseven\r\n--s--\r\n");
    expect(result).toContain("=C3=A9");
  });

  test.each([
    ["an unknown transfer encoding", "Content-Transfer-Encoding: x-uuencode\r\n\r\né\r\n"],
    ["a delivery status", "Content-Type: message/delivery-status\r\n\r\nAction: é\r\n"],
    ["a multipart without a boundary", "Content-Type: multipart/mixed\r\n\r\né\r\n"],
    ["messages in messages without end (M03)", `${"Content-Type: message/rfc822\r\n\r\n".repeat(60)}é\r\n`],
  ])("%s cannot be converted", (_, message) => {
    expect(convertForTransport(Buffer.from(message), SEVEN)).toMatchObject({ kind: "impossible" });
  });

  /** Messages in messages, each with multiparts around the next one. */
  const nested = (messages: number, multiparts: number): string => {
    const start = (message: number, level: number): string =>
      `Content-Type: multipart/mixed; boundary=m${message}l${level}\r\n\r\n--m${message}l${level}\r\n`;
    const around = Array.from({ length: messages }, (_, message) =>
      Array.from({ length: multiparts }, (_level, level) => start(message, level)).join(""),
    );
    return `${around.join("Content-Type: message/rfc822\r\n\r\n")}Content-Type: text/plain\r\n\r\né\r\n`;
  };

  test("levels of multiparts and of messages count together (M02, M03)", async () => {
    expect(await converted(nested(12, 3))).toContain("=C3=A9");
    for (const message of [nested(4, 20), nested(1, 60), nested(60, 0)])
      expect(convertForTransport(Buffer.from(message), SEVEN)).toEqual({
        kind: "impossible",
        reason: "its parts are nested too deeply",
      });
  });

  test("message/global is encoded as a whole (RFC 6532)", async () => {
    const result = await converted("Content-Type: message/global\r\n\r\nSubject: é\r\n\r\nx\r\n");
    expect(result).toContain("quoted-printable\r\n");
    expect(result).toContain("Subject: =C3=A9");
  });

  test("any bytes come out in 7 bits and decode to what they were", () => {
    assert(
      property(uint8Array({ maxLength: 300 }), (text) => {
        const body = Buffer.from(text);
        const message = Buffer.concat([Buffer.from("Content-Type: text/plain; charset=utf-8\r\n\r\n"), body]);
        const conversion = convertForTransport(message, FROM_BINARY);
        if (conversion.kind !== "converted") return false;
        const result = Content.fromBuffer(message).splice(conversion.splices);
        const bytes = Buffer.concat(result.pieces.filter((piece) => Buffer.isBuffer(piece)));
        return isAscii(bytes) && new MimeDocument(bufferSource(bytes)).root.decodedBody().equals(body);
      }),
    );
  });
});

describe("conversion of BINARYMIME (RFC 3030 §3)", () => {
  const part = (type: string, body: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(`--b\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: binary\r\n\r\n`),
      body,
    ]);
  const bytes = Buffer.of(0x00, 0x0d, 0xff, 0x0a, 0x2e, 0x0a);
  const message = Buffer.concat([
    Buffer.from("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"),
    Buffer.from("Content-Transfer-Encoding: binary\r\n\r\n"),
    part("image/png", bytes),
    Buffer.from("\r\n"),
    part("text/plain", Buffer.from("lines\nof Unix\n")),
    Buffer.from("\r\n"),
    part("text/plain; charset=utf-8", Buffer.from("é\r\n")),
    Buffer.from("\r\n--b--\r\n"),
  ]);

  test("for an 8-bit host hides binary parts and stray line ends, and leaves 8-bit text with another label", async () => {
    const result = await converted(message, { ...FROM_BINARY, target: "8bit" });
    expect(result).toContain(`Content-Transfer-Encoding: base64\r\n\r\n${bytes.toString("base64")}\r\n`);
    expect(result).toContain("quoted-printable\r\n\r\nlines=0Aof Unix=0A");
    expect(result).toContain(`charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n`);
    expect(result).not.toContain("binary");
  });

  test("for a 7-bit host hides the 8-bit text as well", async () => {
    const result = await converted(message, FROM_BINARY);
    expect(isAscii(Buffer.from(result, "latin1"))).toBe(true);
    expect(result).not.toMatch(/binary|8bit/);
  });

  test("keeps a long line apart from line ends of its own", async () => {
    const long = "x".repeat(2000);
    const result = await converted(`Content-Type: text/html\r\n\r\n${long}\r\n`, FROM_BINARY);
    expect(Math.max(...result.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(76);
    expect(leaf(result).toString()).toBe(`${long}\r\n`);
  });
});
