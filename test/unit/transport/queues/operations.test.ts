import { describe, expect, test } from "vitest";
import { reply } from "../../../../src/core/reply.ts";
import { messageStatus } from "../../../../src/core/status.ts";
import { SinkChain } from "../../../../src/events/dispatcher.ts";
import { failingScripts, slowSink } from "../many-messages.ts";
import {
  HOUR,
  type House,
  type HouseChoices,
  MINUTE,
  accepted,
  nativeSink,
  openHouse,
  scriptSink,
  unreachable,
  until,
} from "../transport-house.ts";

/** A house whose reports are not stored before `let`. */
async function withHeldReports(
  choices: HouseChoices = {},
): Promise<{ house: House; storeReports: () => void }> {
  let storeReports = (): void => undefined;
  const allowed = new Promise<void>((resolve) => {
    storeReports = resolve;
  });
  const house = await openHouse({
    ...choices,
    wrapStore: (store) => ({
      async commit(id, origin, envelope, content) {
        if (origin.via === "dsn") await allowed;
        await store.commit(id, origin, envelope, content);
      },
    }),
  });
  return { house, storeReports };
}

/** One recipient is refused for good, one for now: a report is being written while the other has to wait. */
const refuseBoth = (house: House): void => {
  house.world.answers.set("far.example", (message) => ({
    kind: "report",
    report: {
      replies: message.recipients.map(({ address }) =>
        reply(address.startsWith("bad") ? 550 : 450, "1.1", "no"),
      ),
      remote: "hop",
      dsn: false,
    },
  }));
};

describe("the operator", () => {
  test("Q08 cannot retry, hold or remove a message while its report is being written", async () => {
    const { house, storeReports } = await withHeldReports();
    await using _ = house;
    refuseBoth(house);
    const id = await house.accept(["bad@far.example", "slow@far.example"]);
    await until(() => house.log.some((line) => line.message === "recipient deferred"));
    const { admin } = house.transport;
    expect([admin.retry([id]), admin.hold([id]), admin.remove([id])]).toEqual([0, 0, 0]);
    house.transport.reconfigure(house.live());
    storeReports();
    await until(() => house.queue.some((entry) => entry.id === id && entry.state === "retry"));
    house.world.answers.clear();
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    expect(house.world.to("far.example").map((sent) => sent.to)).toEqual([["slow@far.example"]]);
    expect(house.world.to("client.example")).toHaveLength(1);
  });

  test("holds, releases and removes what waits", async () => {
    await using house = await openHouse();
    house.world.answer = () => unreachable();
    const first = await house.accept(["a@far.example"]);
    const second = await house.accept(["b@far.example", "c@near.example"]);
    await until(() =>
      house.queue.every((entry) => entry.state === "retry" && entry.nextAttempt !== undefined),
    );
    const { admin } = house.transport;
    expect(admin.hold([])).toBe(2);
    house.world.answer = (message) => accepted(message);
    await house.clock.advance(10 * HOUR);
    expect(house.world.sent).toEqual([]);
    expect(admin.retry([])).toBe(0);
    expect(admin.release([first])).toBe(1);
    await until(() => house.world.sent.length === 1);
    expect(admin.remove([second, "unknown"])).toBe(1);
    await house.empty();
    const discarded = house.log.find((line) => line.message === "message discarded");
    expect(discarded?.fields).toMatchObject({
      recipients: ["b@far.example", "c@near.example"],
      reason: "removed by the operator",
    });
  });

  test("does not use up attempts by reloads: only a next hop whose way changed is tried again at once", async () => {
    await using house = await openHouse();
    const ways = new Map<string, string>();
    const live = (): ReturnType<House["live"]> => {
      const now = new Map(ways);
      return { ...house.live(), wayOf: ({ key }) => now.get(key) ?? "as ever" };
    };
    house.transport.reconfigure(live());
    house.world.answer = () => unreachable();
    await house.accept(["a@far.example"]);
    await house.accept(["b@near.example"]);
    const areBoth = (): boolean => house.queue.every(({ nextAttempt }) => nextAttempt !== undefined);
    await until(() => house.world.attempts.length === 2 && areBoth());
    const due = house.queue.map(({ nextAttempt }) => nextAttempt);
    for (let edits = 0; edits < 10; edits += 1) house.transport.reconfigure(live());
    await house.clock.advance(MINUTE / 2);
    expect(house.queue.map(({ nextAttempt }) => nextAttempt)).toEqual(due);
    ways.set("near.example", "with other credentials");
    house.transport.reconfigure(live());
    await until(() => house.world.attempts.length === 3);
    expect(house.world.attempts[2]).toBe("near.example");
    // The couriers are new ones all the same: the other one goes on by itself, at its time.
    house.world.answer = (message) => accepted(message);
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    expect(house.world.attempts.filter((key) => key === "far.example")).toHaveLength(2);
  });

  test("is said to have discarded only what was still waiting", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", () => unreachable());
    const id = await house.accept(["a@far.example", "b@near.example"]);
    await until(() => house.queue[0]?.recipients.some(({ state }) => state === "relayed") === true);
    await until(() => house.transport.admin.remove([id]) === 1);
    const discarded = house.log.find((line) => line.message === "message discarded");
    expect(discarded?.fields["recipients"]).toEqual(["a@far.example"]);
  });

  test("holds a message that still waits for its turn at the sinks", async () => {
    const { sink, seen, go } = slowSink();
    await using house = await openHouse({ sinks: [sink], maxSubmissions: 1 });
    const first = await house.accept(["a@far.example"]);
    const second = await house.accept(["b@far.example"]);
    expect(house.transport.admin.hold([first])).toBe(0);
    expect(house.transport.admin.hold([second])).toBe(1);
    go();
    await until(() => house.world.sent.length === 1);
    expect(seen).toEqual([first]);
    expect(house.transport.admin.release([second])).toBe(1);
    await house.empty();
    expect(seen).toEqual([first, second]);
    expect(house.world.sent).toHaveLength(2);
  });

  test("keeps what he holds as long as he likes", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", () => unreachable());
    const id = await house.accept(["a@far.example"]);
    await until(() => house.transport.admin.hold([id]) === 1);
    await house.clock.advance(100 * HOUR);
    expect(house.queue).toMatchObject([{ id, state: "held" }]);
    expect(house.world.sent).toEqual([]);
  });
});

