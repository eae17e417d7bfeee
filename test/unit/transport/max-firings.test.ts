// Calls for a message that comes back to the sinks do not count towards maxFirings: it would pass a used-up binding unseen.
import { readdirSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { messageStatus } from "../../../src/core/status.ts";
import { SinkChain } from "../../../src/events/dispatcher.ts";
import { SystemChain } from "../../../src/events/system-chain.ts";
import {
  type HouseChoices,
  MINUTE,
  accepted,
  nativeSink,
  openHouse,
  systemChain,
  unreachable,
  until,
} from "./transport-house.ts";

const ONCE = { displayName: "once", maxFirings: 1 };

test("a message that a sink of OnCategorize holds meets it again", async () => {
  let calls = 0;
  const [sink] = systemChain("OnCategorize", [
    ({ kind }) => {
      if (kind === "beginMessage" && (calls += 1) === 1) throw new Error("not yet");
    },
  ]).sinks;
  if (sink === undefined) throw new Error("a chain without its sink");
  await using house = await openHouse();
  const binding = { ...sink.binding, maxFirings: 1 };
  house.chains = { ...house.chains, categorizer: new SystemChain([{ ...sink, binding }]) };
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "held");
  const usedUp = (): number => house.log.filter(({ message }) => message.includes("maxFirings")).length;
  expect(usedUp()).toBe(0);
  await house.clock.advance(MINUTE + 200);
  await house.empty();
  expect([calls, usedUp()]).toEqual([2, 1]);
  await house.accept(["b@far.example"]);
  await house.empty();
  expect(calls).toBe(2);
});

test("a message whose router failed is routed by it another time", async () => {
  let calls = 0;
  const [sink] = systemChain("OnGetMessageRouter", [
    (subject) => {
      if (subject.kind !== "route") return;
      if ((calls += 1) === 1) throw new Error("not yet");
      subject.router = { getNextHop: () => ({ domain: "safe.example" }) };
    },
  ]).sinks;
  if (sink === undefined) throw new Error("a chain without its sink");
  await using house = await openHouse();
  const binding = { ...sink.binding, maxFirings: 1 };
  house.chains = { ...house.chains, router: new SystemChain([{ ...sink, binding }]) };
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  await house.clock.advance(MINUTE + 200);
  await house.empty();
  expect(house.world.sent.map(({ key }) => key)).toEqual(["safe.example"]);
  expect(house.log.filter(({ message }) => message.includes("maxFirings"))).toHaveLength(1);
});

test("a message for which Badmail has no room meets the sink again that sends it there", async () => {
  let isFull = true;
  const put: string[] = [];
  const badmail: HouseChoices["badmail"] = {
    put(id) {
      if (isFull) return Promise.reject(new Error("disk full"));
      put.push(id);
      return Promise.resolve();
    },
  };
  const refuses = nativeSink((msg) => void (msg.status = messageStatus.badMail), ONCE);
  await using house = await openHouse({ sinks: [refuses], badmail });
  const id = await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "held");
  isFull = false;
  await house.clock.advance(MINUTE + 200);
  await house.empty();
  expect(put).toEqual([id]);
  expect(house.world.sent).toEqual([]);
});

test("a message on which a sink failed that is bound no more meets the others again", async () => {
  let calls = 0;
  let fail = (_error: Error): void => undefined;
  const counts = nativeSink(() => void (calls += 1), { ...ONCE, priority: 1 });
  const fails = nativeSink(() => new Promise((_resolve, reject) => (fail = reject)), { onError: "badmail" });
  await using house = await openHouse({ sinks: [counts, fails] });
  await house.accept(["a@far.example"]);
  await until(() => calls === 1);
  house.chain = new SinkChain([counts]);
  fail(new Error("broken"));
  await house.empty();
  expect(calls).toBe(2);
});

test.each(["late", "never"])(
  "a message whose sink answers %s when its virtual server stops meets it again when that starts",
  async (when) => {
    let calls = 0;
    let end = (): void => undefined;
    const slow = nativeSink(() => {
      calls += 1;
      return calls > 1 ? undefined : new Promise<void>((resolve) => (end = resolve));
    }, ONCE);
    await using house = await openHouse({ sinks: [slow] });
    await house.accept(["a@far.example"]);
    await until(() => calls === 1);
    const stopping = house.transport.stop(1000);
    await house.clock.advance(1000);
    await stopping;
    if (when === "late") end();
    await using next = await house.crash();
    await next.empty();
    expect(calls).toBe(2);
  },
);

test("a message that had passed its sinks when the service stopped does not come back to them", async () => {
  const marks = nativeSink((msg) => msg.headers.add("X-Seen", "yes"), ONCE);
  await using house = await openHouse({ sinks: [marks] });
  house.world.capacity = 0;
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.queue === "far.example");
  await house.transport.stop(1000);
  house.world.capacity = 1;
  await using next = await house.crash();
  await next.empty();
  expect(next.world.sent.map(({ text }) => text.includes("X-Seen: yes"))).toEqual([true]);
});

