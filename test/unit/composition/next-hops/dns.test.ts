// The DNS of the routes as the service asks it: real questions over UDP to servers that answer, refuse, or say nothing.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import { createServerMxLookup } from "../../../../src/composition/next-hops/dns.ts";
import { checkConfig } from "../../../../src/config/load.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import type { MxLookup } from "../../../../src/transport/routing/mx.ts";
import { type Zone, startDnsServer } from "../../../support/dns-zone.ts";

function lookupAt(...servers: readonly string[]): MxLookup {
  const text = `dns: { servers: [${servers.map((one) => `"${one}"`).join(", ")}], timeoutMs: 100, tries: 1, cacheMs: 0 }`;
  const { virtualServers, dns } = checkConfig(text, "onarrival.yaml");
  const [server] = virtualServers;
  if (server === undefined) throw new Error("there is no virtual server");
  return createServerMxLookup(server, dns, systemClock);
}

const WORKING: Zone = { "x.example": { MX: ["10 mx.x.example"] }, "mx.x.example": { A: ["192.0.2.1"] } };
const FOUND = { kind: "hops", hops: [{ host: "mx.x.example" }] };
const LATER = { kind: "failed", reply: { code: 451, detail: "4.3" } };

test("N07 a server that fails makes mail wait, and is believed again when it answers", async () => {
  const zone: Zone = { "x.example": { MX: "SERVFAIL" } };
  await using server = await startDnsServer(zone);
  const lookup = lookupAt(server.address);
  expect(await lookup.nextHops("x.example")).toMatchObject(LATER);
  Object.assign(zone, WORKING);
  expect(await lookup.nextHops("x.example")).toMatchObject(FOUND);
  expect(await lookup.nextHops("gone.example")).toMatchObject({ kind: "failed", reply: { code: 550 } });
});

test("N07 a server that says nothing makes mail wait, unless the next one answers", async () => {
  const silent = createSocket("udp4").bind(0, "127.0.0.1");
  await once(silent, "listening");
  const mute = `127.0.0.1:${silent.address().port}`;
  await using server = await startDnsServer(WORKING);
  try {
    expect(await lookupAt(mute).nextHops("x.example")).toMatchObject(LATER);
    expect(await lookupAt(mute, server.address).nextHops("x.example")).toMatchObject(FOUND);
  } finally {
    silent.close();
  }
});
