import { describe, expect, test } from "vitest";
import {
  type RouterSettings,
  createRouter,
  groupByRoute,
  isFinalDelivery,
} from "../../../../src/transport/routing/router.ts";

const router = (remote: RouterSettings["remote"], localDomains = ["local.example", "*.sub.example"]) =>
  createRouter({ localDomains, remote });
const mx = { kind: "mx", port: 25 } as const;

describe("an address", () => {
  test.each([
    "a@local.example",
    "a@LOCAL.Example",
    "a@local.example.",
    "a@deep.er.sub.example",
    "postmaster",
  ])("%s is local", (address) => {
    expect(router(mx).routeOf(address)).toEqual({ kind: "local", key: "local" });
  });

  test.each([
    "a@other.example",
    "a@sub.example",
    "a@notlocal.example",
    "a@xsub.example",
    "a@local.example.org",
  ])("%s is not", (address) => {
    expect(router(mx).routeOf(address).kind).toBe("mx");
  });

  test("has one queue per domain, however its case and whether it ends in a dot", () => {
    const keys = ["a@Far.Example", "b@far.example.", '"x@y"@far.example'].map(
      (address) => router(mx).routeOf(address).key,
    );
    expect(keys).toEqual(["far.example", "far.example", "far.example"]);
  });

  test("goes the way of its domain, in a queue of its own; the most special name counts", () => {
    const hub = { kind: "smart-host", host: "hub.example", port: 25 } as const;
    const routes = createRouter({
      localDomains: ["local.example", "*.group.example"],
      remote: hub,
      domains: [
        { name: "*.partner.example", delivery: hub, onDemand: false },
        { name: "far.group.example", delivery: mx, onDemand: false },
        { name: "*.asks.example", delivery: hub, onDemand: true },
      ],
    });
    const keys = ["a.partner.example", "b.partner.example", "partner.example"].map(
      (domain) => routes.routeOf(`a@${domain}`).key,
    );
    expect(keys).toEqual([
      "hub.example:25 for *.partner.example",
      "hub.example:25 for *.partner.example",
      "hub.example:25",
    ]);
    expect(routes.routeOf("a@near.group.example").kind).toBe("local");
    expect(routes.routeOf("a@far.group.example")).toMatchObject({ kind: "mx", entry: "far.group.example" });
    expect(routes.routeOf("a@x.asks.example")).toMatchObject({
      key: "hub.example:25 for x.asks.example",
      entry: "*.asks.example",
      onDemand: "x.asks.example",
    });
  });

  test("goes out although all other mail stays here, when its domain has a way", () => {
    const domains = [{ name: "far.example", delivery: mx, onDemand: false }];
    const routes = createRouter({ localDomains: [], remote: { kind: "drop" }, domains });
    expect(["a@far.example", "a@other.example"].map((address) => routes.routeOf(address).kind)).toEqual([
      "mx",
      "local",
    ]);
  });

  test("goes where the message says, local ones too", () => {
    expect(router(mx).routeOf("a@local.example", "hub.example:2525")).toEqual({
      kind: "smart-host",
      key: "hub.example:2525",
      host: "hub.example",
      port: 2525,
    });
    expect(router({ kind: "drop" }).routeOf("a@far.example", "[2001:db8::1]:25")).toMatchObject({
      key: "[2001:db8::1]:25",
      host: "2001:db8::1",
      port: 25,
    });
  });

  test("goes to the LMTP server when local mail has one, and what else stays here to Drop", () => {
    const lmtp = { host: "127.0.0.1", port: 24 };
    const routes = createRouter({ localDomains: ["local.example"], lmtp, remote: { kind: "drop" } });
    expect(routes.routeOf("a@local.example")).toMatchObject({
      kind: "lmtp",
      key: "lmtp:127.0.0.1:24",
      ...lmtp,
    });
    expect(routes.routeOf("postmaster").kind).toBe("lmtp");
    expect(routes.routeOf("a@far.example").kind).toBe("local");
    expect(createRouter({ localDomains: [], lmtp, remote: mx }).routeOf("a@far.example").kind).toBe("mx");
  });

  test("goes to an LMTP server in place of a smart host, by its socket as well", () => {
    const hop = { host: "localhost", port: 0, socketPath: "/run/lmtp" };
    expect(router({ kind: "lmtp", ...hop }).routeOf("a@far.example")).toMatchObject({
      key: "lmtp:/run/lmtp",
      ...hop,
    });
    expect(router({ kind: "lmtp", ...hop }).routeOf("a@local.example").kind).toBe("local");
  });

  test("has arrived at Drop and at LMTP, and nowhere else", () => {
    expect(
      ["local", "lmtp:/run/lmtp", "lmtp:h:24", "lmtp.example", "far.example"].map(isFinalDelivery),
    ).toEqual([true, true, true, false, false]);
  });

  test("goes to the smart host when there is one, local ones excepted", () => {
    const smart = router({ kind: "smart-host", host: "hub", port: 2525 });
    expect(smart.routeOf("a@far.example")).toMatchObject({ kind: "smart-host", key: "hub:2525" });
    expect(smart.routeOf("a@near.example").key).toBe("hub:2525");
    expect(smart.routeOf("a@local.example").kind).toBe("local");
  });

  test("goes to Drop, whatever its domain, when nothing may leave the machine", () => {
    expect(router({ kind: "drop" }).routeOf("a@far.example").kind).toBe("local");
  });
});

test("only recipients that wait are grouped", () => {
  const record = (address: string, state: "pending" | "relayed") => ({ recipient: { address }, state });
  const groups = groupByRoute(router(mx), [
    record("a@one.example", "pending"),
    record("b@one.example", "relayed"),
    record("c@two.example", "pending"),
    record("d@ONE.example", "pending"),
    record("e@two.example", "pending"),
  ]);
  const found = groups.map(({ route, records }) => [
    route.key,
    records.map(({ recipient }) => recipient.address),
  ]);
  expect(found).toEqual([
    ["one.example", ["a@one.example", "d@ONE.example"]],
    ["two.example", ["c@two.example", "e@two.example"]],
  ]);
});
