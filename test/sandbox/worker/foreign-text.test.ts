// Scripts over text that is not ASCII, and not always what it says it is: nothing of it is lost, nothing of it becomes a header line.
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeUu } from "../../../src/sandbox/worker/content/uuencode.ts";
import { script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const SAVE = "msg.DataSource.Save();";

/** The message after the lines ran and saved it. */
async function saved(body: string, message: string | Buffer): Promise<Buffer> {
  const { outcome, bytes } = await worker.run(script(`${body}; ${SAVE}`), { message });
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  return bytes;
}

const head = (field: string): string =>
  `${field}\r\nSubject: hi\r\nContent-Disposition: attachmentčx; filename="č.txt"\r\n\r\ntext\r\n`;
const RAW = (name: string): string => `msg.Fields("urn:schemas:mailheader:${name}")`;
const EVIL = "Boss <a@example.com\u010aX-Evil: injected\u010aSubject: second>";

test.each([
  ["ReplyTo = From", `From: ${EVIL}`, "msg.ReplyTo = msg.From", EVIL],
  [
    "a raw field",
    `From: ${EVIL}`,
    `${RAW("reply-to")}.Value = ${RAW("from")}.Value; msg.Fields.Update()`,
    EVIL,
  ],
  ["an address", "From: x@y", 'msg.ReplyTo = "nov\u00e1\u010dkov\u00e1@example.cz"', "nováčková@example.cz"],
  ["a domain", "From: x@y", 'msg.ReplyTo = "\u7528\u6237@\u4f8b\u5b50.cn"', "用户@例子.cn"],
  ["a comment", "From: x@y", 'msg.ReplyTo = "a@b (\u010d\u010a)"', "a@b (=?UTF-8?Q?=C4=8D=C4=8A?=)"],
])("H01 text outside ASCII stays one field: %s", async (_what, from, code, replyTo) => {
  const after = await saved(code, Buffer.from(head(from)));
  expect(after.toString("utf8")).toBe(
    head(from).replace(
      "\r\n\r\n",
      `\r\n${code.includes("Fields") ? "reply-to" : "Reply-To"}: ${replyTo}\r\n\r\n`,
    ),
  );
});

test("H04 an address of the message survives its edit", async () => {
  const after = await saved('msg.To += ", copy@example.com"', Buffer.from(head("To: žižka@localhost")));
  expect(after.toString("utf8")).toBe(head("To: žižka@localhost, copy@example.com"));
});

test("H01 the first word of a disposition keeps its bytes", async () => {
  const value = `${RAW("content-disposition")}.Value += "; x=\u010a"; msg.Fields.Update()`;
  const after = await saved(value, Buffer.from(head("From: a@b")));
  expect(after.toString("utf8")).toContain(
    "Content-Disposition: attachmentčx; filename*=utf-8''%C4%8D.txt;\r\n x*=utf-8''%C4%8A\r\n\r\n",
  );
});

/** "Привет" in windows-1251. */
const HELLO = "\xcf\xf0\xe8\xe2\xe5\xf2";
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

test.each([
  ["no charset", "Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit"],
  ["an unknown charset", "Content-Type: text/html; charset=x-unknown\r\nContent-Transfer-Encoding: 8bit"],
  ["us-ascii", "Content-Type: text/html; charset=us-ascii\r\nContent-Transfer-Encoding: 8bit"],
  ["no charset, encoded", "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable"],
])("the bytes of a text with %s survive its edit", async (what, type) => {
  const hello = what.endsWith("encoded") ? "=CF=F0=E8=E2=E5=F2" : HELLO;
  const message = bytes(`From: a@b\r\nMIME-Version: 1.0\r\n${type}\r\n\r\n<body>${hello}</body>\r\n`);
  const after = await saved(`msg.HTMLBody = msg.HTMLBody.replace("</body>", "<p>D</p></body>")`, message);
  expect(after.toString("latin1")).toBe(message.toString("latin1").replace("</body>", "<p>D</p></body>"));
});

test("the bytes of a text that is no 7bit, as it says, are encoded and not changed", async () => {
  const message = bytes(`From: a@b\r\nContent-Type: text/plain\r\n\r\nsays: ${HELLO} and more\r\n`);
  const after = await saved(`msg.TextBody += "D"`, message);
  expect(after.toString("latin1")).toContain("\r\n\r\nsays: =CF=F0=E8=E2=E5=F2 and more\r\nD\r\n");
  expect(after.toString("latin1")).toContain("Content-Type: text/plain\r\n");
});

test.each([
  ["Subject", `msg.Subject = "[x] " + msg.Subject`],
  ["X-Note", `const f = ${RAW("x-note")}; f.Value = "[x] " + f.Value; msg.Fields.Update()`],
  ["From", `msg.From = "[x] " + msg.From`],
])("the raw 8-bit bytes of %s survive its edit", async (name, code) => {
  const after = await saved(code, bytes(`${name}: ${HELLO} <a@b>\r\n\r\n`));
  expect(after.toString("latin1")).toBe(`${name}: [x] ${HELLO} <a@b>\r\n\r\n`);
});

/** Quotation marks and a dash of windows-1252, as they are sent under other names. */
const QUOTED = "\x84Zitat\x93 \x96 gr\xfcn";

test.each([
  ["iso-8859-1", "Content-Type: text/plain; charset=iso-8859-1"],
  ["no charset", "Content-Type: text/plain"],
])(
  "typographic characters in %s are read as everybody shows them and survive an edit",
  async (_what, type) => {
    const message = bytes(
      `From: a@b\r\nSubject: ${QUOTED}\r\nMIME-Version: 1.0\r\n${type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${QUOTED}\r\n`,
    );
    const { outcome } = await worker.run(script("console.log(msg.TextBody + msg.Subject)"), { message });
    expect(outcome.logs[0]?.text).toBe("„Zitat“ – grün „Zitat“ – grün");
    const plain = await saved(`msg.TextBody += "D"; msg.Subject = "[x] " + msg.Subject`, message);
    expect(plain.toString("latin1")).toBe(
      message.toString("latin1").replace("Subject: ", "Subject: [x] ").concat("D\r\n"),
    );
    const other = (await saved(`msg.TextBody += "€"`, message)).toString("utf8");
    expect(other).toContain("Content-Type: text/plain; charset=utf-8\r\n");
    expect(other).toContain("\r\n\r\n„Zitat“ – grün\r\n€\r\n");
  },
);

test("UTF-8 under a charset that nobody knows is read and edited as UTF-8", async () => {
  const message = Buffer.from(
    "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset='utf-8'\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrün\r\n",
  );
  const after = (await saved(`msg.TextBody += "grün"`, message)).toString("utf8");
  expect(after).toBe(message.toString("utf8").replace("'utf-8'", "utf-8").concat("grün\r\n"));
});

test("a text of other characters than its bytes are read as becomes UTF-8", async () => {
  const message = bytes(`From: a@b\r\nSubject: ${HELLO}\r\nContent-Type: text/plain\r\n\r\n${HELLO}\r\n`);
  const after = await saved(`msg.TextBody += "€"; msg.Subject += "€"`, message);
  expect(after.toString("latin1")).toMatch(/\r\nSubject: =\?UTF-8\?Q\?/);
  expect(after.toString("latin1")).toContain("Content-Type: text/plain; charset=utf-8\r\n");
});

test.each([
  ["8bit", "Subject: \\u00e9\\r\\n\\r\\n"],
  ["binary", "Subject: \\u00e9\\n\\n"],
])("a message in a part is never encoded: %s", async (encoding, inner) => {
  const message = bytes("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\n");
  const code = `const s = msg.BodyPart.GetDecodedContentStream(); s.Position = 0; s.SetEOS();
    s.Write(new Uint8Array([..."${inner}"].map((character) => character.charCodeAt(0)))); s.Flush()`;
  const after = await saved(code, message);
  expect(after.toString("latin1")).toBe(
    `MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${JSON.parse(`"${inner}"`)}`,
  );
});

test.each(["uuencode", "x-uuencode"])("a text in %s is read and edited as what it says", async (encoding) => {
  const message = bytes(
    `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${encodeUu(bytes("gr\xfcn\r\n"), "a").toString("latin1")}`,
  );
  const { outcome } = await worker.run(script("console.log(JSON.stringify(msg.TextBody))"), { message });
  expect(outcome.logs[0]?.text).toBe(JSON.stringify("grün\r\n"));
  const after = await saved("msg.TextBody += 'D'", message);
  expect(after.toString("latin1")).toContain(
    "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FCn\r\nD\r\n",
  );
});
