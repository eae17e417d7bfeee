import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { openFiringFile } from "../../../../src/composition/bindings/firing-file.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SinkChain, createDispatcher } from "../../../../src/events/dispatcher.ts";
import { Content } from "../../../../src/message/content.ts";
import { MailMsg } from "../../../../src/message/mail-msg.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { type LogLine, nativeSink, recordingLog } from "../../transport/transport-house.ts";

const clock = new ManualClock();
const message = (): MailMsg =>
  new MailMsg(
    "ID",
    { via: "smtp", arrivalTime: clock.now(), server: "default" },
    { sender: "a@example.com", recipients: [{ address: "b@example.com" }] },
    Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
  );

async function fire(file: string, times: number, maxFirings: number | undefined): Promise<number> {
  let called = 0;
  const sink = nativeSink(
    () => {
      called += 1;
    },
    { id: "{ONE}", maxFirings },
  );
  const firings = await openFiringFile(file, silentLogger);
  const dispatcher = createDispatcher<string>({
    runScripts: () => Promise.reject(new Error("no scripts")),
    firings,
    clock,
    log: silentLogger,
  });
  const chain = new SinkChain<string>([sink]);
  for (let index = 0; index < times; index += 1) {
    await dispatcher.dispatch(chain, message());
    dispatcher.settleCalls(message().id, false);
  }
  await firings.flush();
  return called;
}

test("a binding that used up its firings stays dead after a restart", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "firings.json");
  expect(await fire(file, 2, 3)).toBe(2);
  expect(await fire(file, 2, 3)).toBe(1);
  expect(await fire(file, 2, 3)).toBe(0);
  expect(await fire(file, 2, 4)).toBe(1);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ "{ONE}": 4 });
});

test("bindings without a limit write nothing", async () => {
  await using folder = await tempFolder();
  expect(await fire(path.join(folder.path, "firings.json"), 5, undefined)).toBe(5);
  expect(await fire(path.join(folder.path, "firings.json"), 5, -1)).toBe(5);
  expect(await readdir(folder.path)).toEqual([]);
});

test("a damaged file is said and counts begin anew", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "firings.json");
  const lines: LogLine[] = [];
  await writeFile(file, '{"{ONE}": 1');
  expect((await openFiringFile(file, recordingLog(lines))).get("{ONE}")).toBeUndefined();
  expect(lines.map((line) => line.level)).toEqual(["error"]);
  await writeFile(file, '{"{ONE}": "many", "{TWO}": 2}');
  const firings = await openFiringFile(file, silentLogger);
  expect([firings.get("{ONE}"), firings.get("{TWO}")]).toEqual([undefined, 2]);
});

test("a folder that is gone is said, and the count goes on in memory", async () => {
  const lines: LogLine[] = [];
  const firings = await openFiringFile("/nonexistent/firings.json", recordingLog(lines));
  firings.set("{ONE}", 1);
  await firings.flush();
  expect(firings.get("{ONE}")).toBe(1);
  expect(lines.map((line) => line.level)).toEqual(["error"]);
});
