import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import type { Clock } from "../../../../src/core/clock.ts";
import { defaultSmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import type { SmtpListener } from "../../../../src/smtp/server/smtp-listener.ts";
import { startListener } from "./support.ts";

test("an address in use is named in the fault, and the ones bound before are given back", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = address !== null && typeof address !== "string" ? address.port : 0;
  const listen = [
    { host: "127.0.0.1", port: 0 },
    { host: "127.0.0.1", port },
  ];
  await expect(startListener({ settings: { listen } })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
  await expect(startListener({ settings: { listen } })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: `,
  );
  taken.close();
});

test("several addresses serve the same sessions", async () => {
  const host = "127.0.0.1";
  await using run = await startListener({
    settings: {
      listen: [
        { host, port: 0 },
        { host, port: 0 },
      ],
    },
  });
  expect(new Set(run.ports).size).toBe(2);
});

test("a client over the limit is told 421, and gets in when another has left", async () => {
  await using run = await startListener({ settings: { maxConnections: 1 } });
  const first = await run.open();
  await first.greet();
  const second = await run.open();
  expect(await second.rest()).toMatch(/^421 4\.7\.0/);
  await first.say("QUIT");
  await first.rest();
  await expect.poll(() => run.listener.connections).toBe(0);
  const third = await run.open();
  expect(await third.reply()).toMatch(/^220/);
});

test("S03 the limit per address counts each address alone", async () => {
  await using run = await startListener({ settings: { maxConnectionsPerAddress: 2 } });
  const talks = [await run.open(), await run.open()];
  for (const talk of talks) expect(await talk.reply()).toMatch(/^220/);
  expect(await (await run.open()).rest()).toMatch(/^421 4\.7\.0/);
});

test("S25 closing tells idle sessions 421 and lets a transaction in hand finish", async () => {
  await using run = await startListener();
  const idle = await run.open();
  await idle.greet();
  const busy = await run.open();
  await busy.greet();
  await busy.toData();
  const closed = run.listener.close(5000);
  expect(await idle.rest()).toBe("421 4.3.2 Service shutting down\r\n");
  busy.write("x\r\n.\r\n");
  expect(await busy.rest()).toMatch(/^250 2\.6\.0 [^\r]*\r\n421 4\.3\.2 /);
  await closed;
  expect(run.intake.messages).toHaveLength(1);
  await expect(run.open()).rejects.toThrow();
});

/** Closes the listener in the very moment in which the next client comes. */
const closeAtNextClient = (listener: SmtpListener): Promise<void> =>
  new Promise((resolve, reject) => {
    const close = (): void => {
      unsubscribe("net.server.socket", close);
      listener.close(10).then(resolve, reject);
    };
    subscribe("net.server.socket", close);
  });

test("S25 a client that came in the very moment of closing is told 421, too, and keeps nobody waiting", async () => {
  await using run = await startListener();
  const closed = closeAtNextClient(run.listener);
  const talk = await run.open();
  expect(await talk.rest()).toBe("421 4.3.2 Service shutting down\r\n");
  await closed;
});

// A handshake on a socket that is gone already ended the process.
test("S25 a client that came in the very moment of closing and speaks TLS from the first byte is gone", async () => {
  const pem = (name: string): string =>
    readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), "utf8");
  const implicit = [{ host: "127.0.0.1", port: 0 }];
  const tls = { certificate: pem("certificate"), key: pem("key"), implicit };
  await using run = await startListener({ settings: { listen: [], tls } });
  const closed = closeAtNextClient(run.listener);
  const talk = await run.open();
  expect(await talk.rest()).toBe("");
  await closed;
});

test("a transaction that outlives the grace is cut off", async () => {
  await using run = await startListener();
  const talk = await run.open();
  await talk.greet();
  await talk.toData();
  await run.listener.close(10);
  expect(await talk.rest()).not.toContain("250");
  expect(run.listener.connections).toBe(0);
  expect(run.intake.messages).toHaveLength(0);
});

test("S26 a client that resets its connection in any state leaves the listener well", async () => {
  await using run = await startListener();
  for (const line of ["", "EHLO x\r\n", "EHLO x\r\nMAIL FROM:<>\r\n", "NOOP\r\n".repeat(1000)]) {
    const talk = await run.open();
    talk.socket.write(line);
    talk.socket.resetAndDestroy();
  }
  await expect.poll(() => run.listener.connections).toBe(0);
  const talk = await run.open();
  expect(await talk.greet()).toMatch(/^250/);
});

/** A clock that stands until it is moved. */
function handClock(): Clock & { move(ms: number): void } {
  let now = 1_000_000;
  let waiting: { at: number; call: () => void }[] = [];
  return {
    now: () => now,
    after(delayMs, call) {
      const entry = { at: now + delayMs, call };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    move(ms) {
      now += ms;
      const due = waiting.filter((one) => one.at <= now);
      waiting = waiting.filter((one) => one.at > now);
      for (const { call } of due) call();
    },
  };
}

test("S02 content below the minimum rate ends its session, faster content does not", async () => {
  const clock = handClock();
  await using run = await startListener({ clock, settings: { minDataRate: 100, dataRateGraceMs: 10_000 } });
  const slow = await run.open();
  const fast = await run.open();
  for (const talk of [slow, fast]) {
    await talk.greet();
    await talk.toData();
  }
  slow.write("x\r\n");
  fast.write(`${"x".repeat(70)}\r\n`.repeat(100));
  const other = await run.open();
  await other.greet();
  await other.say("MAIL FROM:<a@example.net>");
  clock.move(9000);
  clock.move(5000);
  expect(await slow.rest()).toMatch(/^421 4\.4\.2/);
  expect(await fast.say(".")).toMatch(/^250/);
  expect(await other.say("RCPT TO:<b@example.com>")).toMatch(/^250/);
});

test("S02 a command that never ends is no activity", async () => {
  const clock = handClock();
  await using run = await startListener({ clock, settings: { idleTimeoutMs: 60_000 } });
  const talk = await run.open();
  await talk.greet();
  talk.write("NOO");
  const other = await run.open();
  await other.greet();
  clock.move(5000);
  clock.move(50_000);
  talk.write("P");
  clock.move(20_000);
  expect(await talk.rest()).toMatch(/^451 4\.4\.2/);
  expect(await other.say("NOOP")).toMatch(/^250/);
});

test("what a line may measure and how long a client may be silent change while we listen", async () => {
  await using run = await startListener();
  const before = await run.open();
  await before.greet();
  run.listener.prepareUpdate({ ...defaultSmtpServerSettings, maxCommandLength: 600, idleTimeoutMs: 100 })();
  const after = await run.open();
  await after.greet();
  after.write(`NOOP ${"x".repeat(700)}\r\n`);
  expect(await after.rest()).toContain("500 5.5.6 Command line too long");
  const silent = await run.open();
  expect(await silent.rest()).toContain("451 4.4.2 Timeout waiting for client input");
  expect(await before.say(`NOOP ${"x".repeat(700)}`)).toMatch(/^250/);
});

test("clients that linger after their 421 do not keep others out", async () => {
  await using run = await startListener({ settings: { maxConnections: 1 } });
  const first = await run.open();
  await first.greet();
  for (let count = 0; count < 5; count++) expect(await (await run.open()).reply()).toMatch(/^421/);
  await first.say("QUIT");
  await expect.poll(() => run.listener.connections).toBe(0);
  const next = await run.open();
  expect(await next.reply()).toMatch(/^220/);
});
