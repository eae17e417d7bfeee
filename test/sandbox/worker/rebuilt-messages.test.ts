// Messages that a script takes apart and builds anew by hand, through body parts and their header fields.
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const PLAIN = "From: ann@example.com\r\nSubject: plain\r\n\r\nhello\r\n";
const ALTERNATIVE =
  'From: ann@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="a"\r\n\r\n' +
  "--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n" +
  "--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--\r\n";
const WRITE = `const write = (part, type, text) => { part.ContentMediaType = type; const s = part.GetDecodedContentStream(); s.WriteText(text); s.Flush(); };`;

async function after(message: string, code: string): Promise<{ bytes: Buffer; logs: string[] }> {
  const { outcome, bytes } = await worker.run(script(`${WRITE} ${code}; msg.DataSource.Save()`), { message });
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  return { bytes, logs: outcome.logs.map(({ text }) => text) };
}

describe("a multipart whose parts are all deleted", () => {
  const EMPTIED = "msg.BodyPart.BodyParts.DeleteAll(); console.log(msg.BodyPart.BodyParts.Count);";

  test("has none, and goes out with an empty one", async () => {
    const { bytes, logs } = await after(ALTERNATIVE, `${EMPTIED} console.log(msg.TextBodyPart)`);
    expect(logs).toEqual(["0", "null"]);
    expect(bytes.toString()).toMatch(
      /\r\n\r\n--a\r\nContent-Type: text\/plain; charset=us-ascii\r\n\r\n\r\n--a--\r\n$/,
    );
  });

  test("is built anew of those that are added", async () => {
    const { bytes } = await after(
      ALTERNATIVE,
      `${EMPTIED} write(msg.BodyPart.AddBodyPart(), "text/plain", "new text"); write(msg.BodyPart.AddBodyPart(), "text/html", "<p>new html")`,
    );
    const { text, html } = await simpleParser(bytes);
    expect([text, html]).toEqual(["new text", "<p>new html"]);
    expect(bytes.toString().match(/^Content-Type: .*/gm)).toHaveLength(3);
  });

  test("takes new bodies in their place", async () => {
    const { bytes } = await after(
      ALTERNATIVE,
      `${EMPTIED} msg.TextBody = "new text"; msg.HTMLBody = "<p>new html"`,
    );
    expect(bytes.toString().match(/^Content-Type: [^;\r]*/gm)).toEqual([
      "Content-Type: multipart/alternative",
      "Content-Type: text/plain",
      "Content-Type: text/html",
    ]);
  });

  test("and one that never got any goes out with an empty one, too", async () => {
    const { bytes } = await after(
      "From: a@x.test\r\n\r\n",
      `msg.BodyPart.ContentMediaType = "multipart/mixed"`,
    );
    expect(bytes.toString()).toMatch(
      /\r\n\r\n--(.+)\r\nContent-Type: text\/plain; charset=us-ascii\r\n\r\n\r\n--\1--\r\n$/,
    );
  });
});

