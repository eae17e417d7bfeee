// The scripts of docs/migrating-from-iis.md do what the page says of them, in a real sandbox.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Capabilities } from "../../../runtime/contract.ts";
import { compileScript } from "../../../src/sandbox/versions/compiler.ts";
import { ALTERNATIVE, type JobResult, MESSAGE, WorkerUnderTest } from "../worker/support.ts";

const page = readFileSync(new URL("../../../docs/migrating-from-iis.md", import.meta.url), "utf8");

/** By heading. */
const scripts = new Map(
  page.split(/^## /m).flatMap((section) => {
    const code = /^```js\n([\s\S]*?)^```/m.exec(section)?.[1];
    return code === undefined ? [] : [[section.split("\n", 1)[0] ?? "", code] as const];
  }),
);

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

interface Given {
  readonly message?: string;
  readonly recipients?: readonly string[];
  readonly sender?: string;
  readonly allow?: Capabilities;
}

const used = new Set<string>();

async function run(heading: string, given: Given = {}): Promise<JobResult> {
  used.add(heading);
  const {
    message = MESSAGE,
    recipients = ["bob@example.net"],
    sender = "ann@example.com",
    allow = {},
  } = given;
  const done = await worker.run(scripts.get(heading) ?? "", {
    message,
    envelope: { recipients, sender },
    call: { allow },
  });
  expect(done.outcome.fault).toBeUndefined();
  return done;
}

const texts = ({ outcome }: JobResult): string[] => outcome.logs.map((line) => line.text);

test("Disclaimer in both bodies", async () => {
  const { message } = await run("Disclaimer in both bodies", { message: ALTERNATIVE });
  expect(message).toContain("html text</p><hr><p>This message is confidential.</p></body>");
  expect(message).toMatch(/plain text\r\n-- \r\nThis message is confidential\./);
});

test("Catch-all mailbox", async () => {
  const caught = await run("Catch-all mailbox", { recipients: ["Ann@example.com", "nobody@example.com"] });
  expect(caught.outcome.recipients).toEqual(["Ann@example.com", "postmaster@example.com"]);
  expect(
    (await run("Catch-all mailbox", { recipients: ["bob@example.com"] })).outcome.recipients,
  ).toBeUndefined();
});

test("Keyword filter to Badmail", async () => {
  const filtered = await run("Keyword filter to Badmail", {
    message: ALTERNATIVE.replace("html text", "CASINO"),
  });
  expect(filtered.outcome).toMatchObject({ status: 3, verdict: 1 });
  expect((await run("Keyword filter to Badmail")).outcome.status).toBeUndefined();
});

test("Attachments by name", async () => {
  const done = await run("Attachments by name", { message: ALTERNATIVE });
  expect(done.message).not.toContain("run.exe");
  expect(done.message).toContain("table.csv");
  expect(texts(done)).toEqual(["attachment removed: run.exe"]);
});

test("Renaming an attachment", async () => {
  const { message } = await run("Renaming an attachment", { message: ALTERNATIVE });
  expect(message).toContain('Content-Disposition: attachment; filename="run.exe.blocked"');
  expect(message).toContain('name="run.exe.blocked"');
  const quoted = ALTERNATIVE.replaceAll('"run.exe"', '"a\\"run.exe"');
  expect((await run("Renaming an attachment", { message: quoted })).message).toContain(
    'filename="a_run.exe.blocked"',
  );
});

test("Journal: a recipient added per domain", async () => {
  const added = await run("Journal: a recipient added per domain");
  expect(added.outcome.recipients).toEqual(["bob@example.net", "journal@example.com"]);
  expect(added.message).toBe(MESSAGE);
  const other = await run("Journal: a recipient added per domain", { recipients: ["bob@example.org"] });
  expect(other.outcome.recipients).toBeUndefined();
});

test("Copying every message", async () => {
  const { outcome, message } = await run("Copying every message", { allow: { send: true } });
  expect(outcome.sent).toMatchObject([{ sender: "archive@example.com", recipients: ["audit@example.com"] }]);
  expect(message).toBe(MESSAGE);
});

test("Rewriting the whole message", async () => {
  expect((await run("Rewriting the whole message")).message).toBe(`X-Gateway: passed\r\n${MESSAGE}`);
});

test("Taking recipients over", async () => {
  const recipients = ["a@robots.example.com", "bob@example.net"];
  expect((await run("Taking recipients over", { recipients })).outcome.recipients).toEqual([
    "bob@example.net",
  ]);
  const all = await run("Taking recipients over", { recipients: ["a@robots.example.com"] });
  expect(all.outcome).toMatchObject({ recipients: [], status: 2 });
});

test("Spam score in a header", async () => {
  expect((await run("Spam score in a header")).message).toMatch(/^X-Spam-Score: 0\r$/m);
  const shouted = MESSAGE.replace(/^Subject: .*$/m, "Subject: Now!!!").replace(/^Message-ID.*\r\n/m, "");
  expect((await run("Spam score in a header", { message: shouted })).message).toMatch(/^X-Spam-Score: 3\r$/m);
});

test("Reading text in its charset", async () => {
  const message = Buffer.from(MESSAGE.replace("utf-8\r\n\r\nHello,", "koi8-r\r\n\r\n\u00f0\u00d2"), "latin1");
  const done = await worker.run(scripts.get("Reading text in its charset") ?? "", { message });
  used.add("Reading text in its charset");
  expect(texts(done)).toEqual(["koi8-r: Пр"]);
});

test("Autoresponder", async () => {
  const allow = { send: true };
  const answered = await run("Autoresponder", { allow });
  expect(answered.outcome.sent).toMatchObject([
    { sender: "office@example.com", recipients: ["ann@example.com"] },
  ]);
  expect((await run("Autoresponder", { allow, sender: "" })).outcome.sent).toBeUndefined();
  const list = { allow, message: `Precedence: list\r\n${MESSAGE}` };
  expect((await run("Autoresponder", list)).outcome.sent).toBeUndefined();
});

test("A line per message in the log", async () => {
  const done = await run("A line per message in the log");
  expect(texts(done)).toEqual(["2026-11-21T10:00:05.000Z ann@example.com SMTP:bob@example.net; Grüße"]);
});

test.each([...scripts])("%s compiles as a plain file", async (_heading, text) => {
  const cdoModule = new URL("../../../runtime/cdo/constants.ts", import.meta.url).pathname;
  expect(await compileScript({ folder: "/", name: "sink.js", text, cdoModule })).toMatchObject({
    kind: "compiled",
  });
});

test("every script of the page was run", () => {
  expect([...used].toSorted()).toEqual([...scripts.keys()].toSorted());
});
