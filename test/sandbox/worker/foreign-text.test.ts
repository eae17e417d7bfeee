// Scripts over text that is not ASCII, and not always what it says it is: nothing of it is lost, nothing of it becomes a header line.
import { afterAll, beforeAll, expect, test } from "vitest";
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
