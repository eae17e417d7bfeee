// Limits of outgoing connections of a running service, over reloads.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { startRelay } from "../../src/relay.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Peer, SILENCE, startPeer } from "./smtp/client/support.ts";

const openOf = (...peers: readonly Peer[]): number =>
  peers.flatMap(({ sessions }) => sessions).filter(({ socket }) => !socket.closed).length;

test("a reload keeps to the limits of outgoing connections while next hops are slow", async () => {
  await using folder = await tempFolder("relay");
  const silent = (): Promise<Peer> => startPeer({ answers: { ".": SILENCE } });
  const one = await silent();
  const other = await silent();
  const file = path.join(folder.path, "onarrival.yaml");
  const load = async (maxRecipients: number): ReturnType<typeof loadConfig> => {
    await writeFile(
      file,
      `virtualServers:
  - listen: ["127.0.0.1:0"]
    limits: { maxRecipients: ${maxRecipients} }
    outbound: { maxConnections: 10, maxConnectionsPerDestination: 2 }
    delivery: { mx: true }
    domains:
      remote:
        - { name: one.example, smartHost: "127.0.0.1:${one.port}" }
        - { name: other.example, smartHost: "127.0.0.1:${other.port}" }
`,
    );
    return loadConfig(file);
  };
  const relay = await startRelay(await load(100), silentLogger, systemClock);
  try {
    const port = Number(relay.addresses[0]?.split(":")[1]);
    for (let index = 0; index < 6; index += 1)
      for (const to of ["a@one.example", "a@other.example"])
        await send(port, { to, data: plainMessage("x") });
    await eventually(() => openOf(one) === 2 && openOf(other) === 2);
    for (let reload = 0; reload < 4; reload += 1) {
      await relay.reload(await load(101 + reload));
      await sleep(50);
    }
    expect([openOf(one), openOf(other)]).toEqual([2, 2]);
  } finally {
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await relay.stop();
  }
});
