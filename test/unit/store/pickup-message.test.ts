import { describe, expect, test } from "vitest";
import { LineEnds, parsePickupMessage } from "../../../src/store/pickup-message.ts";
import type { PickupMessage, PickupRefusal } from "../../../src/store/pickup-message.ts";
import { parseAddresses } from "./pickup-samples.ts";

const parse = (text: string): PickupMessage | PickupRefusal =>
  parsePickupMessage(Buffer.from(text), parseAddresses, 3);

function convert(chunks: string[]): string {
  const lineEnds = new LineEnds();
  const converted = chunks.map((chunk) => lineEnds.convert(Buffer.from(chunk)).toString());
  return [...converted, lineEnds.end().toString()].join("");
}

/** Sender and recipients, or why the file is refused. */
function envelopeOf(text: string): string | string[] {
  const parsed = parse(text);
  if (parsed.kind === "refusal") return parsed.reason;
  return [parsed.envelope.sender, ...parsed.envelope.recipients.map(({ address }) => address)];
}

describe("the text of a Pickup file", () => {
  test("costs time that grows with its size only, whatever line it holds", () => {
    const startedAt = performance.now();
    const parsed = parse(`To: t@x.example\nFrom: f@x.example\nSubject: a${"\r".repeat(100_000)}b\n\nhi`);
    expect(parsed).toMatchObject({ kind: "message" });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  test("takes leading x-sender and x-receiver lines in any case, and they win over the header", () => {
    const text =
      "X-Receiver: <b@x.example>\nx-SENDER: a@x.example\nX-RECEIVER:c@x.example\nTo: z@x.example\nBcc: y@x.example\n\nhi";
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example", "c@x.example"]);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe(
      "To: z@x.example\r\nBcc: y@x.example\r\n\r\n",
    );
  });

  test("H07 leaves x-receiver lines behind another field alone", () => {
    const text = "From: a@x.example\nTo: b@x.example\nx-receiver: c@x.example\n\n";
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example"]);
  });

  test("uses Sender before From, To, Cc and Bcc, and takes the Bcc field out", () => {
    const text =
      "From: f@x.example\nSender: s@x.example\nTo: t@x.example,\n u@x.example\nBcc: hidden@x.example,\n other@x.example\nCc: T@x.example\n\n";
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual([
      "s@x.example",
      "T@x.example",
      "u@x.example",
      "hidden@x.example",
      "other@x.example",
    ]);
    expect(parsed.kind === "message" && parsed.header.toString()).not.toMatch(/hidden|other/);
  });

  test("takes from the header what the lines leave open, the sender and the recipients each for itself", () => {
    const header = "From: f@x.example\nTo: t@x.example\nBcc: h@x.example\n\nhi";
    expect(envelopeOf(`x-receiver: b@x.example\n${header}`)).toEqual(["f@x.example", "b@x.example"]);
    expect(envelopeOf(`x-sender: a@x.example\n${header}`)).toEqual([
      "a@x.example",
      "t@x.example",
      "h@x.example",
    ]);
    const parsed = parse(`x-sender: a@x.example\n${header}`);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe(
      "From: f@x.example\r\nTo: t@x.example\r\n\r\n",
    );
  });

  test("takes a message without header fields when the lines say from whom and to whom", () => {
    const lines = "x-sender: a@x.example\nx-receiver: b@x.example\n";
    const text = `${lines}\nSubject: of the body\n`;
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example"]);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe("\r\n");
    expect(parsed.kind === "message" && text.slice(parsed.bodyStart)).toBe("Subject: of the body\n");
    expect(envelopeOf(lines)).toEqual(["a@x.example", "b@x.example"]);
  });

  test("takes the null sender, and refuses what is not one mailbox", () => {
    expect(envelopeOf("x-sender: <>\nx-receiver: b@x.example\nTo: q\n\n")).toEqual(["", "b@x.example"]);
    expect(
      envelopeOf("x-sender: a@x.example\nx-receiver: b@x.example> NOTIFY=NEVER <c@d\nTo: q\n\n"),
    ).toMatch(/x-receiver/);
    expect(
      envelopeOf("x-sender: a@x.example\nx-receiver: b@x.example\rRCPT TO:<z@x.example>\nTo: q\n\n"),
    ).toMatch(/x-receiver/);
    expect(envelopeOf("x-sender: a@x.example\n x-receiver: b@x.example\nTo: q\n\n")).toMatch(/x-sender/);
    expect(envelopeOf("x-sender: a@x.example\nx-sender: b@x.example\nTo: q\n\n")).toMatch(/more than one/);
    expect(envelopeOf("x-receiver: b@x.example\nTo: q\n\n")).toMatch(/no sender/);
    expect(envelopeOf("x-sender: a@x.example\nFrom: q@x.example\n\n")).toMatch(/no recipient/);
    expect(envelopeOf('From: MAILER-DAEMON <>\nTo: "x" <>, t@x.example\n\n')).toEqual(["", "t@x.example"]);
    expect(envelopeOf('From: f@x.example\nTo: "x" <>\n\n')).toMatch(/no recipient/);
    expect(envelopeOf("just text")).toMatch(/no sender|no header/);
  });

  test("addresses in bytes that are no UTF-8 are refused; in other words of the header they do not matter", () => {
    const reasonOf = (text: string): unknown =>
      parsePickupMessage(Buffer.from(text, "latin1"), parseAddresses, 3);
    const to = "x-receiver: b@x.example\n";
    for (const [text, reason] of [
      [`x-sender: j\xf6@x.example\n${to}\n`, /^x-sender is not an address/],
      ["x-sender: a@x.example\nx-receiver: j\xf6@x.example\n\n", /^x-receiver is not an address/],
      ["From: a@x.example\nTo: j\xf6@x.example\n\n", /^the header has no usable address/],
    ] as const)
      expect(reasonOf(text)).toMatchObject({ reason: expect.stringMatching(reason) });
    expect(reasonOf(`From: J\xf6 <a@x.example>\nTo: b@x.example\n\n`)).toMatchObject({
      envelope: { sender: "a@x.example", recipients: [{ address: "b@x.example" }] },
    });
    expect(envelopeOf(`x-sender: jö@x.example\n${to}\n`)).toEqual(["jö@x.example", "b@x.example"]);
  });

  test("a byte order mark of UTF-8 is not part of the first field", () => {
    const text =
      "\ufeffReceived: by a.example\nReceived: by b.example\nReceived: by c.example\nFrom: a@x.example\nTo: b@x.example\n\nbody\n";
    const parsed = parse(text);
    expect(parsed.kind === "message" && parsed.header.toString("latin1", 0, 9)).toBe("Received:");
    expect(parsed.kind === "message" && Buffer.from(text).toString("utf8", parsed.bodyStart)).toBe("body\n");
    expect(envelopeOf("\ufeffx-sender: a@x.example\nx-receiver: b@x.example\n\n")).toEqual([
      "a@x.example",
      "b@x.example",
    ]);
    expect(envelopeOf(`\ufeffReceived: by d.example\n${text.slice(1)}`)).toMatch(/4 Received fields/);
  });

  test("UTF-16, a blank line in front and text without fields are refused by these names", () => {
    const text = "x-sender: a@x.example\nx-receiver: b@x.example\n\n";
    const little = Buffer.from(`\ufeff${text}`, "utf16le");
    for (const bytes of [little, Buffer.from(little).swap16()])
      expect(parsePickupMessage(bytes, parseAddresses, 3)).toMatchObject({
        reason: expect.stringMatching(/UTF-16/),
      });
    expect(envelopeOf(`\r\n${text}`)).toBe("the file begins with a blank line");
    expect(envelopeOf(`\ufeff\n${text}`)).toBe("the file begins with a blank line");
    expect(envelopeOf("just text")).toBe("the file has no header fields");
    expect(envelopeOf("\ufeffjust text")).toBe("the file has no header fields");
  });

  test("has CRLF line ends afterwards, however the chunks were cut", () => {
    expect(convert(["a\nb\r\nc\rd\n\n.\n"])).toBe("a\r\nb\r\nc\r\nd\r\n\r\n.\r\n");
    expect(convert(["a\r", "\nb\r", "c", "\n", "\r"])).toBe("a\r\nb\r\nc\r\n\r\n");
    expect(convert(["no end"])).toBe("no end\r\n");
    expect(convert([""])).toBe("");
  });
});
