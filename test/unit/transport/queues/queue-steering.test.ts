// The queues that every message passes, frozen, thawed and forced by the operator (REFERENCE 4.2).
import { describe, expect, test } from "vitest";
import { acceptMany, emptied, failingScripts, slowSink, summaryOf } from "../many-messages.ts";
import {
  HOUR,
  MINUTE,
  accepted,
  nativeSink,
  openHouse,
  scriptSink,
  unreachable,
  until,
} from "../transport-house.ts";

const DAYS = 24 * HOUR;

describe("a frozen queue before sinks", () => {
  test("calls no sink, keeps what comes out of memory too, and lets all of it go on once when it is thawed", async () => {
    const seen: string[] = [];
    await using house = await openHouse({
      maxInMemory: 4,
      sinks: [nativeSink((msg) => void seen.push(msg.id))],
    });
    const { admin } = house.transport;
    expect(await admin.freeze("Pre-Submission")).toBe(true);
    const ids = await acceptMany(house, 10);
    await until(() => house.queue.length <= 4 && summaryOf(house, "pre-submission")?.messages === 10, "rest");
    await house.clock.advance(HOUR);
    expect(seen).toEqual([]);
    expect(summaryOf(house, "pre-submission")).toMatchObject({
      frozen: true,
      frozenBy: "operator",
      retry: 10,
    });
    expect(admin.queues().filter(({ queue }) => queue === "pre-submission")).toHaveLength(1);
    expect(summaryOf(house, "failed-retry")?.messages).toBe(0);
    const frozen = {
      queue: "pre-submission",
      state: "frozen",
      reason: expect.stringContaining("queue thaw"),
    };
    expect(house.queue[0]).toMatchObject(frozen);
    const parked = ids.find((id) => admin.show(id) === undefined) ?? "";
    expect(await admin.showParked(parked)).toMatchObject(frozen);
    expect(await Promise.all([admin.thaw("pre-submission"), admin.thaw("pre-submission")])).toEqual([
      true,
      false,
    ]);
    await emptied(house);
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });

  test.each(["pre-categorization", "pre-routing"])(
    "%s keeps back mail that no sink is bound for, and the sinks before it are not called again, not even after a crash",
    async (queue) => {
      const seen: string[] = [];
      const sinks = [nativeSink((msg) => void seen.push(msg.id))];
      await using before = await openHouse({ sinks });
      await before.transport.admin.freeze(queue);
      const id = await before.accept(["a@far.example"]);
      await until(() => summaryOf(before, queue)?.messages === 1);
      await using house = await before.crash({ sinks });
      await house.transport.admin.freeze(queue);
      await house.clock.advance(MINUTE);
      await house.transport.admin.thaw(queue);
      await emptied(house);
      expect(seen).toEqual([id]);
      expect(house.world.sent.map(({ to }) => to)).toEqual([["a@far.example"]]);
    },
  );

  test("keeps back those that wait for their turn, and those that a changed script would let go", async () => {
    const { sink, seen, go } = slowSink();
    let failing = true;
    await using house = await openHouse({
      sinks: [sink, scriptSink("a.ts")],
      maxSubmissions: 1,
      runScripts: failingScripts(() => failing),
    });
    const { admin } = house.transport;
    const [first] = await acceptMany(house, 2);
    await admin.freeze("pre-submission");
    go();
    await until(() => house.queue.some(({ id, state }) => id === first && state === "held"));
    failing = false;
    house.transport.scriptChanged("a.ts");
    await house.clock.advance(HOUR);
    expect(seen).toEqual([first]);
    expect(house.queue.map(({ state }) => state)).toEqual(["frozen", "frozen"]);
    await admin.thaw("pre-submission");
    await emptied(house);
    expect(seen).toHaveLength(3);
  });

  test("holds nobody up for ever: what waits there is returned when its time is over", async () => {
    await using house = await openHouse();
    await house.transport.admin.freeze("pre-submission");
    await house.accept(["a@far.example"]);
    for (let hour = 0; hour < 47; hour += 1) await house.clock.advance(HOUR);
    const isExpired = (): boolean => house.log.some(({ message }) => message === "message expired");
    expect(isExpired()).toBe(false);
    await until(async () => {
      await house.clock.advance(HOUR);
      return isExpired();
    });
    await house.transport.admin.thaw("pre-submission");
    await emptied(house);
    expect(house.world.sent.flatMap(({ to }) => to)).not.toContain("a@far.example");
  });
});

