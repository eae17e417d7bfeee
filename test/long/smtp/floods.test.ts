// Floods against one listener in this process: whoever floods is told to go, others are served, memory and descriptors are flat.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { type RunningListener, startListener, Talk } from "../../unit/smtp/server/support.ts";

const MIB = 1024 * 1024;

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const resident = (): number => process.memoryUsage().rss;

async function expectServed(run: RunningListener, localAddress = "127.0.0.1"): Promise<number> {
  const started = performance.now();
  const socket = connect({ port: run.port, host: "127.0.0.1", localAddress, noDelay: true });
  const talk = new Talk(socket);
  expect(await talk.greet()).toMatch(/^250/);
  await talk.toData();
  expect(await talk.say("x\r\n.")).toMatch(/^250/);
  talk.socket.destroy();
  return performance.now() - started;
}

/** What the attack leaves behind: nothing that grows with its size. */
async function flat(run: RunningListener, attack: () => Promise<void>, headroomMib = 128): Promise<void> {
  await expectServed(run);
  await expect.poll(() => run.listener.connections).toBe(0);
  const before = { fds: descriptors(), rss: resident() };
  let peak = before.rss;
  const watch = setInterval(() => (peak = Math.max(peak, resident())), 20);
  await attack();
  clearInterval(watch);
  await expect.poll(() => run.listener.connections, { timeout: 20_000 }).toBe(0);
  await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThanOrEqual(before.fds + 2);
  expect((peak - before.rss) / MIB).toBeLessThan(headroomMib);
  await expectServed(run);
}

async function pour(socket: Socket, bytes: Buffer, total: number): Promise<number> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  let sent = 0;
  while (sent < total && !socket.destroyed && socket.writable) {
    sent += bytes.length;
    if (!socket.write(bytes)) await Promise.race([once(socket, "drain").catch(() => undefined), closed]);
  }
  return sent;
}

const opened = async (port: number, count: number, localAddress?: string): Promise<Socket[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({
        port,
        host: "127.0.0.1",
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    }),
  );

async function allClosed(sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) if (!socket.closed) await once(socket, "close").catch(() => undefined);
}

test("S01 a gigabyte without a line end is refused at the line cap", async () => {
  await using run = await startListener();
  await flat(run, async () => {
    for (let round = 0; round < 64; round += 1) {
      const talk = await run.open();
      const heard = talk.rest();
      await pour(talk.socket, Buffer.alloc(MIB, "a"), 16 * MIB);
      expect(await heard).toMatch(/500 5\.5\.6 Command line too long\r\n$/);
    }
  });
});

test("S01 a gigabyte of content beyond the limit is counted, not kept", async () => {
  await using run = await startListener({ settings: { maxMessageSize: MIB, maxSessionSize: 2048 * MIB } });
  await flat(run, async () => {
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    await pour(talk.socket, Buffer.from(`${"x".repeat(1022)}\r\n`.repeat(1024)), 1024 * MIB);
    expect(await talk.say(".")).toMatch(/^552 5\.3\.4/);
    talk.socket.destroy();
  });
}, 120_000);

describe("S02 slow senders", () => {
  test("five hundred that send a byte now and then end at their deadline, others are not kept waiting", async () => {
    await using run = await startListener({
      settings: { idleTimeoutMs: 6000, minDataRate: 1000, dataRateGraceMs: 4000 },
    });
    await flat(run, async () => {
      const sockets = await opened(run.port, 500);
      const ended = Promise.all(sockets.map((socket) => once(socket.resume(), "close")));
      for (const [index, socket] of sockets.entries())
        if (index % 2 === 0) socket.write("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
      const drip = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write("x");
      }, 500);
      const waits = [await expectServed(run), await expectServed(run), await expectServed(run)];
      await ended;
      clearInterval(drip);
      // The slow ones hold on for at least four seconds.
      expect(Math.max(...waits)).toBeLessThan(3500);
    });
    expect(run.intake.messages.every(({ envelope }) => envelope.sender !== "")).toBe(true);
  }, 60_000);
});

test("S03 a flood of connections from one address: it hears 421, other addresses are served", async () => {
  await using run = await startListener({ settings: { maxConnectionsPerAddress: 20 } });
  await flat(run, async () => {
    const kept = await opened(run.port, 20, "127.0.0.9");
    for (let round = 0; round < 20; round += 1) {
      const flood = await opened(run.port, 50, "127.0.0.9");
      const texts = await Promise.all(
        flood.map(async (socket) => {
          let heard = "";
          socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
          await once(socket, "close");
          return heard;
        }),
      );
      expect(texts.filter((text) => text !== "" && !text.startsWith("421 4.7.0"))).toEqual([]);
      await expectServed(run, `127.0.0.${20 + round}`);
    }
    for (const socket of kept) socket.destroy();
  });
}, 60_000);

test.each([
  "NOOP",
  "RSET",
  "VRFY root",
  "HELP",
  "XFOO",
  "EXPN x",
  "MAIL FROM:<>",
  "RCPT TO:<x@elsewhere.org>",
  "EHLO x",
  "HELO x\r\nMAIL FROM:<>\r\nRSET",
  "AUTH PLAIN =",
])(
  "S05 a hundred sessions of ten thousand times %s",
  async (line) => {
    await using run = await startListener();
    await flat(run, async () => {
      for (let round = 0; round < 10; round += 1) {
        await Promise.all(
          Array.from({ length: 10 }, async () => {
            const talk = await run.open();
            talk.write(`${line}\r\n`.repeat(10_000));
            const heard = await talk.rest();
            expect(heard).toMatch(/421 4\.7\.0 Too many errors\r\n$/);
          }),
        );
        await expectServed(run);
      }
    });
  },
  120_000,
);

test("S10 two thousand clients that leave behind the final dot have sent one message each, at most", async () => {
  await using run = await startListener();
  await flat(run, async () => {
    for (let round = 0; round < 40; round += 1) {
      const sockets = await opened(run.port, 50);
      for (const socket of sockets) {
        socket.write(
          `EHLO x\r\nMAIL FROM:<a${round}@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nx\r\n.\r\n`,
        );
        if (round % 2 === 0) socket.end();
        else setTimeout(() => socket.resetAndDestroy(), round % 7);
        socket.resume();
      }
      await allClosed(sockets);
    }
  });
  const perSender = Map.groupBy(run.intake.messages, ({ envelope }) => envelope.sender);
  perSender.delete("a@example.net");
  expect([...perSender.values()].every((messages) => messages.length <= 50)).toBe(true);
  expect(perSender.get("a0@example.net")).toHaveLength(50);
}, 120_000);

test("S26 ten thousand connections that are reset in every state leave no descriptor", async () => {
  await using run = await startListener();
  const states = [
    "",
    "EHLO x\r\n",
    "EHLO x\r\nMAIL FROM:<>\r\n",
    "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nhalf",
    "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nBDAT 100\r\nhalf",
    "NOOP\r\n".repeat(200),
  ];
  await flat(run, async () => {
    for (let round = 0; round < 200; round += 1) {
      const sockets = await opened(run.port, 50);
      for (const [index, socket] of sockets.entries()) {
        socket.write(states[index % states.length] ?? "");
        if (index % 3 === 0) socket.end();
        else if (index % 3 === 1) socket.resetAndDestroy();
        else setImmediate(() => socket.resetAndDestroy());
        socket.resume();
      }
      await allClosed(sockets);
    }
  });
}, 120_000);