test("a message that is on its way to Badmail when its virtual server stops meets the sink again that sends it there", async () => {
  let calls = 0;
  let puts = 0;
  const badmail: HouseChoices["badmail"] = {
    put: () => ((puts += 1) === 1 ? new Promise(() => undefined) : Promise.resolve()),
  };
  const refuses = nativeSink((msg) => {
    calls += 1;
    msg.status = messageStatus.badMail;
  }, ONCE);
  await using house = await openHouse({ sinks: [refuses], badmail });
  await house.accept(["a@far.example"]);
  await until(() => puts === 1);
  const stopping = house.transport.stop(1000);
  await house.clock.advance(1000);
  await stopping;
  await using next = await house.crash();
  await next.empty();
  expect([calls, puts, next.world.sent]).toEqual([2, 2, []]);
});

test("what sinks of a later event change is kept when the message is on its way to the store between them", async () => {
  const first = nativeSink((msg) => msg.headers.add("X-First", "yes"), ONCE);
  const later = nativeSink((msg) => msg.headers.add("X-Later", "yes"));
  let saved: Promise<void> | undefined;
  await using house = await openHouse({
    sinks: [first],
    laterSinks: { OnPostCategorize: [later] },
    wrapStore: (store) => ({
      saveState(...state) {
        const saving = store.saveState(...state);
        saved ??= saving;
        return saving;
      },
    }),
  });
  let attempts = 0;
  house.world.answer = async (message) => {
    await saved;
    return accepted(message, (attempts += 1) === 1 ? 451 : 250, "ok");
  };
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  await house.clock.advance(MINUTE + 10_000);
  await house.empty();
  const [text = ""] = house.world.sent.map((message) => message.text);
  expect([text.includes("X-First: yes"), text.includes("X-Later: yes")]).toEqual([true, true]);
});

test("sinks of a later event read a large content that is written anew meanwhile", async () => {
  const text = `Subject: x\r\n\r\n${"x".repeat(4000)}\r\n`;
  let saved = false;
  await using house = await openHouse({
    inlineBytes: 1000,
    sinks: [nativeSink(() => Promise.reject(new Error("not yet")))],
    wrapStore: (store) => ({
      async saveState(...state) {
        await store.saveState(...state);
        saved ||= state[2] !== undefined;
      },
    }),
  });
  await house.accept(["a@far.example"], { text });
  await until(() => house.queue[0]?.state === "held");
  const first = nativeSink(
    (msg) => msg.edit([{ start: 100, end: 100, bytes: Buffer.alloc(2000, "y") }]),
    ONCE,
  );
  const later = nativeSink(async (msg) => {
    await until(() => saved);
    // By now the store has done with the file that it was in.
    await setTimeout(50);
    let size = 0;
    for await (const chunk of msg.content.chunks()) size += chunk.length;
    msg.headers.add("X-Size", String(size));
  });
  await using next = await house.crash({ sinks: [first], laterSinks: { OnPostCategorize: [later] } });
  await next.clock.advance(MINUTE + 10_000);
  await next.empty();
  expect(next.world.sent[0]?.text).toContain(`X-Size: ${text.length + 2000}\r\n`);
  await until(() => readdirSync(path.join(house.folder, "Queue", "content")).length === 0);
});

test("a message saved between two events does not come back to the later one from where it is parked", async () => {
  const calls: string[] = [];
  const first = nativeSink(() => undefined, { ...ONCE, maxFirings: 1000 });
  const later = nativeSink((msg) => void calls.push(msg.id));
  await using house = await openHouse({
    maxInMemory: 20,
    sinks: [first],
    laterSinks: { OnPostCategorize: [later] },
  });
  const { world, clock } = house;
  // Crowded, and not full: nearly all of the others are parked.
  world.answers.set("dead.example", () => unreachable());
  for (let sent = 0; sent < 40; sent += 1) await house.accept(["a@dead.example"]);
  for (let minute = 0; minute < 10; minute += 1) {
    await clock.advance(MINUTE);
    await setTimeout(20);
  }
  const answer = Promise.withResolvers<void>();
  world.answer = async (message) => {
    await answer.promise;
    return accepted(message);
  };
  // More than a next hop that has not answered yet is tried with, and than its queue keeps.
  for (let sent = 0; sent < 14; sent += 1) await house.accept(["a@slow.example"]);
  answer.resolve();
  world.answers.clear();
  await until(async () => {
    await clock.advance(5 * MINUTE);
    return house.transport.depths().messages === 0;
  });
  expect(calls).toHaveLength(54);
});
