// Mail that waits for ETRN (RFC 1985, REFERENCE 6.5).
import { expect, test } from "vitest";
import type { RouterSettings } from "../../../../src/transport/routing/router.ts";
import { accepted, HOUR, openHouse, TestCourier, unreachable, until, World } from "../transport-house.ts";

const MX = { kind: "mx", port: 25 } as const;
const router: RouterSettings = {
  localDomains: ["local.example"],
  remote: MX,
  domains: [{ name: "*.asks.example", delivery: MX, onDemand: true }],
};

const isOne = (domain: string): boolean => domain === "one.asks.example";

test("mail of a domain that asks for it waits until it does, and all of it goes then", async () => {
  await using house = await openHouse({ router });
  for (let count = 0; count < 50; count += 1) await house.accept([`a${count}@one.asks.example`]);
  await house.accept(["b@two.asks.example", "c@near.example"]);
  await until(() => house.world.sent.length === 1);
  await house.clock.advance(2 * HOUR);
  expect(house.world.sent.map(({ key }) => key)).toEqual(["near.example"]);
  const waiting = house.queue.filter(({ queue }) => queue === "one.asks.example");
  expect(new Set(waiting.map(({ state, reason }) => `${state}: ${reason}`))).toEqual(
    new Set(["retry: waits until its server asks for it by ETRN, or for `onarrival queue retry`"]),
  );
  expect(house.transport.admin.retryDomains(isOne)).toBe(50);
  await until(() => house.world.to("one.asks.example").length === 50);
  expect(house.world.to("two.asks.example")).toEqual([]);
  // What comes later waits for the next request.
  await house.clock.advance(2 * HOUR);
  const late = await house.accept(["late@one.asks.example"]);
  await house.clock.advance(HOUR);
  expect(house.world.to("one.asks.example")).toHaveLength(50);
  expect(house.transport.admin.retry([late])).toBe(1);
  await until(() => house.world.to("one.asks.example").length === 51);
});

test("a server that asks and is not there gets another chance only when it asks again", async () => {
  await using house = await openHouse({ router });
  await house.accept(["a@one.asks.example"]);
  house.world.answer = () => unreachable();
  house.transport.admin.retryDomains(isOne);
  await until(() => house.world.attempts.length === 1);
  await house.clock.advance(HOUR);
  expect(house.world.attempts).toHaveLength(1);
  house.world.answer = (message) => accepted(message);
  house.transport.admin.retryDomains(isOne);
  await house.empty();
  expect(house.world.to("one.asks.example")).toHaveLength(1);
});

test("what is asked for goes while other recipients of its message are under way", async () => {
  await using house = await openHouse({ router });
  const slow = Promise.withResolvers<void>();
  house.world.answers.set("near.example", async (message) => {
    await slow.promise;
    return accepted(message);
  });
  await house.accept(["a@one.asks.example", "b@near.example"]);
  await until(() => house.world.attempts.length === 1);
  expect(house.transport.admin.retryDomains(isOne)).toBe(1);
  await until(() => house.world.to("one.asks.example").length === 1);
  expect(house.transport.admin.retryDomains(isOne)).toBe(0);
  slow.resolve();
  await house.empty();
});

test("a frozen queue of such a domain is shown as frozen, and neither asking nor force opens it", async () => {
  await using house = await openHouse({ router });
  const { admin } = house.transport;
  await house.accept(["a@one.asks.example"]);
  await until(() => house.queue[0]?.state === "retry");
  await admin.freeze("one.asks.example");
  expect(house.queue[0]).toMatchObject({ state: "frozen", reason: expect.stringContaining("queue thaw") });
  expect(admin.force("one.asks.example")).toBe(0);
  await admin.thaw("one.asks.example");
  await house.clock.advance(HOUR);
  expect(house.world.attempts).toEqual([]);
  expect(admin.force("one.asks.example")).toBe(1);
  await house.empty();
});

test("what waits on disk is asked for like the rest, and says why it waits", async () => {
  await using house = await openHouse({ router, maxInMemory: 5 });
  for (let count = 0; count < 150; count += 1) await house.accept([`a${count}@one.asks.example`]);
  const { admin } = house.transport;
  await until(async () => (await admin.listParked(100)).length > 0, "messages on disk");
  const [parked] = await admin.listParked(1);
  expect(parked?.reason).toContain("waits until its server asks for it by ETRN");
  admin.retryDomains(isOne);
  await until(() => house.world.to("one.asks.example").length === 150);
});

