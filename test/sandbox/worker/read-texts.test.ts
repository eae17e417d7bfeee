// What a script has read is kept in the isolate: whatever is edited then, the next look shows it.
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

const LOOK = "JSON.stringify([msg.Subject, msg.From, msg.To])";

async function headersOf(message: string, code = ""): Promise<unknown> {
  const { outcome } = await worker.run(script(`${code}; console.log(${LOOK})`), { message });
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  return JSON.parse(outcome.logs.find(({ level }) => level === "info")?.text ?? "null");
}

const setField = (name: string, value: string): string =>
  `msg.Fields.Item("urn:schemas:mailheader:${name}").Value = "${value}"; msg.Fields.Update()`;

describe("Subject, From and To", () => {
  const message = "Subject: a\r\nFrom: b@example.com\r\nTo: c@example.com\r\n\r\nbody\r\n";

  test.each([
    [`msg.Subject = "new"`, ["new", "b@example.com", "c@example.com"]],
    [setField("from", "new@example.com"), ["a", "new@example.com", "c@example.com"]],
    [`msg.To = ""`, ["a", "b@example.com", ""]],
    [
      `const s = msg.GetStream(); s.Position = 0; s.SetEOS(); s.WriteText("To: x\\r\\n\\r\\n"); s.Flush()`,
      ["", "", "x"],
    ],
  ])("are read anew after %s", async (edit, expected) => {
    expect(await headersOf(message, `${LOOK}; ${edit}`)).toEqual(expected);
  });

  test("are the same whether they are read together or one by one", async () => {
    const many = Array.from({ length: 200 }, (_, index) => `u${index}@example.com`).join(", ");
    expect(await headersOf(`Subject: a\r\nTo: ${many}\r\n\r\n`)).toEqual(["a", "", many]);
    expect(await headersOf("Subject: =?utf-8?Q?a=00b?=\r\nFrom: =?utf-8?Q?=C3=BC?= <b@c.d>\r\n\r\n")).toEqual(
      ["a\0b", "ü <b@c.d>", ""],
    );
  });

  test("do not outlive their call", async () => {
    const source = script(
      `if (globalThis.kept) { try { kept.Subject } catch (error) { console.log(error.name) } }
      globalThis.kept = msg; console.log(msg.Subject)`,
    );
    await worker.run(source, { message: "Subject: first\r\n\r\n" });
    const { outcome } = await worker.run(source, { message: "Subject: second\r\n\r\n" });
    expect(outcome.logs.map(({ text }) => text)).toEqual(["CDO_E_INACTIVE", "second"]);
  });
});

describe("the names of the fields", () => {
  const names = "[...msg.Fields].map((field) => field.Name.slice(23)).join()";

  test.each([
    [setField("x-new", "1"), "subject,x-a,x-new"],
    [`msg.Fields.Delete("urn:schemas:mailheader:x-a"); msg.Fields.Update()`, "subject"],
    [
      `const s = msg.GetStream(); s.Position = 0; s.SetEOS(); s.WriteText("X-Other: x\\r\\n\\r\\n"); s.Flush()`,
      "x-other",
    ],
  ])("are read anew after %s", async (edit, expected) => {
    const source = script(`${names}; msg.Fields.Count; ${edit}; console.log(${names}, msg.Fields.Count)`);
    const { outcome } = await worker.run(source, { message: "Subject: a\r\nX-A: 1\r\n\r\nbody\r\n" });
    expect(outcome.logs[0]?.text).toBe(`${expected} ${expected.split(",").length}`);
  });

  test("of a message that the script makes hold those that it gets when it is written out", async () => {
    const source = script(
      `const made = new ActiveXObject("CDO.Message"); made.Subject = "a"; const before = made.Fields.Count;
      made.GetStream(); console.log(before, made.Fields.Count > before)`,
    );
    expect((await worker.run(source)).outcome.logs[0]?.text).toBe("1 true");
  });
});

test("M05 a script that looks at each of 20,000 fields by its place, and iterates over them, is done in time", async () => {
  const fields = Array.from({ length: 20_000 }, (_, index) => `X-${100_000 + index}: v\r\n`).join("");
  const source = script(
    `let seen = 0;
    for (let i = 0; i < msg.Fields.Count; i++) if (msg.Fields(i).Value === "v") seen++;
    for (const field of msg.Fields) if (field.Value === "v") seen++;
    console.log(seen)`,
  );
  const { outcome } = await worker.run(source, {
    message: `${fields}\r\n`,
    limits: { timeoutMs: 8000, cpuMs: 8000, hostCalls: 1_000_000 },
  });
  expect(outcome).toMatchObject({ logs: [{ text: "40000" }] });
});
