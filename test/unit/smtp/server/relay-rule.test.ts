import { describe, expect, test } from "vitest";
import { createRelayRule } from "../../../../src/smtp/server/relay-rule.ts";
import { startListener } from "./support.ts";

// FAULTS S22: no spelling relays for a client without the right to.
const MATRIX: [path: string, code: string][] = [
  ["<b@example.com>", "250"],
  ["<B@EXAMPLE.COM>", "250"],
  ["<b@example.com.>", "250"],
  ["<@other.example:b@example.com>", "250"],
  ["<postmaster>", "250"],
  ["<b>", "250"],
  ['<"b c"@example.com>', "250"],
  ["<b@elsewhere.org>", "550"],
  ["<b@sub.example.com>", "550"],
  ["<b@notexample.com>", "550"],
  ["<b@example.com.elsewhere.org>", "550"],
  ["<b%elsewhere.org@example.com>", "550"],
  ["<elsewhere.org!b@example.com>", "550"],
  ['<"b@elsewhere.org"@example.com>', "550"],
  ["<b@elsewhere.org@example.com>", "501"],
  ["<@example.com:b@elsewhere.org>", "550"],
  ["<@example.com,@x.example:b@elsewhere.org>", "550"],
  ["<b@[127.0.0.1]>", "550"],
  ["<b@[IPv6:::1]>", "550"],
  ["<@example.com>", "501"],
  ["<b@>", "501"],
  ["<>", "501"],
  ["<b@example.com", "501"],
  ["b@example.com", "501"],
  ["<b@example.com>,<b@elsewhere.org>", "501"],
  ["<b@example.com>b@elsewhere.org", "501"],
  ["<b@example..com>", "501"],
  ["<b@exаmple.com>", "550"],
  ["<b@ｅxample。com>", "501"],
];

describe("a client without rights", () => {
  test.each(MATRIX)("S22 %s is answered %s", async (path, code) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<> SMTPUTF8");
    talk.write(Buffer.from(`RCPT TO:${path}\r\n`));
    expect(await talk.reply()).toMatch(new RegExp(`^${code} `));
  });

  test("the refusal names the address", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<b@example.com>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toBe("550 5.7.1 Unable to relay for x@elsewhere.org");
  });
});

test("an address of a relay network may send anywhere", async () => {
  await using run = await startListener({ settings: { relayNetworks: ["127.0.0.0/8"] } });
  const talk = await run.open();
  await talk.greet();
  await talk.say("MAIL FROM:<>");
  expect(await talk.say("RCPT TO:<x%y@elsewhere.org>")).toMatch(/^250/);
});

test("networks of both families and single addresses are told apart", () => {
  const rule = createRelayRule({
    localDomains: [],
    relayNetworks: ["10.0.0.0/8", "192.0.2.1", "fd00::/8"],
  });
  const trusted = ["10.1.2.3", "192.0.2.1", "fd12::1"];
  const others = ["11.0.0.1", "192.0.2.2", "fe80::1", "", "nonsense"];
  expect(trusted.every((address) => rule.isTrustedAddress(address))).toBe(true);
  expect(others.some((address) => rule.isTrustedAddress(address))).toBe(false);
  expect(rule.isAllowed("a@elsewhere.org", false)).toBe(false);
});

test("a list of those who may not relay lets everybody else", () => {
  const rule = createRelayRule({
    localDomains: [],
    relayNetworks: ["10.0.0.0/8"],
    relayMode: "except",
  });
  expect(["10.1.2.3", "192.0.2.1", "fd12::1"].map((address) => rule.isTrustedAddress(address))).toEqual([
    false,
    true,
    true,
  ]);
});

test("everybody may send to domains that are relayed to, and their subdomains where the name says so", () => {
  const rule = createRelayRule({
    localDomains: ["here.example", "*.sub.example"],
    remoteDomains: ["partner.example", "*.group.example"].map((name) => ({ name, relay: true })),
    relayNetworks: [],
  });
  const open = ["a@partner.example", "a@x.y.group.example", "a@deep.er.sub.example", "a@PARTNER.example."];
  const closed = [
    "a@group.example",
    "a@sub.example",
    "a@x.partner.example",
    "a@notpartner.example",
    "b%c@partner.example",
  ];
  expect(open.filter((address) => !rule.isAllowed(address, false))).toEqual([]);
  expect(closed.filter((address) => rule.isAllowed(address, false))).toEqual([]);
});

test("the most special name counts: a domain that is not relayed to may lie below one that is, or below a local one", () => {
  const rule = createRelayRule({
    localDomains: ["*.here.example"],
    remoteDomains: [
      { name: "*.group.example", relay: true },
      { name: "closed.group.example", relay: false },
      { name: "*.closed.group.example", relay: true },
      { name: "branch.here.example", relay: false },
    ],
    relayNetworks: [],
  });
  const domains = [
    "x.group.example",
    "closed.group.example",
    "x.closed.group.example",
    "x.here.example",
    "branch.here.example",
  ];
  expect(domains.map((domain) => rule.isAllowed(`a@${domain}`, false))).toEqual([
    true,
    false,
    true,
    true,
    false,
  ]);
  expect(rule.isAllowed("a@branch.here.example", true)).toBe(true);
});

test("a network that is none is a fault of the settings", () => {
  const settings = { localDomains: [], relayNetworks: ["10.0.0.0/99"] };
  expect(() => createRelayRule(settings)).toThrow('relayNetworks: "10.0.0.0/99" is no address or network');
});
