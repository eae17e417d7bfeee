// A body that a script has read is kept on both sides of the isolate: whatever is edited then, the next look shows it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALTERNATIVE, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const MESSAGES = { plain: MESSAGE, alternative: ALTERNATIVE } as const;

const EDITS: readonly string[] = [
  `msg.TextBody = "new\\ntext"`,
  `msg.TextBody += "more"; msg.TextBody += "and more"`,
  `msg.HTMLBody = "<b>new</b>"`,
  `msg.HTMLBody = "<b>new</b>"; msg.TextBody = "new"`,
  `msg.TextBody = ""`,
  `msg.BodyPart.ContentMediaType = "text/html"`,
  `msg.TextBodyPart.ContentMediaType = "text/html"`,
  `msg.TextBodyPart.Charset = "iso-8859-1"`,
  `const p = msg.TextBodyPart.Fields; p.Item("urn:schemas:mailheader:content-disposition").Value = "attachment"; p.Update()`,
  `const s = msg.TextBodyPart.GetDecodedContentStream(); s.WriteText("from the stream"); s.Flush()`,
  `const s = msg.GetStream(); s.Position = 0; s.SetEOS(); s.WriteText("Subject: other\\r\\n\\r\\nother"); s.Flush()`,
  `msg.MimeFormatted = false`,
  `msg.BodyPart.AddBodyPart(1)`,
  `while (msg.BodyPart.BodyParts.Count > 1) msg.BodyPart.BodyParts.Delete(1)`,
  `msg.Attachments.DeleteAll()`,
];

async function bodiesAfter(message: string, code: string): Promise<string> {
  const show = "console.log(JSON.stringify([msg.TextBody, msg.HTMLBody]))";
  const source = script(`try { ${code} } catch (error) { console.log(error.message) } ${show}`);
  const { outcome } = await worker.run(source, { message });
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  return outcome.logs
    .filter(({ level }) => level === "info")
    .map(({ text }) => text)
    .join("\n");
}

describe.each(Object.entries(MESSAGES))("bodies of a %s message", (_name, message) => {
  test.each(EDITS)("are read anew after %s", async (edit) => {
    const unread = await bodiesAfter(message, edit);
    expect(await bodiesAfter(message, `msg.TextBody; msg.HTMLBody; msg.HTMLBody; ${edit}`)).toBe(unread);
  });
});

test("a kept body does not outlive its call", async () => {
  const source = script(
    `if (globalThis.kept) { try { kept.TextBody } catch (error) { console.log(error.name) } }
    globalThis.kept = msg; msg.TextBody; console.log(msg.TextBody.trim())`,
  );
  await worker.run(source, { message: "Subject: a\r\n\r\nfirst\r\n" });
  const { outcome } = await worker.run(source, { message: "Subject: b\r\n\r\nsecond\r\n" });
  expect(outcome.logs.map(({ text }) => text)).toEqual(["CDO_E_INACTIVE", "second"]);
});
