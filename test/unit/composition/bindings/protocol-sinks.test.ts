import { expect, test } from "vitest";
import { ProtocolSinks } from "../../../../src/composition/bindings/protocol-sinks.ts";
import { configSchema, type VirtualServerSettings } from "../../../../src/config/schema.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { protocolResult } from "../../../../src/events/contexts/protocol-contexts.ts";
import { runProtocolSinks } from "../../../../src/events/protocol-chain.ts";
import { defineSink } from "../../../../src/events/sink.ts";
import { codesOf, destinationTo, messageOf, startPeer } from "../../smtp/client/support.ts";
import { startListener } from "../../smtp/server/support.ts";

const { virtualServers } = configSchema.parse({
  virtualServers: [{ name: "inside" }, { name: "outside", listen: ["127.0.0.1:0"] }],
});

const configured = (displayName: string, server: string | undefined) => ({
  settings: {
    id: `{${displayName}}`,
    displayName,
    event: "OnInboundCommand",
    sinkClass: "/sinks/x.ts",
    server,
  } as const,
  sink: defineSink({ event: "OnInboundCommand", onEvent: () => 0 }),
});

test("each listener has the sinks of its virtual server and those of all, from the next command on", () => {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  const [inside, outside] = virtualServers.map((server) => sinks.inbound(server));
  const names = (protocol: typeof inside): string[] =>
    protocol?.chain().sinks.map(({ binding }) => binding.displayName) ?? [];
  expect([names(inside), names(outside)]).toEqual([[], []]);
  const parts = { log: silentLogger, nextMessageId: () => "ID" };
  sinks.use({
    ...parts,
    configured: [configured("all", undefined), configured("one", "inside"), configured("two", "outside")],
  });
  expect([names(inside), names(outside)]).toEqual([
    ["all", "one"],
    ["all", "two"],
  ]);
  sinks.use({ ...parts, configured: [configured("one", "inside")] });
  expect([names(inside), names(outside)]).toEqual([["one"], []]);
});

test("a listener that goes on has the deadline, the default domain and the bag of the settings that count now", () => {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  const read = (keys: object): VirtualServerSettings => {
    const [server] = configSchema.parse({ virtualServers: [{ name: "inside", ...keys }] }).virtualServers;
    if (server === undefined) throw new Error("there is no virtual server");
    return server;
  };
  const inbound = sinks.inbound(read({ domains: { local: ["old.example"] } }));
  inbound.server.properties.set("kept", 1);
  expect([inbound.sinkDeadlineMs, inbound.server.defaultDomain]).toEqual([30_000, "old.example"]);
  sinks.follow(read({ domains: { local: ["new.example"] }, limits: { sinkTimeoutMs: 500 } }));
  expect([inbound.sinkDeadlineMs, inbound.server.defaultDomain]).toEqual([500, "new.example"]);
  expect(inbound.server.properties.get("kept")).toBe(1);
});

test.each([
  ["none", undefined, undefined],
  ["a file", { file: "people.yaml" }, { dsType: "file" }],
  ["bounds and no directory", { unknown: "fail" }, {}],
  [
    "LDAP without a bind",
    { ldap: { servers: ["ldap://dc1.example", "ldap://dc2.example"], base: "dc=example" } },
    { dsType: "ldap", dsHost: "dc1.example", port: 389, bindType: "anonymous", namingContext: "dc=example" },
  ],
  [
    "LDAP with a bind",
    {
      file: "people.yaml",
      ldap: { servers: ["ldaps://dc1.example"], base: "", bind: { dn: "cn=mail", password: "secret" } },
    },
    {
      dsType: "ldap",
      dsHost: "dc1.example",
      port: 636,
      bindType: "simple",
      user: "cn=mail",
      namingContext: "",
    },
  ],
])("sinks see in their server what categorizer it has: %s, and no password", (_, categorizer, seen) => {
  const { virtualServers: servers } = configSchema.parse({
    virtualServers: [categorizer === undefined ? {} : { categorizer }],
  });
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  const [described] = servers.map((server) => sinks.inbound(server).server);
  expect(described?.categorizer).toEqual(seen);
});

