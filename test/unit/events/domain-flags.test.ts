// GetAuxDomainInfoFlags: what flags that sinks add to a domain do to its mail, in the router, in RCPT and at the next hop.
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { domainFlag } from "../../../src/events/contexts/domain-contexts.ts";
import { DomainFlags } from "../../../src/events/domain-flags.ts";
import { SystemSinks } from "../../../src/events/system-chain.ts";
import { defaultSmtpServerSettings } from "../../../src/smtp/server/settings.ts";
import { type RouterSettings, createRouter } from "../../../src/transport/routing/router.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { DEFAULT_DEADLINES } from "../../../src/smtp/client/destination.ts";
import {
  SILENCE,
  codesOf,
  destinationTo,
  messageOf,
  startPeer,
  unreachableOf,
} from "../smtp/client/support.ts";
import { startListener } from "../smtp/server/support.ts";
import { systemChain } from "../transport/transport-house.ts";

test("sinks are asked once a minute and domain, and anew when the bindings change; without sinks nothing is kept", async () => {
  const clock = new ManualClock();
  const sinks = new SystemSinks({ clock, log: silentLogger, sinkDeadlineMs: 0 });
  const asked: string[] = [];
  const asking = (flag: number) =>
    systemChain("GetAuxDomainInfoFlags", [
      (context) => {
        asked.push(context.domain);
        context.flags |= flag;
      },
    ]);
  let chain = systemChain("GetAuxDomainInfoFlags", []);
  const flags = new DomainFlags({ chain: () => chain, sinks, server: "default", clock });
  expect(flags.of("a.example")).toBe(0);
  chain = asking(domainFlag.noDsn);
  expect([flags.of("a.example"), flags.of("a.example"), flags.of("b.example")]).toEqual([
    0x400, 0x400, 0x400,
  ]);
  expect(asked).toEqual(["a.example", "b.example"]);
  await clock.advance(60_000);
  flags.of("a.example");
  chain = asking(domainFlag.alias);
  expect(flags.of("a.example")).toBe(domainFlag.alias);
  expect(asked).toEqual(["a.example", "b.example", "a.example", "a.example"]);
});

test.each([Number.NaN, 1.5, "1"])(
  "flags that are %s are a fault of the sink, and take nothing away from those before it",
  (wrong) => {
    const clock = new ManualClock();
    const sinks = new SystemSinks({ clock, log: silentLogger, sinkDeadlineMs: 0 });
    const chain = systemChain("GetAuxDomainInfoFlags", [
      (context) => void (context.flags |= domainFlag.requireTls),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a sink without types may do
      (context) => void (context.flags = wrong as number),
    ]);
    const flags = new DomainFlags({ chain: () => chain, sinks, server: "default", clock });
    expect(flags.of("bank.example")).toBe(domainFlag.requireTls);
  },
);

describe("the route of a domain", () => {
  const routeWith = (flag: number, more: Partial<RouterSettings> = {}) =>
    createRouter({
      localDomains: ["local.example"],
      remote: { kind: "mx", port: 25 },
      flagsOf: (domain) => (domain === "flagged.example" ? flag : 0),
      ...more,
    }).routeOf("user@Flagged.example");

  test("is Drop with localDrop, that of local mail with alias and localMailbox", () => {
    const lmtp = { host: "store.example", port: 24 };
    expect(routeWith(domainFlag.localDrop, { lmtp }).kind).toBe("local");
    expect(routeWith(domainFlag.alias, { lmtp }).kind).toBe("lmtp");
    expect(routeWith(domainFlag.localMailbox, { lmtp }).kind).toBe("lmtp");
    expect(routeWith(0)).toMatchObject({ kind: "mx", domain: "flagged.example" });
  });

  test("waits for ETRN with etrnOnly, by MX and by a smart host", () => {
    expect(routeWith(domainFlag.etrnOnly)).toMatchObject({ kind: "mx", onDemand: "flagged.example" });
    const remote = { kind: "smart-host", host: "hub.example", port: 25 } as const;
    expect(routeWith(domainFlag.etrnOnly, { remote })).toMatchObject({
      key: "hub.example:25 for flagged.example",
      onDemand: "flagged.example",
    });
  });
});

