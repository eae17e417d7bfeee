// The processes of a pool come and go: starts that fail, replacements, deadlines, the end of the pool.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import type { CapabilityBroker } from "../../../src/sandbox/capabilities/broker-contract.ts";
import type { RunAnswer } from "../../../src/sandbox/script-host.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { callOf, createFixture, fakeProgram, requestOf } from "./pool-fixture.ts";

test.skipIf(process.platform === "win32")(
  "X36 messages are answered at once while it has given up, and not any more when one has come up",
  async () => {
    await using folder = await tempFolder();
    const wrapper = join(folder.path, "wrapper");
    const broken = join(folder.path, "broken");
    await writeFile(wrapper, `#!/bin/sh\n[ -e ${broken} ] && exit 1\nexec "$@"\n`, { mode: 0o755 });
    await writeFile(broken, "");
    const echo = (): Promise<RunAnswer> => fixture.runner.run(requestOf([callOf("echo")]));
    const asEnded: Promise<RunAnswer>[] = [];
    const log: Logger = {
      ...silentLogger,
      warn: (_fields: object, text: string) => {
        if (text === "a sandbox process ended" && isUp) asEnded.push(echo());
      },
    };
    let isUp = false;
    await using fixture = createFixture({ wrapper: [wrapper], log });
    const unavailable = {
      kind: "unavailable",
      message: expect.stringContaining("no sandbox process can be started: ended by exit code 1"),
    };
    expect((await echo()).outcomes[0]?.fault).toMatchObject(unavailable);
    expect(fixture.pool.figures).toMatchObject({ hasGivenUp: true, queued: 0 });
    const answer = echo();
    expect(fixture.pool.figures.queued).toBe(0);
    expect((await answer).outcomes[0]?.fault).toMatchObject(unavailable);
    await rm(broken);
    await eventually(() => !fixture.pool.figures.hasGivenUp, { what: "a process" });
    expect((await echo()).outcomes[0]?.fault).toBeUndefined();
    isUp = true;
    for (const pid of fixture.pool.pids) process.kill(pid, "SIGKILL");
    await eventually(() => asEnded.length > 0, { what: "the end of a process" });
    for (const { outcomes } of await Promise.all(asEnded)) expect(outcomes[0]?.fault).toBeUndefined();
  },
);

test("a process that ended is replaced before somebody needs it", async () => {
  await using fixture = createFixture();
  // The first message of a version runs where suspects do.
  for (let run = 0; run < 2; run += 1) await fixture.runner.run(requestOf([callOf("echo")]));
  await eventually(() => fixture.pool.figures.ready === 2, { what: "two processes" });
  const [pid] = fixture.pool.pids;
  process.kill(pid ?? Number.NaN, "SIGKILL");
  await eventually(() => fixture.pool.figures.ready === 2 && !fixture.pool.pids.includes(pid ?? 0), {
    what: "another",
  });
});

test("processes that end with nothing to do are started less and less often", async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, "ready-and-gone.cjs");
  const head = JSON.stringify({ type: "ready" });
  await writeFile(
    file,
    `const head = Buffer.from(${JSON.stringify(head)}); const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(8 + head.length, 0); prefix.writeUInt32LE(head.length, 4);
      require("node:fs").writeSync(3, Buffer.concat([prefix, head]));`,
  );
  const failures: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (fields: object) => void failures.push(fields) };
  const failed = (count: number): Promise<true> =>
    eventually(() => failures.length === count, { what: `${count} starts that failed` });
  const clock = new ManualClock();
  const program = { ...fakeProgram, file, readable: [folder.path] };
  await using fixture = createFixture({ program, log, clock });
  fixture.pool.warmUp();
  await failed(2);
  await clock.advance(40);
  await failed(3);
  for (const pauseMs of [80, 160]) {
    expect(failures.at(-1)).toMatchObject({ pauseMs });
    await clock.advance(pauseMs - 1);
    fixture.pool.warmUp();
    expect(fixture.pool.pids).toEqual([]);
    // One is started although nobody waits for it.
    await clock.advance(1);
    await failed(failures.length + 1);
  }
});

test("a process that does not come up is ended", async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, "silent.cjs");
  await writeFile(file, "setInterval(() => undefined, 1000);");
  const failures: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (fields: object) => void failures.push(fields) };
  const clock = new ManualClock();
  const program = { ...fakeProgram, file, readable: [folder.path] };
  await using fixture = createFixture({ program, log, clock });
  fixture.pool.warmUp();
  await clock.advance(9900);
  expect(failures).toEqual([]);
  await clock.advance(250);
  await eventually(() => failures.length === 2, { what: "its end" });
  expect(failures[0]).toMatchObject({ reason: "not ready within 10000 ms" });
});

test("an answer that lay unread while the service itself stood still is in time", async () => {
  const ends: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (fields: object) => void ends.push(fields) };
  const clock = new ManualClock();
  await using fixture = createFixture({ log, clock });
  await fixture.runner.run(requestOf([callOf("echo")]));
  const slow = fixture.runner.run(requestOf([callOf("slow")]));
  clock.setForward(60_000);
  await clock.advance(50);
  expect((await slow).outcomes[0]?.fault).toBeUndefined();
  expect(ends).toEqual([]);
});

test("stopping answers those, too, that wait until fewer wait in a process", async () => {
  const broker: CapabilityBroker = { perform: () => new Promise(() => undefined) };
  const fixture = createFixture({ waitingJobs: 1, broker });
  const limits = { ...callOf("waits").limits, timeoutMs: 60_000 };
  const waiting: Promise<RunAnswer>[] = [];
  // The first waits where suspects run.
  for (const count of [1, 2, 2]) {
    waiting.push(fixture.runner.run(requestOf([callOf("waits", { limits })])));
    await eventually(() => fixture.pool.figures.waiting === count, { what: `${count} that wait` });
  }
  expect(fixture.pool.figures.queued).toBe(1);
  await fixture.pool.stop();
  for (const { outcomes } of await Promise.all(waiting))
    expect(outcomes[0]?.fault).toMatchObject({ kind: "unavailable" });
});
