// The sample scripts of scripts/ on messages they were written for.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ALTERNATIVE, type JobResult, MESSAGE, WorkerUnderTest } from "./support.ts";

const folder = new URL("../../../scripts/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const run = async (
  name: string,
  message: string,
  recipients: readonly string[] = ["x@localhost"],
): Promise<JobResult> => {
  const done = await worker.run(read(name), { message, envelope: { recipients } });
  expect(done.outcome.fault).toBeUndefined();
  expect(done.outcome.logs).toEqual([]);
  return done;
};

test.each(names)("%s is short and bound to a recipient at localhost", async (name) => {
  expect(read(name).split("\n").length).toBeLessThanOrEqual(31);
  const loaded = await worker.load(read(name), { inspectOnly: true });
  expect(loaded.fault).toBeUndefined();
  expect(loaded.binding).toMatchObject({ rule: expect.stringMatching(/^RCPT TO=\S+@localhost$/) });
});

test("disclaimer.ts writes into both bodies, before the end of the HTML", async () => {
  const { message } = await run("disclaimer.ts", ALTERNATIVE);
  expect(message).toMatch(/<hr>.*<\/small><\/p><\/body>/);
  expect(message).toMatch(/plain text\r\n-- \r\nThis message/);
  expect((await run("disclaimer.ts", MESSAGE)).message).toContain("This message is confidential");
});

test("block-attachments.ts removes by extension and says so in both bodies", async () => {
  const { message } = await run("block-attachments.ts", ALTERNATIVE);
  expect(message).toMatch(/\r\n\[Removed attachments: run\.exe\]\r\n/);
  expect(message).toContain("<p>[Removed attachments: run.exe]</p></body>");
  expect(message).not.toContain("TVqQ");
  expect(message).toContain("table.csv");
  expect((await run("block-attachments.ts", MESSAGE)).message).toBe(MESSAGE);
  const page = await run(
    "block-attachments.ts",
    ALTERNATIVE.replace("text/plain", "text/x-other").replaceAll("run.exe", "<run & go>.exe. "),
  );
  expect(page.message).toContain("<p>[Removed attachments: &lt;run &amp; go>.exe. ]</p></body>");
  expect(page.message).not.toContain("text/plain");
});

test("tag-subject.ts tags once", async () => {
  const tagged = await run("tag-subject.ts", MESSAGE.replace("Hello,", "Invoice"));
  expect(tagged.message).toMatch(/^Subject: \[invoice\] /m);
  expect(tagged.message).toContain("x-tagged-by: tag-subject");
  expect((await run("tag-subject.ts", tagged.message)).message).toBe(tagged.message);
  expect((await run("tag-subject.ts", MESSAGE)).message).toBe(MESSAGE);
});

test("catch-all.ts redirects the unknown and keeps the known", async () => {
  const { outcome, message } = await run("catch-all.ts", MESSAGE, [
    "who.catch-all@localhost",
    "ann@localhost",
  ]);
  expect(outcome.recipients).toEqual(["ann@localhost", "postmaster@localhost"]);
  // Who else gets the message may be a blind copy.
  expect(message).toContain("x-original-recipients: SMTP:who.catch-all@localhost\r\n");
});

test("journal.ts adds the journal once and changes no byte", async () => {
  const { outcome, message } = await run("journal.ts", MESSAGE, ["journaled@localhost"]);
  expect(outcome.recipients).toEqual(["journaled@localhost", "journal@localhost"]);
  expect(message).toBe(MESSAGE);
  expect(
    (await run("journal.ts", MESSAGE, ["journaled@localhost", "journal@localhost"])).outcome.recipients,
  ).toBeUndefined();
});

test("badmail-by-header.ts moves marked mail to Badmail", async () => {
  expect((await run("badmail-by-header.ts", `X-Spam-Flag: YES\r\n${MESSAGE}`)).outcome).toMatchObject({
    verdict: 1,
    status: 3,
  });
  expect((await run("badmail-by-header.ts", MESSAGE)).outcome.status).toBeUndefined();
});