test.each(["relayAllowed", "alias", "localDrop", "localMailbox"] as const)(
  "with %s anybody may send to the domain, but not through it to others",
  async (name) => {
    await using run = await startListener({
      domainFlags: (domain) => (domain === "flagged.example" ? domainFlag[name] : 0),
    });
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("RCPT TO:<b@Flagged.example>")).toMatch(/^250/);
    expect(await talk.say("RCPT TO:<b@other.example>")).toMatch(/^550 5\.7\.1/);
    expect(await talk.say("RCPT TO:<c%other.example@flagged.example>")).toMatch(/^550 5\.7\.1/);
  },
);

test("with etrnOnly the domain may be asked for by ETRN, others may not", async () => {
  const asked = new Set<string>();
  await using run = await startListener({
    settings: { keywords: [...defaultSmtpServerSettings.keywords, "ETRN"] },
    domainFlags: (domain) => {
      asked.add(domain);
      return domain === "flagged.example" ? domainFlag.etrnOnly : 0;
    },
    startQueues: (isAsked) => ["flagged.example", "other.example"].filter((domain) => isAsked(domain)).length,
  });
  const talk = await run.open();
  await talk.greet();
  expect(await talk.say("ETRN Flagged.example")).toMatch(/^253 .* 1 /);
  expect(await talk.say("ETRN other.example")).toMatch(/^459/);
  expect(await talk.say("ETRN @other.example")).toMatch(/^459/);
  expect(asked).toEqual(new Set(["flagged.example", "other.example"]));
});

describe("a connection for the domain", () => {
  const EHLO =
    "250-peer.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-8BITMIME\r\n250 DSN";

  async function sent(flags: number, envelope: object = {}): Promise<{ lines: string[]; codes: number[] }> {
    await using peer = await startPeer({ answers: { EHLO } });
    const destination = destinationTo(peer, { domainFlags: () => flags, chunking: "always" });
    const to = [{ address: "bob@example.net", notify: ["FAILURE"] as const }];
    const outcome = await destination.deliver({ ...messageOf({ to, ...envelope }), crlfOnly: true });
    await destination.close();
    return { lines: [...(peer.sessions[0]?.lines ?? [])], codes: codesOf(outcome) };
  }

  test("uses what the next hop offers where no flag rules it out", async () => {
    const { lines } = await sent(0);
    expect(lines.join("\n")).toMatch(/^EHLO[^]*NOTIFY=FAILURE[^]*BDAT/);
  });

  test("uses no DSN parameters with noDsn, no BDAT with noChunking, no extension at all with heloOnly", async () => {
    expect((await sent(domainFlag.noDsn)).lines.join("\n")).not.toContain("NOTIFY");
    expect((await sent(domainFlag.noChunking)).lines).toContain("DATA");
    const plain = await sent(domainFlag.heloOnly);
    expect(plain.lines.slice(0, 3)).toEqual([
      "HELO relay.example",
      "MAIL FROM:<alice@example.com>",
      "RCPT TO:<bob@example.net>",
    ]);
    expect(plain.codes).toEqual([250]);
  });

  test("keeps binary content back with noBinaryMime", async () => {
    expect((await sent(domainFlag.noBinaryMime, { body: "BINARYMIME" })).codes[0]).toBe(554);
    expect((await sent(0, { body: "BINARYMIME" })).codes[0]).toBe(250);
  });

  test.each([
    [0, true],
    [domainFlag.noPipelining, false],
  ])("with flags %i sends RCPT before the reply to MAIL: %s", async (flags, isPipelined) => {
    await using peer = await startPeer({ answers: { MAIL: SILENCE } });
    const deadlines = { ...DEFAULT_DEADLINES, commandMs: 50, dataInitiationMs: 50, quitMs: 50 };
    const destination = destinationTo(peer, { domainFlags: () => flags, deadlines });
    await destination.deliver(messageOf());
    await destination.close();
    const lines = peer.sessions[0]?.lines ?? [];
    expect(lines.some((line) => line.startsWith("MAIL"))).toBe(true);
    expect(lines.some((line) => line.startsWith("RCPT"))).toBe(isPipelined);
  });

  test("is not made in clear with requireTls, and flags are asked for at each connection", async () => {
    await using peer = await startPeer();
    let flags: number = domainFlag.requireTls;
    const destination = destinationTo(peer, { domainFlags: () => flags });
    const { reply } = unreachableOf(await destination.deliver(messageOf()));
    expect(reply.text).toContain("TLS is required");
    flags = 0;
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    await destination.close();
  });
});
