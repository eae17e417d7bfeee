// What the operator means by the name of a queue that he freezes: nothing of it leaves, whatever had mail at that time.
import { expect, test } from "vitest";
import type { RouterSettings } from "../../../../src/transport/routing/router.ts";
import { summaryOf } from "../many-messages.ts";
import { type House, MINUTE, openHouse, until } from "../transport-house.ts";

const SOCKET = "/srv/mail/Lmtp.Sock";
const router: RouterSettings = {
  localDomains: ["local.example"],
  remote: { kind: "smart-host", host: "LOCALHOST", port: 2621 },
  domains: [
    {
      name: "own.example",
      delivery: { kind: "smart-host", host: "LocalHost", port: 2621 },
      onDemand: false,
    },
    {
      name: "box.example",
      delivery: { kind: "lmtp", host: "localhost", port: 24, socketPath: SOCKET },
      onDemand: false,
    },
    { name: "six.example", delivery: { kind: "smart-host", host: "::1", port: 25 }, onDemand: false },
  ],
};

const DEFAULT = "LOCALHOST:2621";
const OWN = "LocalHost:2621 for own.example";
const BOX = `lmtp:${SOCKET} for box.example`;

const frozenOf = async (house: House, count: number): Promise<string[]> => {
  await until(() => house.queue.filter(({ state }) => state === "frozen").length === count, "frozen mail");
  await house.clock.advance(MINUTE);
  return house.queue.map(({ queue }) => queue).toSorted();
};

test.each([
  ["far.example", DEFAULT, DEFAULT],
  ["own.example", OWN, "localhost:2621 FOR own.example"],
  ["own.example", OWN, "LOCALHOST:2621"],
  ["box.example", BOX, BOX],
  ["box.example", BOX, `LMTP:${SOCKET}`],
  ["six.example", "::1:25 for six.example", "[::1]:25"],
])(
  "mail for %s waits in %s when %s was frozen before, and leaves when it is thawed",
  async (domain, key, name) => {
    await using house = await openHouse({ router });
    const { admin } = house.transport;
    expect(await admin.freeze(name)).toBe(true);
    await house.accept([`a@${domain}`]);
    expect(await frozenOf(house, 1)).toEqual([key]);
    expect(house.world.attempts).toEqual([]);
    expect(summaryOf(house, key)).toMatchObject({ messages: 1, frozen: true, frozenBy: "operator" });
    expect([admin.force(key), await admin.freeze(key.toUpperCase())]).toEqual([0, false]);
    expect(await admin.thaw(name)).toBe(true);
    await house.empty();
    expect(admin.queues().filter(({ frozen }) => frozen)).toEqual([]);
  },
);

test("a next hop is frozen and thawed with all its queues, also those that have no mail yet", async () => {
  await using house = await openHouse({ router });
  const { admin } = house.transport;
  await admin.freeze(OWN);
  await house.accept(["a@own.example"]);
  await frozenOf(house, 1);
  expect(await admin.freeze(DEFAULT)).toBe(true);
  await house.accept(["a@far.example"]);
  expect(await frozenOf(house, 2)).toEqual([DEFAULT, OWN]);
  // One of its queues does not go on alone, and whoever wants that is told with what it is frozen.
  expect([await admin.thaw(OWN), admin.frozenWith(OWN), admin.frozenWith(DEFAULT)]).toEqual([
    false,
    "localhost:2621",
    undefined,
  ]);
  expect(await frozenOf(house, 2)).toHaveLength(2);
  expect(await admin.thaw(DEFAULT)).toBe(true);
  await house.empty();
  expect(house.world.sent).toHaveLength(2);
});

test("local means the queue of an LMTP server too that takes the mail of local domains", async () => {
  const lmtp = { host: "localhost", port: 24, socketPath: SOCKET };
  await using house = await openHouse({ router: { ...router, lmtp } });
  const { admin } = house.transport;
  expect(await admin.freeze("Local")).toBe(true);
  await house.accept(["a@local.example"]);
  expect(await frozenOf(house, 1)).toEqual([`lmtp:${SOCKET}`]);
  expect([admin.force("local"), admin.frozenBy("local"), admin.frozenWith("local")]).toEqual([
    0,
    "operator",
    undefined,
  ]);
  expect(await admin.thaw("local")).toBe(true);
  await house.empty();
  expect(house.world.to(`lmtp:${SOCKET}`)).toHaveLength(1);
  expect(admin.queues().filter(({ frozen }) => frozen)).toEqual([]);
});

test.each([
  ["Drop", undefined],
  ["another one", { host: "localhost", port: 24, socketPath: SOCKET }],
])(
  "local stays frozen when an LMTP server takes the mail of local domains in the place of %s",
  async (_, lmtp) => {
    const now = { host: "store.example", port: 24 };
    await using house = await openHouse({ router: { ...router, lmtp } });
    const { transport } = house;
    const { admin } = transport;
    await admin.freeze("local");
    await house.accept(["a@local.example"]);
    await frozenOf(house, 1);
    transport.reconfigure(house.live({ ...router, lmtp: now }));
    await house.accept(["b@local.example"]);
    expect(await frozenOf(house, 2)).toEqual(["lmtp:store.example:24", "lmtp:store.example:24"]);
    expect(house.world.attempts).toEqual([]);
    expect(await admin.thaw("local")).toBe(true);
    await house.empty();
    expect(house.world.to("lmtp:store.example:24")).toHaveLength(2);
    transport.reconfigure(house.live({ ...router, lmtp }));
    expect(admin.queues().filter(({ frozen }) => frozen)).toEqual([]);
  },
);

test.each([
  ["several next hops", "freeze the next hops"],
  [" ", "no name of a queue"],
])('"%s" cannot be frozen', async (name, why) => {
  await using house = await openHouse();
  const { admin } = house.transport;
  await expect(admin.freeze(name)).rejects.toMatchObject({
    code: "WRONG_USE",
    message: expect.stringContaining(why),
  });
  expect(admin.queues().filter(({ frozen }) => frozen)).toEqual([]);
});
