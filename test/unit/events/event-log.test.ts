// Lines of the log with event ids, and the sinks of EventLog that see them.
import { globSync, readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { EventLog, LOGGED_EVENTS, type LogEntry } from "../../../src/events/event-log.ts";
import { SystemSinks } from "../../../src/events/system-chain.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { type LogLine, recordingLog, systemChain } from "../transport/transport-house.ts";

function started(...sinks: ((entry: LogEntry) => void)[]): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const events = new EventLog(systemClock);
  const log = events.watched(recordingLog(lines));
  const parts = { clock: systemClock, log, sinkDeadlineMs: 0 };
  events.use(systemChain("EventLog", sinks), new SystemSinks(parts));
  return { log, lines };
}

test("every listed text is that of a line which the service writes, and ids and names are given once", () => {
  const sources = globSync("src/**/*.ts")
    .filter((file) => !file.endsWith("event-log.ts"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  expect(Object.keys(LOGGED_EVENTS).filter((text) => !sources.includes(`"${text}"`))).toEqual([]);
  const events = Object.values(LOGGED_EVENTS);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  expect(new Set(events.map(({ name }) => name)).size).toBe(events.length);
});

test("a listed line carries its id, others do not, and sinks see listed ones with the fields of their logger", () => {
  const seen: LogEntry[] = [];
  const { log, lines } = started((entry) => void seen.push(entry));
  log.child({ server: "edge" }).warn({ nextHop: "far.example" }, "next hop cannot be reached");
  log.info({ message: "ID1" }, "recipient done");
  expect(lines.map(({ fields }) => fields["eventId"])).toEqual([1300, undefined]);
  expect(seen).toMatchObject([
    { id: 1300, name: "queueStuck", severity: "warn", fields: { server: "edge", nextHop: "far.example" } },
  ]);
});

test("a sink leaves a line out; one that fails, or logs itself, ends in no circle", () => {
  const { log, lines } = started(
    (entry) => {
      log.error({}, "the store could not write");
      if (entry.name === "diskLow") throw new Error("broken");
    },
    (entry) => {
      entry.isWritten = entry.name !== "configurationReloaded";
    },
  );
  log.info({}, "configuration reloaded");
  log.error({}, "no mail is taken: the disk is full or cannot be looked at");
  expect(lines.map(({ message }) => message)).toEqual([
    "the store could not write",
    "the store could not write",
    "sink failed; its changes are dropped",
    "no mail is taken: the disk is full or cannot be looked at",
  ]);
});

test("a sink with too many open promises is passed over until some are settled or late; the log says so once", async () => {
  const clock = new ManualClock();
  const lines: LogLine[] = [];
  const events = new EventLog(clock);
  const log = events.watched(recordingLog(lines));
  const promises: PromiseWithResolvers<void>[] = [];
  let calls = 0;
  const chain = systemChain("EventLog", [
    () => {
      const promised = Promise.withResolvers<void>();
      promises.push(promised);
      return promised.promise;
    },
    () => void (calls += 1),
  ]);
  events.use(chain, new SystemSinks({ clock, log, sinkDeadlineMs: 1000, maxOpenPromises: 3 }));
  const raise = (times: number): void => {
    for (let time = 0; time < times; time += 1) log.info({}, "configuration reloaded");
  };
  const aboutSink = (): unknown[] =>
    lines.filter(({ fields }) => fields["binding"] === "sink 1").map(({ fields }) => fields["fault"]);
  raise(5);
  expect([promises.length, calls]).toEqual([3, 5]);
  expect(aboutSink()).toEqual([undefined]);
  promises[0]?.resolve();
  promises[1]?.reject(new Error("the mailbox is gone"));
  await setImmediate();
  raise(5);
  expect([promises.length, calls]).toEqual([5, 10]);
  expect(aboutSink().slice(1)).toEqual(["the mailbox is gone"]);
  await clock.advance(1000);
  expect(aboutSink().slice(2)).toEqual(Array.from({ length: 3 }, () => "no answer within 1000 ms"));
  raise(1);
  expect(promises).toHaveLength(6);
});