test("what is frozen is not forced: it has its turn when it is thawed", async () => {
  await using house = await openHouse({ maxInMemory: 2 });
  const { admin } = house.transport;
  await admin.freeze("far.example");
  await admin.freeze("pre-submission");
  await acceptMany(house, 4);
  await until(() => summaryOf(house, "pre-submission")?.messages === 4, "all of them");
  const forced = ["pre-submission", "failed-retry", "far.example"];
  expect(forced.map((queue) => admin.force(queue))).toEqual([0, 0, 0]);
  expect(forced.map((queue) => admin.frozenBy(queue))).toEqual(["operator", undefined, "operator"]);
  await admin.thaw("pre-submission");
  await until(() => summaryOf(house, "far.example")?.messages === 4, "all of them");
  expect(admin.force("far.example")).toBe(0);
  await house.clock.advance(MINUTE);
  expect(house.world.attempts).toEqual([]);
  await admin.thaw("far.example");
  await emptied(house);
  expect(house.world.sent).toHaveLength(4);
});

test("a retry and a release say how much stays, as what it waits for is frozen, in memory or not", async () => {
  await using house = await openHouse({ maxInMemory: 2 });
  const { admin } = house.transport;
  await admin.freeze("far.example");
  const frozen = await acceptMany(house, 6);
  await until(() => house.queue.length <= 2 && summaryOf(house, "far.example")?.messages === 6, "rest");
  house.world.answers.set("near.example", () => unreachable());
  const free = await house.accept(["a@near.example"]);
  const both = await house.accept(["a@far.example", "b@near.example"]);
  await until(() => house.world.attempts.length > 0 && house.queue.length <= 3, "all of them at rest");
  const kept = (messages: number): unknown => ({
    messages,
    queues: messages === 0 ? [] : ["far.example"],
  });
  expect(admin.keptBack("retry", [])).toEqual(kept(6));
  expect(admin.keptBack("retry", frozen.slice(0, 5))).toEqual(kept(5));
  expect(admin.keptBack("retry", [free, both])).toEqual(kept(0));
  expect(admin.keptBack("release", [])).toEqual(kept(0));
  const held = frozen.slice(0, 4);
  expect(admin.hold(held)).toBe(4);
  await until(() => admin.keptBack("release", held).messages === 4, "held ones");
  expect([admin.keptBack("release", []), admin.keptBack("retry", [])]).toEqual([kept(4), kept(2)]);
  expect(admin.release(held)).toBe(4);
  await until(() => admin.keptBack("retry", []).messages === 6, "frozen as before");
  expect(house.world.sent).toEqual([]);
});

test("mail that a script holds before frozen sinks stays there when it is retried", async () => {
  let failing = true;
  await using house = await openHouse({
    maxInMemory: 2,
    sinks: [scriptSink("a.ts")],
    runScripts: failingScripts(() => failing),
  });
  const { admin } = house.transport;
  const ids = await acceptMany(house, 6);
  await until(() => house.queue.length <= 2 && summaryOf(house, "pre-submission")?.held === 6, "rest");
  expect(admin.keptBack("retry", ids)).toEqual({ messages: 0, queues: [] });
  await admin.freeze("pre-submission");
  const all = { messages: 6, queues: ["pre-submission"] };
  for (const verb of ["retry", "release"] as const)
    expect([admin.keptBack(verb, ids), admin.keptBack(verb, [])]).toEqual([all, all]);
  failing = false;
  expect(admin.retry(ids)).toBe(6);
  await house.clock.advance(HOUR);
  expect(house.world.sent).toEqual([]);
  await admin.thaw("pre-submission");
  await emptied(house);
  expect(house.world.sent).toHaveLength(6);
});

test("messages are found by the beginning of their ids, in memory or not", async () => {
  await using house = await openHouse({ maxInMemory: 2 });
  const { admin } = house.transport;
  await admin.freeze("pre-submission");
  const ids = await acceptMany(house, 6);
  await until(() => house.queue.length <= 2 && summaryOf(house, "pre-submission")?.messages === 6, "rest");
  const [first = ""] = ids;
  const common = first.slice(0, 6);
  expect(admin.idsWith(common, 10).toSorted()).toEqual(ids.toSorted());
  expect(admin.idsWith(common, 3)).toHaveLength(3);
  expect(ids.flatMap((id) => admin.idsWith(id.slice(0, 17), 2))).toEqual(ids);
  const none = [first, `${first}0`, "ZZZZZZ", `\0${first.slice(1, 8)}`];
  expect(none.flatMap((id) => admin.idsWith(id, 2))).toEqual([]);
});

