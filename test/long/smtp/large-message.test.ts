import { once } from "node:events";
import { expect, test } from "vitest";
import { startListener } from "../../unit/smtp/server/support.ts";

const MIB = 1024 * 1024;

test("a message of 100 MiB passes through without being held in memory", async () => {
  await using run = await startListener({ settings: { maxMessageSize: 128 * MIB } });
  const talk = await run.open();
  await talk.greet();
  await talk.toData();
  const line = `..${"x".repeat(74)}\r\n`;
  const block = Buffer.from(line.repeat(840));
  const blocks = Math.ceil((100 * MIB) / block.length);
  let peak = 0;
  const before = process.memoryUsage().arrayBuffers;
  talk.socket.write("Subject: large\r\n\r\n");
  for (let sent = 0; sent < blocks; sent++) {
    if (!talk.socket.write(block)) await once(talk.socket, "drain");
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  expect(await talk.say(".")).toMatch(/^250 2\.6\.0/);
  const [taken] = run.intake.messages;
  expect((taken?.content.size ?? 0) - (taken?.content.header.length ?? 0)).toBe(
    blocks * 840 * (line.length - 1),
  );
  // The spool, the sockets of both ends and garbage not yet collected; 100 MiB would be a message held whole.
  expect(peak).toBeLessThan(64 * MIB);
});
