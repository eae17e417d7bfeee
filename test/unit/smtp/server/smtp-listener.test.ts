import { createServer } from "node:net";
import { expect, test } from "vitest";
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

test("the limit per address counts each address alone", async () => {
  await using run = await startListener({ settings: { maxConnectionsPerAddress: 2 } });
  const talks = [await run.open(), await run.open()];
  for (const talk of talks) expect(await talk.reply()).toMatch(/^220/);
  expect(await (await run.open()).rest()).toMatch(/^421 4\.7\.0/);
});

test("closing tells idle sessions 421 and lets a transaction in hand finish", async () => {
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

test("a client that resets its connection in any state leaves the listener well", async () => {
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
