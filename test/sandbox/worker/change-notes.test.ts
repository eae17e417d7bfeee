// What an effect log can say of a script: each committed edit and where it was made.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_CHANGE_NOTES } from "../../../runtime/contract.ts";
import { ALTERNATIVE, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

/** A script without imports goes as it is: its lines are those of the bundle. */
const lines = (...statements: string[]): string =>
  ["function onArrival(msg) {", ...statements, "}"].join("\n");

async function changes(source: string, message?: string): Promise<string[]> {
  const { outcome } = await worker.run(source, message === undefined ? {} : { message });
  expect(outcome.fault).toBeUndefined();
  return (outcome.changes ?? []).map(({ what, line, column }) => `${what} ${line}:${column}`);
}

describe("a committed edit has a note with its place", () => {
  test("setters, fields, envelope fields", async () => {
    expect(
      await changes(
        lines(
          "  msg.Subject = 'new';",
          "  msg.TextBody = 'text'; msg.HTMLBody = '<p>html</p>';",
          "  msg.Fields('urn:schemas:mailheader:x-test').Value = 'yes';",
          "  msg.Fields('urn:schemas:mailheader:date').Value = '';",
          "  msg.Fields.Update();",
          "  msg.EnvelopeFields(cdoRecipientList).Value = 'SMTP:x@example.net;';",
          "  msg.EnvelopeFields(cdoMessageStatus).Value = 0;",
          "  msg.EnvelopeFields.Update();",
          "  msg.DataSource.Save();",
        ),
      ),
    ).toEqual([
      "recipients 7:46",
      "status 8:46",
      "header Subject 2:15",
      "TextBody 3:16",
      "HTMLBody 3:39",
      "header x-test 4:53",
      "header date (removed) 5:51",
    ]);
  });

  test("parts, streams, names in another case, and edits inside of callbacks", async () => {
    expect(
      await changes(
        lines(
          "  msg.Attachments.Delete(1);",
          "  [1].forEach(() => { msg.subject = 'x' });",
          "  msg.BodyPart.AddBodyPart().ContentMediaType = 'text/csv';",
          "  const s = msg.TextBodyPart.GetDecodedContentStream();",
          "  s.WriteText('other'); s.SetEOS();",
          "  s.Flush();",
          "  msg.DataSource.Save();",
        ),
        ALTERNATIVE,
      ),
    ).toEqual(["Attachments 2:19", "header Subject 3:35", "BodyParts 4:16", "mediaType 4:47", "stream 7:5"]);
  });
});

describe("no note", () => {
  test("for what was not committed, taken back, or without effect", async () => {
    expect(await changes(lines("msg.Subject = 'lost'; msg.Fields(cdoTo).Value = 'x@y.example'"))).toEqual([]);
    expect(
      await changes(
        lines(
          "msg.Subject = 'kept';",
          "msg.DataSource.Save();",
          "msg.Subject = 'lost';",
          "msg.EnvelopeFields(cdoMessageStatus).Value = 2; msg.EnvelopeFields.CancelUpdate();",
        ),
      ),
    ).toEqual(["header Subject 2:13"]);
    expect(await changes(lines("msg.TextBody = msg.TextBody; msg.DataSource.Save()"))).toEqual([]);
    expect(await changes(lines("const m = new CDO.Message(); m.Subject = 'mine'; m.TextBody = 'x'"))).toEqual(
      [],
    );
  });

  test("from a call that failed", async () => {
    const { outcome } = await worker.run(
      lines("msg.Subject = 'x'; msg.DataSource.Save(); throw new Error('no')"),
    );
    expect(outcome.fault?.kind).toBe("throw");
    expect(outcome.changes).toBeUndefined();
  });
});

describe("bounds", () => {
  test("one hundred notes at most", async () => {
    const { outcome } = await worker.run(
      lines(
        "for (let i = 0; i < 300; i++) msg.Fields('urn:schemas:mailheader:x-' + i).Value = 'v';",
        "msg.Fields.Update(); msg.DataSource.Save();",
      ),
    );
    expect(outcome.fault).toBeUndefined();
    expect(outcome.changes).toHaveLength(MAX_CHANGE_NOTES);
    expect(outcome.changes?.every(({ what, line }) => what.startsWith("header x-") && line === 2)).toBe(true);
  });

  test("limits.changes refuses the call that commits more", async () => {
    const two = lines("msg.Subject = 'a'; msg.TextBody = 'b'; msg.DataSource.Save()");
    expect((await worker.run(two, { limits: { changes: 2 } })).outcome.changes).toHaveLength(2);
    const { outcome, message } = await worker.run(two, { limits: { changes: 1 } });
    expect(outcome.fault).toMatchObject({ kind: "limit", message: expect.stringContaining("changes (1)") });
    expect(message).not.toContain("Subject: a");
    const envelope = "msg.EnvelopeFields(cdoMessageStatus).Value = 2; msg.EnvelopeFields.Update();";
    const updated = await worker.run(lines(envelope + envelope), { limits: { changes: 1 } });
    expect(updated.outcome.fault?.kind).toBe("limit");
    expect(updated.outcome.status).toBeUndefined();
  });
});

test.each<[string, string, boolean]>([
  ["replaces Error.prepareStackTrace", "Error.prepareStackTrace = () => { throw 1 };", true],
  ["turns stack traces off", "Error.stackTraceLimit = 0;", true],
  ["makes the limit a getter that throws", trap("get() { throw 1 }, set() { throw 1 }"), false],
  ["makes the limit its own", trap("get: () => 1e9, set() {}"), false],
  ["freezes Error", "Object.freeze(Error);", false],
  ["replaces Error", "globalThis.Error = class extends Error { get stack() { throw 1 } };", true],
  [
    "replaces Reflect.set and the array's iterator",
    "Reflect.set = null; Array.prototype[Symbol.iterator] = null;",
    true,
  ],
])("X: a script that %s gets no fault, and keeps its own error stacks", async (_title, first, known) => {
  const { outcome } = await worker.run(lines(first, "msg.Subject = 'x'; msg.DataSource.Save();"));
  expect(outcome.fault).toBeUndefined();
  expect(outcome.changes?.map(({ what }) => what)).toEqual(["header Subject"]);
  if (known) expect(outcome.changes?.[0]?.line).toBe(3);
});

function trap(accessors: string): string {
  return `Object.defineProperty(Error, 'stackTraceLimit', { ${accessors} });`;
}

test("the stack limit of a script stays its own", async () => {
  const { outcome } = await worker.run(
    lines(
      "Error.stackTraceLimit = 3; msg.Subject = 'x'; console.log(Error.stackTraceLimit, typeof new Error('e').stack, typeof Error.prepareStackTrace)",
    ),
  );
  expect(outcome.logs[0]?.text).toBe("3 string undefined");
});