const THROUGH_HOST: RouterSettings = {
  ...router,
  domains: [
    {
      name: "*.asks.example",
      delivery: { kind: "smart-host", host: "hub.example", port: 25 },
      onDemand: true,
    },
  ],
};
const ONE = "hub.example:25 for one.asks.example";
const TWO = "hub.example:25 for two.asks.example";

test("what waits on disk for a domain with its own smart host is counted and goes, by ETRN or by its id", async () => {
  await using house = await openHouse({ router: THROUGH_HOST, maxInMemory: 5 });
  for (let count = 0; count < 130; count += 1) await house.accept([`a${count}@One.asks.example`]);
  for (let count = 0; count < 130; count += 1) await house.accept([`b${count}@two.asks.example`]);
  const { admin } = house.transport;
  const all = (): number => admin.queues().reduce((sum, { messages }) => sum + messages, 0);
  await until(async () => all() === 260 && (await admin.listParked(200)).length > 100, "messages on disk");
  const parked = await admin.listParked(1000);
  const id = parked.find(({ queue }) => queue === TWO)?.id ?? "";
  expect(parked.some(({ queue }) => queue === ONE)).toBe(true);
  expect(
    admin.retryDomains((domain) => domain.endsWith(".asks.example") && domain !== "two.asks.example"),
  ).toBe(130);
  await until(() => house.world.sent.length === 130);
  expect(house.world.to(TWO)).toEqual([]);
  await house.clock.advance(HOUR);
  expect(admin.retry([id])).toBe(1);
  await until(() => house.world.to(TWO).some((sent) => sent.id === id));
});

test("a request soon after a restart is kept until all that waits is in its queue", async () => {
  await using house = await openHouse({ router: THROUGH_HOST, maxInMemory: 5 });
  for (let count = 0; count < 130; count += 1) await house.accept([`a${count}@one.asks.example`]);
  await using next = await house.crash();
  const { admin } = next.transport;
  expect(admin.retryDomains(isOne)).toBeUndefined();
  await until(async () => {
    // What sorts pauses by the clock. Longer than a request lasts.
    await next.clock.advance(5000);
    return next.world.to(ONE).length === 130;
  });
});

test("a new configuration starts nothing that waits to be asked for", async () => {
  await using house = await openHouse({ router });
  await house.accept(["a@one.asks.example"]);
  house.transport.reconfigure(house.live());
  await house.clock.advance(HOUR);
  expect(house.world.attempts).toEqual([]);
  house.transport.admin.force("one.asks.example");
  await house.empty();
});

test("a reload that lets a domain wait no longer sends what waits, and one that lets it wait keeps back what comes", async () => {
  await using house = await openHouse({ router });
  await house.accept(["a@one.asks.example"]);
  house.transport.reconfigure(house.live({ ...router, domains: [] }));
  await house.empty();
  expect(house.world.to("one.asks.example")).toHaveLength(1);
  house.transport.reconfigure(house.live(router));
  await house.accept(["b@one.asks.example"]);
  await house.clock.advance(HOUR);
  expect(house.world.to("one.asks.example")).toHaveLength(1);
});

test.each([
  ["the queue of a domain", 0],
  ["that of messages of a type", 7],
])("a reload gives %s what is said of the domain from then on", async (_, type) => {
  const world = new World();
  const routes: (string | undefined)[] = [];
  const plain: RouterSettings = { localDomains: [], remote: MX };
  await using house = await openHouse({
    router: plain,
    routerSinks: [
      (subject) => {
        if (subject.kind === "route")
          subject.router = { getNextHop: () => "default", getMessageType: () => type };
      },
    ],
    world,
    remoteCourier: (route) => {
      routes.push(route.entry);
      return new TestCourier(world, route.key);
    },
  });
  world.answer = () => unreachable();
  await house.accept(["a@bank.example"]);
  await until(() => world.attempts.length === 1);
  const domains = [{ name: "bank.example", delivery: MX, onDemand: false }];
  house.transport.reconfigure(house.live({ ...plain, domains }));
  house.transport.reconfigure(house.live(plain));
  expect(routes).toEqual([undefined, "bank.example", undefined]);
});