test("the queue of a smart host is found by the name that the settings give it", async () => {
  const remote = { kind: "smart-host", host: "192.0.2.1", port: 25 } as const;
  await using house = await openHouse({ router: { localDomains: ["local.example"], remote } });
  const { admin } = house.transport;
  expect(await admin.freeze("[192.0.2.1]:25")).toBe(true);
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "frozen");
  expect(await admin.thaw("192.0.2.1:25")).toBe(true);
  await house.empty();
});

describe("a queue that counts messages of others", () => {
  test.each(["failed-retry", "dsn", "deferred", "unreachable", "last run"])(
    "%s cannot be frozen",
    async (queue) => {
      await using house = await openHouse();
      await expect(house.transport.admin.freeze(queue)).rejects.toMatchObject({
        code: "WRONG_USE",
        message: expect.stringContaining("queue list"),
      });
    },
  );

  test("failed-retry is forced: what a sink put off is tried now, also out of memory", async () => {
    let failing = true;
    const retrying = nativeSink((msg) => {
      if (failing) msg.status = 1;
    });
    await using house = await openHouse({ maxInMemory: 2, sinks: [retrying] });
    await acceptMany(house, 6);
    await until(() => house.queue.length <= 2 && summaryOf(house, "failed-retry")?.messages === 6, "rest");
    failing = false;
    const { admin } = house.transport;
    expect([admin.force("dsn"), admin.force("failed-retry")]).toEqual([0, 6]);
    await emptied(house);
    expect(house.world.sent).toHaveLength(6);
  });

  test("so is the queue before the sinks that failed, and no other", async () => {
    let failing = true;
    const retrying = nativeSink((msg) => {
      if (failing) msg.status = 1;
    });
    await using house = await openHouse({ maxInMemory: 2, sinks: [retrying] });
    await acceptMany(house, 6);
    await until(() => house.queue.length <= 2 && summaryOf(house, "pre-submission")?.messages === 6, "rest");
    failing = false;
    const { admin } = house.transport;
    expect([admin.force("pre-routing"), admin.force("pre-submission")]).toEqual([0, 6]);
    await emptied(house);
    expect(house.world.sent).toHaveLength(6);
  });

  test("deferred is forced: what a sink wanted to leave later leaves now, also out of memory", async () => {
    const deferring = nativeSink((msg) => {
      msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + DAYS);
    });
    await using house = await openHouse({ maxInMemory: 2, sinks: [deferring] });
    const ids = await acceptMany(house, 6);
    await until(() => house.queue.length <= 2 && house.transport.depths().messages === 6, "rest");
    const { admin } = house.transport;
    const counted = (): unknown => summaryOf(house, "deferred");
    expect(counted()).toMatchObject({ messages: 6, retry: 6, held: 0 });
    expect(admin.hold([ids[0] ?? ""])).toBe(1);
    await until(() => summaryOf(house, "deferred")?.held === 1, "the held one");
    expect(counted()).toMatchObject({ messages: 6, retry: 5 });
    await admin.freeze("far.example");
    expect([admin.force("deferred"), admin.force("far.example")]).toEqual([0, 0]);
    await admin.thaw("far.example");
    expect(admin.force("deferred")).toBe(5);
    await until(() => house.world.sent.length === 5, "all but the held one");
    expect(counted()).toMatchObject({ messages: 1, held: 1 });
  });

  test("unreachable is forced: all next hops that do not answer are tried now, and no other", async () => {
    await using house = await openHouse();
    house.world.answers.set("one.example", () => unreachable());
    house.world.answers.set("two.example", () => unreachable());
    house.world.answers.set("busy.example", (message) => accepted(message, 450, "later"));
    for (const domain of ["one", "two", "busy"]) await house.accept([`a@${domain}.example`]);
    await until(() => summaryOf(house, "unreachable")?.messages === 2);
    await until(() => summaryOf(house, "busy.example")?.retry === 1);
    const { admin } = house.transport;
    expect(admin.force("one.example")).toBe(1);
    await until(() => house.world.attempts.length === 4 && summaryOf(house, "unreachable")?.messages === 2);
    house.world.answers.clear();
    expect(admin.force("unreachable")).toBe(2);
    await until(() => house.transport.depths().messages === 1, "the one that was refused");
  });

  test("last run cannot be forced", async () => {
    await using house = await openHouse();
    expect(() => house.transport.admin.force("last run")).toThrow(
      expect.objectContaining({ code: "WRONG_USE" }),
    );
  });
});