describe("a transfer encoding that is written as a header field", () => {
  const FIELD = `const f = msg.TextBodyPart.Fields("urn:schemas:mailheader:content-transfer-encoding");`;

  test.each(["base64", "8bit", "Quoted-Printable", "uuencode"])(
    "%s encodes the content that is there anew",
    async (encoding) => {
      const { logs } = await after(
        ALTERNATIVE,
        `${FIELD} f.Value = "${encoding}"; msg.TextBodyPart.Fields.Update(); console.log(msg.TextBodyPart.ContentTransferEncoding, msg.TextBody)`,
      );
      expect(logs).toEqual([`${encoding.toLowerCase()} Grüße`]);
    },
  );

  test("is the one in which other readers find the text", async () => {
    const { bytes } = await after(
      ALTERNATIVE,
      `${FIELD} f.Value = "base64"; msg.TextBodyPart.Fields.Update()`,
    );
    expect((await simpleParser(bytes)).text).toBe("Grüße");
  });

  test("that a multipart cannot have is refused as by the property, and nothing of the same Update is kept", async () => {
    const { bytes, logs } = await after(
      ALTERNATIVE,
      `const f = msg.Fields, set = (name, value) => { f("urn:schemas:mailheader:" + name).Value = value; }, update = () => { try { f.Update(); console.log("kept"); } catch (e) { console.log(e.name); f.CancelUpdate(); } };
      set("content-transfer-encoding", "base64"); update(); set("x-a", "1"); set("content-transfer-encoding", "quoted-printable"); update(); set("content-transfer-encoding", "8bit"); update()`,
    );
    expect(logs).toEqual([
      "CDO_E_INVALID_ENCODING_FOR_MULTIPART",
      "CDO_E_INVALID_ENCODING_FOR_MULTIPART",
      "kept",
    ]);
    expect(bytes.toString()).toBe(
      ALTERNATIVE.replace('boundary="a"', 'boundary="a"\r\nContent-Transfer-Encoding: 8bit'),
    );
  });

  test.each([
    ["content-type", "content-transfer-encoding"],
    ["content-transfer-encoding", "content-type"],
  ])("is that of the type that is written in the same Update: first %s, then %s", async (...names) => {
    const values = { "content-type": "text/plain; charset=utf-8", "content-transfer-encoding": "base64" };
    const { bytes } = await after(
      ALTERNATIVE,
      `for (const name of ${JSON.stringify(names)}) msg.Fields("urn:schemas:mailheader:" + name).Value = ${JSON.stringify(values)}[name];
      msg.Fields.Update(); msg.TextBody = "Grüße"`,
    );
    expect(bytes.toString()).toMatch(/^Content-Transfer-Encoding: base64\r$/m);
    expect((await simpleParser(bytes)).text).toBe("Grüße\n");
  });

  test.each([
    ["the message", "msg.Fields", "text/plain", "base64\\r\\nX-A: 1", "CDO_E_BAD_DATA"],
    ["a part", "msg.TextBodyPart.Fields", "text/html", "base64\\0", "CDO_E_BAD_DATA"],
    [
      "what becomes a multipart",
      "msg.TextBodyPart.Fields",
      "multipart/mixed",
      "base64",
      "CDO_E_INVALID_ENCODING_FOR_MULTIPART",
    ],
  ])(
    "that is refused leaves %s without the type of the same Update",
    async (_what, fields, type, encoding, refusal) => {
      const { bytes, logs } = await after(
        ALTERNATIVE,
        `const f = ${fields}; f("urn:schemas:mailheader:content-type").Value = "${type}"; f("urn:schemas:mailheader:content-transfer-encoding").Value = "${encoding}";
        try { f.Update(); } catch (e) { console.log(e.name); f.CancelUpdate(); }`,
      );
      expect(logs).toEqual([refusal]);
      expect(bytes.toString()).toBe(ALTERNATIVE);
    },
  );

  test("that is there already, or that nobody knows, leaves the content alone", async () => {
    const { bytes } = await after(
      ALTERNATIVE,
      `${FIELD} f.Value = "quoted-printable"; msg.TextBodyPart.Fields.Update(); const h = msg.HTMLBodyPart.Fields; h("urn:schemas:mailheader:Content-Transfer-Encoding").Value = "x-own"; h.Update()`,
    );
    expect(bytes.toString()).toBe(
      ALTERNATIVE.replace("text/html\r\n", "text/html\r\nContent-Transfer-Encoding: x-own\r\n"),
    );
  });
});

test.each([
  ["the media type", `msg.BodyPart.ContentMediaType = "text/html"`],
  [
    "Content-Type as a field",
    `msg.Fields(cdoContentType).Value = "text/html; charset=utf-8"; msg.Fields.Update()`,
  ],
  ["the encoding as a field", `msg.Fields(cdoContentTransferEncoding).Value = "base64"; msg.Fields.Update()`],
  ["a part of the body", `write(msg.BodyPart.AddBodyPart(1), "text/plain", "first")`],
])("%s makes a message MIME, which says so", async (_what, code) => {
  const { bytes } = await after(PLAIN, code);
  expect(bytes.toString()).toContain("\r\nMIME-Version: 1.0\r\n");
});
