// A pool whose processes cannot be started for a while.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import type { RunAnswer } from "../../../src/sandbox/script-host.ts";
import { eventually } from "../../support/eventually.ts";
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
  const pauses: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (fields: object) => void pauses.push(fields) };
  await using fixture = createFixture({ program: { ...fakeProgram, file, readable: [folder.path] }, log });
  fixture.pool.warmUp();
  await eventually(() => pauses.length >= 3, { what: "three starts that failed" });
  expect(pauses.slice(0, 3)).toMatchObject([20, 40, 80].map((pauseMs) => ({ pauseMs })));
});
