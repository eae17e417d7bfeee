// Answers that are larger than what the relay takes: the script hears of it, and the process goes on.
import { afterAll, beforeAll, expect, test } from "vitest";
import { MAX_ANSWER_HEAD_BYTES } from "../../../src/core/frames.ts";
import { requestsOf, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const LIMITS = {
  timeoutMs: 20_000,
  logBytes: 4 * MAX_ANSWER_HEAD_BYTES,
  logLines: 10_000,
  recipientsAdded: 100_000,
};
const SUBJECT = `msg.Subject = "changed"; msg.DataSource.Save();`;
const CHATTY = script(`for (let i = 0; i < 400; i++) console.log("\\u00e4".repeat(3900)); ${SUBJECT}`);
const CROWDED = script(`${SUBJECT}
  msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value =
    Array.from({ length: 40_000 }, (_, i) => "SMTP:" + "u".repeat(50) + i + "@example.com;").join("");
  msg.EnvelopeFields.Update();`);
const MODEST = script(`console.log("here"); msg.Organization = "modest"; msg.DataSource.Save();`);

test("a log that has no room is dropped and counted, and the changes count", async () => {
  const { outcomes, message } = await worker.run([CHATTY, MODEST], { limits: LIMITS });
  expect(outcomes[0]).toMatchObject({ verdict: 0, logs: [], logsDropped: 400 });
  expect(outcomes[1]?.logs).toEqual([{ level: "info", text: "here" }]);
  expect(message).toMatch(/Subject: changed\r\n[^]*Organization: modest\r\n/);
});

test("recipients that have no room are a fault of limits, and the next script sees nothing of them", async () => {
  const options = { limits: LIMITS, call: { continueOnFault: true } };
  const { outcomes, message } = await worker.run([CROWDED, MODEST], options);
  expect(outcomes[0]?.fault).toMatchObject({ kind: "limit", message: expect.stringContaining("recipients") });
  expect(outcomes[0]?.recipients).toBeUndefined();
  expect(outcomes[1]?.fault).toBeUndefined();
  expect(message).not.toContain("Subject: changed");
  expect(message).toContain("Organization: modest");
});

test("requests whose heads have no room are refused to the script, the others go out", async () => {
  const body = script(`let refused = 0;
    const asked = Array.from({ length: 100 }, () =>
      fetch("https://example.com/", { headers: { x: "y".repeat(30_000) } }).catch(() => { refused += 1; }));
    return Promise.all(asked).then(() => console.log(refused));`);
  const options = { limits: LIMITS, call: { allow: { fetch: ["https://example.com/"] } } };
  const calls = await worker.calls([body], options);
  const turn = await worker.start(Buffer.from("A: b\r\n\r\n"), calls, options);
  expect(requestsOf(turn).length).toBe(Math.floor(MAX_ANSWER_HEAD_BYTES / 30_200));
  await worker.abandon(turn.head.job);
});