test("a protocol sink with maxFirings is called so often, whatever was counted before included", () => {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  const counts = new Map([["{twice}", 1]]);
  sinks.countBy(counts);
  const twice = configured("twice", undefined);
  const limited = { ...twice, settings: { ...twice.settings, maxFirings: 3 } };
  sinks.use({ log: silentLogger, nextMessageId: () => "ID", configured: [limited] });
  const [server] = virtualServers;
  if (server === undefined) throw new Error("there is a server");
  const protocol = sinks.inbound(server);
  let calls = 0;
  const bound = protocol.chain().sinks.map((sink) => ({ ...sink, onEvent: () => void (calls += 1) }));
  for (let command = 0; command < 5; command += 1)
    void runProtocolSinks(protocol, bound, { remember: () => () => undefined, comesBack: true }, "MAIL", "");
  expect([calls, counts.get("{twice}")]).toEqual([2, 3]);
});

type Failing = "OnInboundCommand" | "OnServerResponse" | "OnSessionEnd";

/** A sink that fails each time, with maxFirings 1. */
function failingOnce(event: Failing, rule?: string) {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  sinks.countBy(new Map());
  const seen = { calls: 0 };
  const onEvent = (): never => {
    seen.calls += 1;
    throw new Error("never");
  };
  const { settings } = configured("once", undefined);
  // Behind the built-in handler.
  const once = { ...settings, event, maxFirings: 1, priority: 30_000, sourceProperties: { rule } };
  sinks.use({
    log: silentLogger,
    nextMessageId: () => "ID",
    configured: [{ settings: once, sink: defineSink({ event, onEvent }) }],
  });
  const [server] = virtualServers;
  if (server === undefined) throw new Error("there is a server");
  return { seen, inbound: sinks.inbound(server), outbound: sinks.outbound(server) };
}

test("a command that a sink with maxFirings fails on meets it again", async () => {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  sinks.countBy(new Map());
  let calls = 0;
  const sink = defineSink({
    event: "OnInboundCommand",
    onEvent(context) {
      if ((calls += 1) === 1) throw new Error("not yet");
      context.setResponse("550 5.7.1 not for you\r\n");
      return protocolResult.skipRemaining;
    },
  });
  const { settings } = configured("once", undefined);
  const once = { settings: { ...settings, maxFirings: 1, sourceProperties: { rule: "RCPT" } }, sink };
  sinks.use({ log: silentLogger, nextMessageId: () => "ID", configured: [once] });
  const [server] = virtualServers;
  if (server === undefined) throw new Error("there is a server");
  await using run = await startListener({ protocol: sinks.inbound(server) });
  const talk = await run.open();
  await talk.greet();
  await talk.say("MAIL FROM:<a@example.net>");
  const said = [];
  for (let attempt = 1; attempt <= 3; attempt += 1)
    said.push((await talk.say("RCPT TO:<b@example.com>")).slice(0, 3));
  expect(said).toEqual(["451", "550", "250"]);
});

test.each([
  ["_EOD", "250"],
  ["QUIT", "221"],
])("%s stands when a sink with maxFirings fails behind it, and so does the call", async (verb, code) => {
  const { seen, inbound } = failingOnce("OnInboundCommand", verb);
  await using run = await startListener({ protocol: inbound });
  for (let session = 0; session < 3; session += 1) {
    const talk = await run.open();
    await talk.greet();
    for (const line of ["MAIL FROM:<a@example.net>", "RCPT TO:<b@example.com>", "DATA"]) await talk.say(line);
    const said = [await talk.say("Subject: x\r\n\r\nx\r\n."), await talk.say("QUIT")];
    expect(said.map((reply) => reply.slice(0, 3))).toContain(code);
  }
  expect(seen.calls).toBe(1);
});

test.each(["OnServerResponse", "OnSessionEnd"] as const)(
  "what %s is about does not come back when a sink with maxFirings fails on it: the call counts",
  async (event) => {
    const { seen, outbound } = failingOnce(event);
    await using peer = await startPeer();
    for (let session = 0; session < 2; session += 1) {
      const destination = destinationTo(peer, { protocol: outbound });
      expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
      await destination.close();
    }
    expect(seen.calls).toBe(1);
  },
);
