// Who is to blame when a process ends: how often a task is tried, and what becomes of those beside it.
import { describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import type { CapabilityBroker } from "../../../src/sandbox/capabilities/broker-contract.ts";
import type { ScriptOutcome } from "../../../src/sandbox/script-host.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { callOf, createFixture, type Fixture, requestOf, taskOf } from "./pool-fixture.ts";

/** The processes that ended by themselves or had to be ended. */
class Ends {
  readonly reasons: unknown[] = [];
  readonly log: Logger = {
    ...silentLogger,
    warn: ({ reason }: { readonly reason?: unknown }, text: string) => {
      if (text === "a sandbox process ended") this.reasons.push(reason);
    },
  };

  get count(): number {
    return this.reasons.length;
  }
}

describe("a task that ends its process", () => {
  test("costs two of them, and one more for each further look at its calls", async () => {
    const ends = new Ends();
    await using fixture = createFixture({ log: ends.log });
    const { outcomes } = await fixture.runner.run(requestOf([callOf("die")]));
    expect([outcomes[0]?.fault?.kind, ends.count]).toEqual(["crash", 2]);
    // Its first call alone passes; both together end a process once more.
    const chain = await fixture.runner.run(requestOf([callOf("echo"), callOf("die")]));
    expect(chain.outcomes.map(({ fault }) => fault?.kind)).toEqual([undefined, "crash"]);
    expect(ends.count).toBe(5);
  });

  test("is found out although another one waits in each of its processes", async () => {
    const ends = new Ends();
    const open: (() => void)[] = [];
    const holding: CapabilityBroker = {
      perform: () =>
        new Promise((resolve) => {
          open.push(() => resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) }));
        }),
    };
    await using fixture = createFixture({ broker: holding, log: ends.log });
    const limits = { ...callOf("waits").limits, timeoutMs: 60_000 };
    const wait = () => fixture.pool.run(taskOf([callOf("waits", { limits })]));
    const asked = async (times: number): Promise<void> => {
      await eventually(() => open.length >= times, { what: `${times} requests` });
    };
    const first = wait();
    await asked(1);
    open[0]?.();
    await first;
    // Twice in a process that ended: from then on it waits where suspects run.
    const waiting = wait();
    for (const times of [2, 3]) {
      await asked(times);
      process.kill(fixture.pool.pids[0] ?? Number.NaN, "SIGKILL");
    }
    await asked(4);
    expect((await fixture.pool.run(taskOf([callOf("die")]))).kind).toBe("crash");
    expect(ends.count).toBe(2 + 5);
    await asked(9);
    for (const release of open) release();
    expect((await waiting).kind).toBe("outcomes");
  });
});

describe("where suspects run", () => {
  const idle = (pool: Fixture["pool"]): Promise<true> =>
    eventually(() => pool.figures.ready === 2 && pool.figures.queued === 0, { what: "two processes" });

  test("one that ran out of time lets the next wait for as long as it took", async () => {
    const clock = new ManualClock();
    await using fixture = createFixture({ clock });
    const { pool } = fixture;
    await pool.run(taskOf([callOf("echo")]));
    pool.warmUp();
    await idle(pool);
    const late = pool.run(taskOf([callOf("timeout")]));
    clock.setForward(1000);
    await late;
    const next = pool.run(taskOf([callOf("tag")]));
    expect(pool.figures.queued).toBe(1);
    await clock.advance(999);
    expect(pool.figures.queued).toBe(1);
    await clock.advance(1);
    expect((await next).kind).toBe("outcomes");
  });

  test("so does one that ended its process; what ran well before does not wait", async () => {
    const clock = new ManualClock();
    const ends = new Ends();
    await using fixture = createFixture({ clock, log: ends.log });
    const { pool } = fixture;
    for (const behaviour of ["echo", "timeout"]) await pool.run(taskOf([callOf(behaviour)]));
    pool.warmUp();
    await idle(pool);
    const dying = pool.run(taskOf([callOf("die")]));
    clock.setForward(5000);
    await eventually(() => ends.count === 1, { what: "the end of its process" });
    await eventually(() => pool.figures.ready === 2, { what: "another one" });
    expect(pool.figures.queued).toBe(1);
    expect((await pool.run(taskOf([callOf("echo")]), { alone: true })).kind).toBe("outcomes");
    // However long it took.
    await clock.advance(2000);
    expect((await dying).kind).toBe("crash");
  });

  test("a good version that runs out of time leaves its process to nobody; those beside it only run again", async () => {
    const ends = new Ends();
    await using fixture = createFixture({ log: ends.log });
    const run = async (behaviour: string, messageId: string): Promise<ScriptOutcome | undefined> =>
      (await fixture.runner.run(requestOf([callOf(behaviour)], { messageId }))).outcomes[0];
    // Versions that nobody knows yet run where suspects run, too.
    for (const behaviour of ["echo", "turns"]) await run(behaviour, "good");
    const [lane] = fixture.pool.pids;
    const late = [run("turns", "late-1"), run("turns", "late-2")];
    const beside = await Promise.all([run("echo", "a"), run("echo", "b")]);
    expect(ends.reasons).toEqual(["more messages for a script that just ran out of time or memory"]);
    for (const outcome of await Promise.all(late)) expect(outcome?.fault?.kind).toBe("timeout");
    for (const outcome of beside) {
      expect(outcome?.fault).toBeUndefined();
      expect(outcome?.place?.pid).not.toBe(lane);
    }
  });

  test("a version that ended its process runs there again before it is among the others", async () => {
    await using fixture = createFixture();
    const pidOf = async (behaviour: string): Promise<number | undefined> => {
      const { outcomes } = await fixture.runner.run(requestOf([callOf(behaviour)]));
      return outcomes[0]?.place?.pid;
    };
    for (const behaviour of ["echo", "poison"]) await pidOf(behaviour);
    expect(await pidOf("poison")).toBe(await pidOf("echo"));
    await fixture.runner.run(requestOf([callOf("poison")], { messageId: "poison" }));
    expect(await pidOf("poison")).not.toBe(await pidOf("echo"));
    expect(await pidOf("poison")).toBe(await pidOf("echo"));
  });
});