describe("new settings", () => {
  test("lose nothing of a message that is under way to one next hop and waits for another", async () => {
    await using house = await openHouse();
    let answer = (): void => undefined;
    house.world.answers.set("slow.example", (message) => {
      return new Promise((resolve) => {
        answer = () => resolve(accepted(message));
      });
    });
    house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
    await house.accept(["a@slow.example", "b@far.example"]);
    await until(() => house.log.some((line) => line.message === "recipient deferred"));
    house.world.answers.delete("far.example");
    house.transport.reconfigure(house.live());
    await house.clock.advance(MINUTE + 200);
    await until(() => house.world.to("far.example").length === 1);
    answer();
    await house.clock.advance(0);
    // The courier that asked is retired; what it was told is what counts after a restart.
    expect(house.queue[0]?.recipients.find(({ address }) => address === "b@far.example")?.state).toBe(
      "relayed",
    );
  });

  test("send what waited for an unreachable next hop to the new one at once", async () => {
    await using house = await openHouse();
    house.world.answer = () => unreachable();
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.attempts === 1);
    house.world.answer = (message) => accepted(message);
    house.transport.reconfigure(
      house.live({ localDomains: [], remote: { kind: "smart-host", host: "hub", port: 25 } }),
    );
    await house.empty();
    expect(house.world.sent.map(({ key }) => key)).toEqual(["hub:25"]);
  });

  test("release what a failing native sink holds", async () => {
    const broken = nativeSink(() => {
      throw new Error("broken");
    });
    await using house = await openHouse({ sinks: [broken] });
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    house.chain = new SinkChain([]);
    house.transport.reconfigure(house.live());
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });
});

describe("a queue without mail", () => {
  test("that was forgotten while a report was written takes the rest of the message all the same", async () => {
    const { house, storeReports } = await withHeldReports();
    await using _ = house;
    refuseBoth(house);
    await house.accept(["bad@far.example", "slow@far.example"]);
    await until(() => house.log.some((line) => line.message === "recipient deferred"));
    await house.clock.advance(2 * MINUTE);
    storeReports();
    await until(() => house.queue.some((entry) => entry.state === "retry"));
    house.world.answers.clear();
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(1);
  });
});

