import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import type {
  CapabilityBroker,
  PerformedRequest,
} from "../../../src/sandbox/capabilities/broker-contract.ts";
import { eventually } from "../../support/eventually.ts";
import {
  callOf,
  createFixture,
  fakeProgram,
  type Fixture,
  MESSAGE,
  requestOf,
  taskOf,
} from "./pool-fixture.ts";

function isRunning(pid: number | undefined): boolean {
  try {
    return process.kill(pid ?? Number.NaN, 0);
  } catch {
    return false;
  }
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe("innocent messages", () => {
  test("X34 all get their outcome when one of the batch kills the process", async () => {
    await using fixture = createFixture();
    const answers = await Promise.all(
      times(40, (index) =>
        fixture.runner.run(
          requestOf([callOf("poison")], { messageId: index === 7 ? "poison" : `m${index}` }),
        ),
      ),
    );
    const faults = answers.map(({ outcomes }) => outcomes[0]?.fault?.kind);
    expect(faults.filter((kind) => kind === undefined)).toHaveLength(39);
    expect(faults[7]).toBe("crash");
  });

  test.each(["hang", "stop", "die", "swell"])(
    "X04 X08 X40 of other scripts go on beside a script that does: %s",
    async (behaviour) => {
      await using fixture = createFixture({ processes: 2, maxRssMb: 300 });
      const bad = fixture.runner.run(requestOf([callOf(behaviour)]));
      const good = await Promise.all(times(30, () => fixture.runner.run(requestOf([callOf("echo")]))));
      expect(good.every(({ outcomes }) => outcomes[0]?.fault === undefined)).toBe(true);
      const { fault } = (await bad).outcomes[0] ?? {};
      expect(fault).toMatchObject({ kind: "crash", script: `${behaviour}.js` });
      if (behaviour === "swell")
        expect(fault?.message).toMatch(
          /more than 300 MB of memory \(sandbox\.processMemoryMb\)|no answer within/,
        );
    },
  );

  test("X37 are answered when the process is killed from outside", async () => {
    await using fixture = createFixture();
    await fixture.runner.run(requestOf([callOf("slow")]));
    const running = times(5, () => fixture.runner.run(requestOf([callOf("slow")])));
    process.kill(fixture.pool.pids[0] ?? Number.NaN, "SIGKILL");
    const answers = await Promise.all(running);
    expect(answers.map(({ outcomes }) => outcomes[0]?.fault)).toEqual(times(5, () => undefined));
  });
});

describe("a run of several calls", () => {
  test("names the call that kills and keeps what the others did", async () => {
    await using fixture = createFixture();
    const calls = [callOf("tag"), callOf("die", { continueOnFault: true }), callOf("echo")];
    const { outcomes } = await fixture.runner.run(requestOf(calls));
    expect(outcomes.map((outcome) => outcome.fault?.kind)).toEqual([undefined, "crash", undefined]);
    expect(outcomes[0]?.splices?.[0]?.bytes.toString()).toBe("X-T: 1");
  });

  test("ends at the call that kills when its binding does not continue", async () => {
    await using fixture = createFixture();
    const { outcomes } = await fixture.runner.run(requestOf([callOf("echo"), callOf("die"), callOf("echo")]));
    expect(outcomes.map((outcome) => outcome.fault?.script)).toEqual([undefined, "die.js"]);
  });
});

describe("a process that lies", () => {
  const liars = createFixture();
  afterAll(() => liars.pool.stop());
  const lies = [
    "garbage",
    "giant",
    "fat-head",
    "other-job",
    "no-outcome",
    "ready-again",
    "proto",
    "status",
    "splice",
    "growth",
    "recipients",
    "crowd",
    "clear-screen",
    "turn-round",
    "turn-round-stack",
    "flood",
    "read-other",
    "read-beyond",
  ];
  test.each(lies)("X38 X39 is ended: %s", async (lie) => {
    const answer = await liars.pool.run(taskOf([callOf(lie)]), { alone: true });
    expect(answer.kind).toBe("crash");
    expect(await liars.pool.run(taskOf([callOf("echo")]))).toMatchObject({ kind: "outcomes" });
  });

  test("gains nothing by answering twice", async () => {
    await using fixture = createFixture();
    await fixture.runner.run(requestOf([callOf("twice")]));
    const { outcomes } = await fixture.runner.run(requestOf([callOf("echo")]));
    expect(outcomes[0]?.fault).toBeUndefined();
  });
});

describe("a process that has nothing to do", () => {
  test.each(["swell-idle", "spin-idle", "complain-idle"])(
    "X08 X40 is watched all the same: %s",
    async (behaviour) => {
      await using fixture = createFixture({ maxRssMb: 400 });
      const { outcomes } = await fixture.runner.run(requestOf([callOf(behaviour)]));
      expect(outcomes[0]?.fault).toBeUndefined();
      const [pid] = fixture.pool.pids;
      await eventually(() => !isRunning(pid), { timeoutMs: 55_000, what: "the end of the process" });
      const next = await fixture.runner.run(requestOf([callOf("echo")]));
      expect(next.outcomes[0]?.fault).toBeUndefined();
    },
  );

  test("may write a little to stderr with each answer", async () => {
    await using fixture = createFixture();
    const call = callOf("complain", { limits: { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 20_000 } });
    const complains = (): Promise<unknown> => fixture.runner.run(requestOf([call]));
    for (let run = 0; run < 2; run += 1) await complains();
    const { pids } = fixture.pool;
    for (let run = 0; run < 3; run += 1) await complains();
    expect(fixture.pool.pids).toEqual(pids);
  });
});

describe("content", () => {
  test("is sent as header block first, and whole to a version that reads bodies", async () => {
    await using fixture = createFixture();
    const first = await fixture.runner.run(requestOf([callOf("sizes")]));
    const second = await fixture.runner.run(requestOf([callOf("sizes")]));
    expect(first.outcomes[0]?.logs[0]?.text).toBe(`${MESSAGE.indexOf("\r\n\r\n") + 4}/${MESSAGE.length}`);
    expect(second.outcomes[0]?.logs[0]?.text).toBe(`${MESSAGE.length}/${MESSAGE.length}`);
  });

  test("of a file is read by the relay, of any size", async () => {
    const folder = await mkdtemp(join(tmpdir(), "content-"));
    try {
      await using fixture = createFixture();
      const path = join(folder, "1.eml");
      const body = Buffer.alloc(5 * 1024 * 1024, "0123456789abcde\n");
      await writeFile(path, Buffer.concat([Buffer.from("junk"), body]));
      const content = Content.fromFile(Buffer.from("A: b\r\n\r\n"), { path, offset: 4, length: body.length });
      const { outcomes } = await fixture.runner.run(requestOf([callOf("read")], { content }));
      expect(outcomes[0]?.logs[0]?.text).toBe(`${body.length}:${body.toString("latin1").slice(-8).trim()}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("that the store cannot read is the fault of neither the script nor the process", async () => {
    const errors: string[] = [];
    const log = { ...silentLogger, error: (_fields: object, text: string) => void errors.push(text) };
    await using fixture = createFixture({ log });
    const content = Content.fromFile(Buffer.from("A: b\r\n\r\n"), {
      path: join(tmpdir(), "does-not-exist"),
      offset: 0,
      length: 10,
    });
    const lost = times(6, () => fixture.runner.run(requestOf([callOf("read")], { content })));
    const other = fixture.runner.run(requestOf([callOf("read")]));
    for (const { outcomes } of await Promise.all(lost))
      expect(outcomes[0]?.fault).toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining("read.js: ENOENT"),
      });
    expect((await other).outcomes[0]?.fault).toBeUndefined();
    // After that the next ones would wait longer and longer for a process.
    expect(errors).not.toContain("a sandbox process did not start");
  });
});

describe("without a sandbox", () => {
  test.each([
    ["a program that is missing", { ...fakeProgram, file: join(tmpdir(), "missing.ts") }],
    ["a program that may not read itself", { ...fakeProgram, readable: [] }],
  ])("X36 every message is answered: %s", async (_title, program) => {
    await using fixture = createFixture({ program });
    const answers = await Promise.all(times(20, () => fixture.runner.run(requestOf([callOf("echo")]))));
    expect(new Set(answers.map(({ outcomes }) => outcomes[0]?.fault?.kind))).toEqual(
      new Set(["unavailable"]),
    );
  });

  test("stopping answers what still waits", async () => {
    const fixture = createFixture();
    const waiting = times(5, () => fixture.runner.run(requestOf([callOf("hang")])));
    await fixture.pool.stop();
    for (const { outcomes } of await Promise.all(waiting))
      expect(outcomes[0]?.fault?.kind).toBe("unavailable");
  });
});

describe("the circuit breaker", () => {
  test("X35 suspends a version after strikes in a row, and answers waiting messages without running them", async () => {
    await using fixture = createFixture({ strikes: 3 });
    const answers = await Promise.all(times(30, () => fixture.runner.run(requestOf([callOf("die")]))));
    const kinds = answers.map(({ outcomes }) => outcomes[0]?.fault?.kind);
    expect(kinds.filter((kind) => kind === "crash")).toHaveLength(3);
    expect(kinds.filter((kind) => kind === "suspended")).toHaveLength(27);
    const other = await fixture.runner.run(requestOf([callOf("echo")]));
    expect(other.outcomes[0]?.fault).toBeUndefined();
  });

  test("lets one probe through after its pause, and a good one ends the suspension", async () => {
    await using fixture = createFixture({ strikes: 1, probeMs: 50 });
    const poisoned = await fixture.runner.run(requestOf([callOf("poison")], { messageId: "poison" }));
    expect(poisoned.outcomes[0]?.fault?.kind).toBe("crash");
    expect(fixture.strikes.isSuspended("v-poison")).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 80));
    // Of a message that two bindings run the version on, both calls are the probe.
    const probe = await fixture.runner.run(requestOf([callOf("poison"), callOf("poison")]));
    expect(probe.outcomes.map(({ fault }) => fault)).toEqual([undefined, undefined]);
    expect(fixture.strikes.isSuspended("v-poison")).toBe(false);
  });

  test("a probe that ends its process is a strike, whichever of its calls does it", async () => {
    await using fixture = createFixture({ strikes: 1, probeMs: 50 });
    const calls = [callOf("echo"), callOf("poison")];
    for (let run = 0; run < 2; run += 1) {
      const { outcomes } = await fixture.runner.run(requestOf(calls, { messageId: "poison" }));
      expect(outcomes.map(({ fault }) => fault?.kind)).toEqual([undefined, "crash"]);
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
  });

  test("what comes behind a suspended version is not run, unless its binding continues", async () => {
    let asked = 0;
    const perform = (): Promise<PerformedRequest> => {
      asked += 1;
      return Promise.resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) });
    };
    await using fixture = createFixture({ strikes: 1, broker: { perform } });
    await fixture.runner.run(requestOf([callOf("die")]));
    for (const continueOnFault of [false, true]) {
      const calls = [callOf("die", { continueOnFault }), callOf("waits")];
      const { outcomes } = await fixture.runner.run(requestOf(calls));
      expect([outcomes.length, asked]).toEqual(continueOnFault ? [2, 1] : [1, 0]);
    }
  });

  test("a suspended version behind a script that skips it is not asked for", async () => {
    await using fixture = createFixture({ strikes: 1 });
    await fixture.runner.run(requestOf([callOf("die")]));
    const { outcomes } = await fixture.runner.run(requestOf([callOf("skip"), callOf("die")]));
    expect(outcomes).toMatchObject([{ verdict: 1 }]);
  });

  test.each(["timeout", "memory"])("counts what the isolate itself ended: %s", async (kind) => {
    await using fixture = createFixture({ strikes: 2 });
    for (const expected of [kind, kind, "suspended"]) {
      const { outcomes } = await fixture.runner.run(requestOf([callOf(kind)]));
      expect(outcomes[0]?.fault?.kind).toBe(expected);
      if (expected === "suspended")
        expect(outcomes[0]?.fault?.message).toMatch(
          new RegExp(`: suspended after 2 timeouts or crashes in a row, the last one: ${kind}: .+`),
        );
    }
  });
});

describe("work", () => {
  const pidsOf = async (fixture: Fixture, behaviour: string): Promise<(number | undefined)[]> => {
    const both = [callOf(behaviour), callOf(behaviour)].map((call) => fixture.runner.run(requestOf([call])));
    return (await Promise.all(both)).map(({ outcomes }) => outcomes[0]?.place?.pid);
  };

  test("that is short shares one process, and other work is spread", async () => {
    await using fixture = createFixture({ processes: 2 });
    for (const behaviour of ["echo", "costly"]) await fixture.runner.run(requestOf([callOf(behaviour)]));
    fixture.pool.warmUp();
    await eventually(() => fixture.pool.figures.ready === 3, { what: "three processes" });
    expect(new Set(await pidsOf(fixture, "echo")).size).toBe(1);
    expect(new Set(await pidsOf(fixture, "costly")).size).toBe(2);
  });

  test("that takes long waits for a process and not in one", async () => {
    await using fixture = createFixture();
    for (let run = 0; run < 2; run += 1) await fixture.runner.run(requestOf([callOf("costly")]));
    const both = pidsOf(fixture, "costly");
    expect(fixture.pool.figures.queued).toBe(1);
    await both;
  });

  test("that waited for answers is none of what its process has to do any more", async () => {
    const broker: CapabilityBroker = {
      perform: () => Promise.resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) }),
    };
    await using fixture = createFixture({ windowMicros: 1000, broker });
    for (let run = 0; run < 30; run += 1) await fixture.runner.run(requestOf([callOf("waits")]));
    await fixture.runner.run(requestOf([callOf("echo")]));
    const both = pidsOf(fixture, "echo");
    expect(fixture.pool.figures.queued).toBe(0);
    await both;
  });
});
