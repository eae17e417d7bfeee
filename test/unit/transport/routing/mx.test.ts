import { expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import {
  createMxLookup,
  type MxAnswer,
  type MxRecord,
  type MxResolver,
  type MxSettings,
} from "../../../../src/transport/routing/mx.ts";

interface Zone {
  readonly mx?: Record<string, readonly MxRecord[] | string>;
  readonly a?: Record<string, readonly string[] | string>;
  readonly aaaa?: Record<string, readonly string[] | string>;
}

/** A DNS of constants: a string is the error code. What is not listed exists without records. */
function zoneResolver(zone: Zone, asked: string[] = []): MxResolver {
  const answer = <T>(name: string, found: readonly T[] | string | undefined): Promise<readonly T[]> => {
    asked.push(name);
    const code = found === undefined ? "ENODATA" : found;
    if (typeof code === "string") return Promise.reject(Object.assign(new Error(code), { code }));
    return Promise.resolve(code);
  };
  return {
    resolveMx: (domain) => answer(domain, zone.mx?.[domain]),
    resolve4: (host) => answer(host, zone.a?.[host]),
    resolve6: (host) => answer(host, zone.aaaa?.[host]),
  };
}

const lookUp = (domain: string, zone: Zone, settings: Partial<MxSettings> = {}): Promise<MxAnswer> =>
  createMxLookup(settings, zoneResolver(zone), systemClock, () => 0.5).nextHops(domain);

const hostsOf = (answer: MxAnswer): string[] =>
  answer.kind === "hops" ? answer.hops.map(({ host }) => host) : [];

test("hosts come by preference with their addresses", async () => {
  const mx = [
    { exchange: "b.example", priority: 20 },
    { exchange: "a.example", priority: 10 },
  ];
  const answer = await lookUp("x.example", {
    mx: { "x.example": mx },
    a: { "a.example": ["192.0.2.1"], "b.example": ["192.0.2.2"] },
  });
  expect(answer).toEqual({
    kind: "hops",
    hops: [
      { host: "a.example", port: 25, addresses: ["192.0.2.1"] },
      { host: "b.example", port: 25, addresses: ["192.0.2.2"] },
    ],
  });
});

test("hosts of equal preference are shuffled by the given source", async () => {
  const draws = [0.9, 0.1];
  const mx = {
    "x.example": [
      { exchange: "a.example", priority: 1 },
      { exchange: "b.example", priority: 1 },
    ],
  };
  const resolver = zoneResolver({ mx, a: { "a.example": ["192.0.2.1"], "b.example": ["192.0.2.2"] } });
  const lookup = createMxLookup({}, resolver, systemClock, () => draws.shift() ?? 0);
  expect(hostsOf(await lookup.nextHops("x.example"))).toEqual(["b.example", "a.example"]);
});

test("without MX the domain itself is the host", async () => {
  expect(hostsOf(await lookUp("x.example", { a: { "x.example": ["192.0.2.1"] } }))).toEqual(["x.example"]);
});

test.each<[string, Zone, number, string]>([
  ["a null MX is permanent", { mx: { "x.example": [{ exchange: "", priority: 0 }] } }, 556, "1.10"],
  ["NXDOMAIN is permanent", { mx: { "x.example": "ENOTFOUND" } }, 550, "1.2"],
  ["SERVFAIL is transient", { mx: { "x.example": "ESERVFAIL" } }, 451, "4.3"],
  ["a timeout is transient", { mx: { "x.example": "ETIMEOUT" } }, 451, "4.3"],
  ["no address at all is permanent", {}, 550, "1.2"],
  [
    "a host's SERVFAIL is transient",
    { mx: { "x.example": [{ exchange: "a.example", priority: 0 }] }, a: { "a.example": "ESERVFAIL" } },
    451,
    "4.3",
  ],
])("%s (N07)", async (_title, zone, code, detail) => {
  expect(await lookUp("x.example", zone)).toMatchObject({ kind: "failed", reply: { code, detail } });
});

test("ten thousand MX count as ten (N07)", async () => {
  const mx = Array.from({ length: 10_000 }, (_, place) => ({
    exchange: `h${place}.example`,
    priority: place,
  }));
  const a = Object.fromEntries(mx.map(({ exchange }) => [exchange, ["192.0.2.1"]]));
  expect(hostsOf(await lookUp("x.example", { mx: { "x.example": mx }, a }))).toHaveLength(10);
});

test("from the first host that is ourselves on, none is used; when none is left it is a loop (N07)", async () => {
  const mx = ["a", "me", "c"].map((name, place) => ({ exchange: `${name}.example`, priority: place }));
  const a = { "a.example": ["192.0.2.1"], "me.example": ["127.0.0.1"], "c.example": ["192.0.2.3"] };
  const own = { ownAddresses: ["127.0.0.1"] };
  expect(hostsOf(await lookUp("x.example", { mx: { "x.example": mx }, a }, own))).toEqual(["a.example"]);
  expect(await lookUp("x.example", { mx: { "x.example": mx.slice(1) }, a }, own)).toMatchObject({
    reply: { code: 554, detail: "4.6" },
  });
  expect(await lookUp("[127.0.0.1]", {}, own)).toMatchObject({ reply: { code: 554 } });
});

test("hosts that have IPv6 addresses only are used, also without MX (N07)", async () => {
  const aaaa = { "a.example": ["2001:db8::1"], "x.example": ["2001:db8::2"] };
  const mx = { "x.example": [{ exchange: "a.example", priority: 0 }] };
  expect(await lookUp("x.example", { mx, aaaa })).toMatchObject({
    hops: [{ host: "a.example", addresses: ["2001:db8::1"] }],
  });
  expect(await lookUp("x.example", { aaaa })).toMatchObject({
    hops: [{ host: "x.example", addresses: ["2001:db8::2"] }],
  });
});

test("a host that does not exist, or whose one address family fails, is no reason to give up the others (N07)", async () => {
  const mx = {
    "x.example": ["gone", "half", "good"].map((name, priority) => ({
      exchange: `${name}.example`,
      priority,
    })),
  };
  const zone: Zone = {
    mx,
    a: { "gone.example": "ENOTFOUND", "half.example": "ESERVFAIL", "good.example": ["192.0.2.1"] },
    aaaa: { "gone.example": "ENOTFOUND", "half.example": ["2001:db8::1"] },
  };
  expect(hostsOf(await lookUp("x.example", zone))).toEqual(["half.example", "good.example"]);
});

test("address literals need no DNS", async () => {
  expect(hostsOf(await lookUp("[192.0.2.9]", {}))).toEqual(["192.0.2.9"]);
  expect(hostsOf(await lookUp("[IPv6:2001:db8::1]", {}))).toEqual(["2001:db8::1"]);
  expect(await lookUp("[nonsense]", {})).toMatchObject({ reply: { code: 553 } });
});

test("an answer is kept for a short time and the cache is bounded", async () => {
  const asked: string[] = [];
  let now = 0;
  const clock = { ...systemClock, now: () => now };
  const a = { "x.example": ["192.0.2.1"], "y.example": ["192.0.2.2"] };
  const lookup = createMxLookup({ maxCacheEntries: 1 }, zoneResolver({ a }, asked), clock);
  await lookup.nextHops("x.example");
  await lookup.nextHops("X.example");
  expect(asked).toHaveLength(3);
  await lookup.nextHops("y.example");
  await lookup.nextHops("x.example");
  expect(asked).toHaveLength(9);
  now = 60_000;
  await lookup.nextHops("x.example");
  expect(asked).toHaveLength(12);
});
