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
import { type Peer, type PeerSession, SILENCE, startPeer } from "./smtp/client/support.ts";

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

test("a reload that is refused leaves the count of outgoing connections as it is", async () => {
  await using folder = await tempFolder("relay");
  const one = await startPeer({ answers: { ".": SILENCE } });
  const other = await startPeer({ answers: { ".": SILENCE } });
  const file = path.join(folder.path, "onarrival.yaml");
  const load = async (maxConnections: number, more = ""): ReturnType<typeof loadConfig> => {
    await writeFile(
      file,
      `virtualServers:
  - name: a
    listen: ["127.0.0.1:0"]
    outbound: { maxConnections: ${maxConnections} }
    delivery: { mx: true }
    domains:
      remote:
        - { name: one.example, smartHost: "127.0.0.1:${one.port}" }
        - { name: other.example, smartHost: "127.0.0.1:${other.port}" }
${more}`,
    );
    return loadConfig(file);
  };
  const relay = await startRelay(await load(1), silentLogger, systemClock);
  try {
    const port = Number(relay.addresses[0]?.split(":")[1]);
    await send(port, { to: "a@one.example", data: plainMessage("x") });
    await eventually(() => openOf(one) === 1);
    const taken = `  - { name: b, listen: ["127.0.0.1:${one.port}"] }\n`;
    await expect(relay.reload(await load(5, taken))).rejects.toMatchObject({ code: "LISTEN_FAILED" });
    await relay.reload(await load(1));
    await send(port, { to: "a@other.example", data: plainMessage("x") });
    await sleep(200);
    expect([openOf(one), openOf(other)]).toEqual([1, 0]);
  } finally {
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await relay.stop();
  }
});

/** A relay whose mail for others goes to `peer`, and how to load it with other settings. */
async function relayTo(
  peer: Peer,
  folder: string,
  settings = "maxRecipients: 1",
): Promise<{ port: number; reload: (outbound: string) => Promise<void>; stop: () => Promise<void> }> {
  const file = path.join(folder, "onarrival.yaml");
  const load = async (outbound: string): ReturnType<typeof loadConfig> => {
    await writeFile(
      file,
      `virtualServers: [{ listen: ["127.0.0.1:0"], outbound: { ${outbound} }, delivery: { smartHost: "127.0.0.1:${peer.port}" } }]\n`,
    );
    return loadConfig(file);
  };
  const relay = await startRelay(await load(settings), silentLogger, systemClock);
  return {
    port: Number(relay.addresses[0]?.split(":")[1]),
    reload: async (outbound) => relay.reload(await load(outbound)),
    stop: () => relay.stop(),
  };
}

test("a message that goes in several transactions goes on beside a reload", async () => {
  await using folder = await tempFolder("relay");
  let contents = 0;
  await using peer = await startPeer({ answers: { ".": () => (++contents === 1 ? SILENCE : "250 Ok") } });
  const relay = await relayTo(peer, folder.path);
  try {
    await send(relay.port, { to: ["a@x.test", "b@x.test", "c@x.test"], data: plainMessage("x") });
    await eventually(() => peer.sessions[0]?.messages.length === 1);
    await relay.reload("maxRecipients: 1, idleMs: 1000");
    peer.sessions[0]?.socket.write("250 Ok\r\n");
    await eventually(() => peer.sessions.flatMap(({ messages }) => messages).length === 3);
    const taken = peer.sessions.flatMap(({ lines }) => lines.filter((line) => line.startsWith("RCPT")));
    expect(taken.map((line) => line.slice(0, 18))).toEqual([
      "RCPT TO:<a@x.test>",
      "RCPT TO:<b@x.test>",
      "RCPT TO:<c@x.test>",
    ]);
  } finally {
    await relay.stop();
  }
});

test("a next hop that fails as it was spoken to before a reload is tried at once as it is spoken to now", async () => {
  await using folder = await tempFolder("relay");
  await using peer = await startPeer({
    answers: { EHLO: (_, { number }) => (number === 1 ? SILENCE : "250 peer") },
  });
  const relay = await relayTo(peer, folder.path);
  try {
    await send(relay.port, { to: "a@x.test", data: plainMessage("x") });
    await eventually(() => peer.sessions[0]?.lines.length === 1);
    await relay.reload("keywords: []");
    peer.sessions[0]?.socket.destroy();
    await eventually(() => peer.sessions[1]?.messages.length === 1);
    await send(relay.port, { to: "b@x.test", data: plainMessage("x") });
    await eventually(() => peer.sessions[1]?.messages.length === 2);
  } finally {
    await relay.stop();
  }
});

test("recipients that are too many for a next hop go in further transactions at once, each to be taken once", async () => {
  await using folder = await tempFolder("relay");
  const taken: string[] = [];
  const answer = (line: string, { accepted }: PeerSession): string => {
    const name = /<(\w+)@/.exec(line)?.[1] ?? "";
    if (name === "gone") return "550 5.1.1 No";
    if (accepted.filter((verb) => verb === "RCPT").length === 2) return "452 4.5.3 Too many recipients";
    if (name === "full") return "452 4.2.2 Mailbox full";
    taken.push(name);
    return "250 Ok";
  };
  await using peer = await startPeer({ answers: { RCPT: answer } });
  const relay = await relayTo(peer, folder.path, "maxRecipients: 6");
  try {
    const to = ["a", "b", "c", "gone", "full", "d", "e", "f"].map((name) => `${name}@x.test`);
    await send(relay.port, { from: "", to, data: plainMessage("x") });
    await eventually(() => peer.sessions.flatMap(({ messages }) => messages).length === 3);
    expect(taken).toEqual(["a", "b", "c", "d", "e", "f"]);
  } finally {
    await relay.stop();
  }
});
