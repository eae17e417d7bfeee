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