describe("a message that a sink fails on", () => {
  test("is held, tells why, and is released when its script changes", async () => {
    let failing = true;
    await using house = await openHouse({
      sinks: [scriptSink("a.ts")],
      runScripts: failingScripts(() => failing),
    });
    const id = await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.transport.admin.show(id)).toMatchObject({
      queue: "pre-submission",
      reason: "a.ts: throw: boom",
    });
    expect(house.transport.scriptChanged("b.ts")).toBe(0);
    failing = false;
    expect(house.transport.scriptChanged("a.ts")).toBe(1);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test("is tried again by itself, and its script releases it after a restart as well", async () => {
    let calls = 0;
    await using house = await openHouse({
      sinks: [scriptSink("a.ts")],
      runScripts: failingScripts(() => {
        calls += 1;
        return true;
      }),
    });
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    await house.clock.advance(MINUTE + 200);
    await until(() => calls === 2);
    await until(() => house.queue[0]?.state === "held");
    await using next = await house.crash({ runScripts: failingScripts(() => false) });
    expect(next.queue[0]?.state).toBe("held");
    expect(next.transport.scriptChanged("a.ts")).toBe(1);
    await next.empty();
  });

  test("X34 is told with what to do; one that ended its processes is not tried again by new settings, but by a change of its script", async () => {
    let calls = 0;
    const fault = { kind: "crash", message: "ended its sandbox process" };
    await using house = await openHouse({
      sinks: [scriptSink("a.ts")],
      runScripts: () => {
        calls += 1;
        return Promise.resolve({ called: 1, result: 0, ...(calls === 1 ? { fault } : {}) });
      },
    });
    const id = await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    const line = house.log.find(({ message }) => message.startsWith("message held"));
    expect(line?.fields).toMatchObject({
      advice: expect.stringMatching(`^save a corrected a\\.ts.*onarrival queue release ${id}$`),
    });
    house.transport.reconfigure(house.live());
    await house.clock.advance(HOUR);
    expect([calls, house.queue[0]?.state]).toEqual([1, "held"]);
    expect(house.transport.scriptChanged("a.ts")).toBe(1);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test.each([
    ["suspended", 1, /one message is tried each sandbox\.probeMs$/],
    ["missing", 1, /^save a working a\.ts .* or remove its binding/],
    ["unavailable", 1, /^the log of the service says why/],
    ["timeout", 2, /^save a corrected a\.ts, or raise limits\.timeoutMs or limits\.cpuMs/],
    ["memory", 2, /limits\.memoryMb/],
  ])(
    "a reload counts no attempt of mail that waits for a script which it does not run (%s)",
    async (kind, attempts, advice) => {
      const fault = { kind, message: "a.ts: it did not work" };
      let calls = 0;
      await using house = await openHouse({
        sinks: [scriptSink("a.ts")],
        runScripts: () => {
          calls += 1;
          return Promise.resolve({ called: 1, result: 0, ...(calls < 4 ? { fault } : {}) });
        },
      });
      await house.accept(["a@far.example"]);
      await until(() => house.queue[0]?.state === "held");
      const { nextAttempt } = house.queue[0] ?? {};
      expect(house.queue[0]?.advice).toMatch(advice);
      await house.clock.advance(MINUTE / 2);
      house.transport.reconfigure(house.live());
      await until(() => calls === 2 && house.queue[0]?.state === "held");
      expect(house.queue[0]?.attempts).toBe(attempts);
      if (attempts === 1) expect(house.queue[0]?.nextAttempt).toBe(nextAttempt);
      // At its own time it is an attempt, whatever it comes to.
      await house.clock.advance(MINUTE + 200);
      await until(() => calls === 3 && house.queue[0]?.state === "held");
      expect(house.queue[0]?.attempts).toBe(attempts + 1);
      expect(house.transport.scriptChanged("a.ts")).toBe(1);
      await house.empty();
    },
  );

  test("goes through the new bindings at once when they changed while it failed", async () => {
    let fail = (): void => undefined;
    const broken = nativeSink(
      () =>
        new Promise((_resolve, reject) => {
          fail = () => reject(new Error("broken"));
        }),
    );
    await using house = await openHouse({ sinks: [broken] });
    await house.accept(["a@far.example"]);
    house.chain = new SinkChain([]);
    fail();
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test("is told to be late, and returned after two days", async () => {
    const broken = nativeSink(() => {
      throw new Error("broken");
    });
    await using house = await openHouse({ sinks: [broken] });
    await house.accept(["a@far.example"]);
    // Only the reports pass.
    house.chain = new SinkChain([
      nativeSink((msg) => {
        if (msg.sender !== "") throw new Error("broken");
      }),
    ]);
    await house.clock.advance(13 * HOUR);
    await until(() => house.world.to("client.example").length === 1);
    await house.clock.advance(36 * HOUR);
    await house.empty();
    const texts = house.world.to("client.example").map(({ text }) => /^Action: (\w+)/m.exec(text)?.[1]);
    expect(texts).toEqual(["delayed", "failed"]);
    expect(house.world.to("client.example")[1]?.text).toContain("Status: 5.4.7");
    expect(house.world.to("far.example")).toEqual([]);
  });

  test("goes to Badmail with that policy", async () => {
    const broken = nativeSink(
      () => {
        throw new Error("broken");
      },
      { onError: "badmail", displayName: "Broken" },
    );
    await using house = await openHouse({ sinks: [broken] });
    const id = await house.accept(["a@far.example"]);
    await house.empty();
    expect(await house.read("Badmail", `${id}.BDR`)).toContain("Broken: throw: broken");
  });
});

describe("the status that a sink sets", () => {
  const status = (value: 1 | 2 | 3): ReturnType<typeof nativeSink> =>
    nativeSink((msg) => {
      msg.headers.add("X-Edited", "yes");
      msg.status = value;
    });

  test("retry brings the message back as it was", async () => {
    await using house = await openHouse({ sinks: [status(messageStatus.retry)] });
    await house.accept(["a@far.example"]);
    expect(house.queue[0]).toMatchObject({ state: "retry", reason: "sink asked to retry later" });
    house.chain = new SinkChain([]);
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(house.world.sent[0]?.text).not.toContain("X-Edited");
  });

  test("abortDelivery ends it with a line that names the sink and the recipients", async () => {
    await using house = await openHouse({ sinks: [status(messageStatus.abortDelivery)] });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(house.world.sent).toEqual([]);
    expect(house.log.at(-1)?.fields).toMatchObject({
      recipients: ["a@far.example"],
      reason: "discarded by sink",
    });
  });

  test("badMail moves it to Badmail as the sinks left it", async () => {
    await using house = await openHouse({ sinks: [status(messageStatus.badMail)] });
    const id = await house.accept(["a@far.example"]);
    await house.empty();
    expect(await house.read("Badmail", `${id}.BAD`)).toContain("X-Edited: yes");
  });

  test("badMail keeps the message, unedited, while Badmail cannot be written", async () => {
    let full = true;
    let written = "";
    const badmail: HouseChoices["badmail"] = {
      async put(_id, _envelope, content) {
        if (full) throw new Error("disk full");
        written = (await content.toBuffer()).toString();
      },
    };
    await using house = await openHouse({ sinks: [status(messageStatus.badMail)], badmail });
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    full = false;
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(written.match(/X-Edited/g)).toHaveLength(1);
  });

  test("no recipient left ends the message, with a line", async () => {
    const clear = nativeSink((msg) => void msg.recipients.remove("a@far.example"));
    await using house = await openHouse({ sinks: [clear] });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(house.log.at(-1)).toMatchObject({ message: "message discarded" });
  });
});

describe("the sinks", () => {
  test("get many thousands of waiting messages one after the other, not one within the other", async () => {
    let go = (): void => undefined;
    let calls = 0;
    const first = nativeSink(() => {
      calls += 1;
      if (calls > 1) return undefined;
      return new Promise((resolve) => {
        go = () => resolve(undefined);
      });
    });
    await using house = await openHouse({ sinks: [first], maxSubmissions: 1 });
    house.world.capacity = 0;
    await Promise.all(
      Array.from({ length: 8_000 }, (_, index) => house.accept(["a@far.example"], { id: `M${index}` })),
    );
    go();
    await until(() => calls === 8_000);
    expect(house.queue).toHaveLength(8_000);
  });
});

describe("stopping", () => {
  test("waits for local deliveries and for reports", async () => {
    const { house, storeReports } = await withHeldReports();
    await using _ = house;
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no"));
    await house.accept(["a@far.example"]);
    await house.accept(["b@local.example"]);
    let stopped = false;
    const stopping = house.transport.stop(60_000).finally(() => {
      stopped = true;
    });
    await until(async () => (await house.files("Drop")).length === 1);
    await until(() => house.queue.length === 1);
    expect(stopped).toBe(false);
    storeReports();
    await stopping;
    // The report itself waits for the next start.
    expect(house.queue.map(({ sender }) => sender)).toEqual([""]);
    await using next = await house.crash({ wrapStore: (store) => store });
    await next.empty();
    expect(next.world.to("client.example")).toHaveLength(1);
  });

  test("starts no delivery of what sinks let pass from then on", async () => {
    let go = (): void => undefined;
    const slow = nativeSink(
      () =>
        new Promise((resolve) => {
          go = () => resolve(undefined);
        }),
    );
    await using house = await openHouse({ sinks: [slow] });
    await house.accept(["a@far.example"]);
    const stopping = house.transport.stop(60_000);
    go();
    await stopping;
    await house.clock.advance(0);
    expect(house.world.attempts).toEqual([]);
    await using next = await house.crash({ sinks: [] });
    await next.empty();
    expect(next.world.sent).toHaveLength(1);
  });

  test("gives up at the end of its grace, and what ends after the store was closed breaks nothing", async () => {
    await using house = await openHouse();
    let answer = (): void => undefined;
    house.world.answer = (message) =>
      new Promise((resolve) => {
        answer = () => resolve(accepted(message));
      });
    await house.accept(["a@local.example", "b@far.example"]);
    await until(() => house.world.attempts.length === 1);
    const stopping = house.transport.stop(1000);
    await house.clock.advance(1000);
    await stopping;
    await using next = await house.crash();
    answer();
    next.world.answer = (message) => accepted(message);
    await next.empty();
    expect(next.world.to("far.example").length).toBeGreaterThan(0);
  });
});
