// A message of 300 MiB passes through without passing through memory.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { listen } from "../../bench/smtp-sink.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";

const MESSAGE_MIB = 300;
/** Far below the size of the message. A server that reads and drops as much grows by 80: so many buffers pile up in Node until it collects them. */
const ALLOWED_GROWTH_MIB = 110;

const peakRssMib = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Writes with backpressure: the test itself must not hold the message either. */
async function sendLarge(port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  const replies = socket.setEncoding("utf8").iterator();
  const expectReply = async (code: string): Promise<void> => {
    for (let text = ""; ;) {
      const next: IteratorResult<string> = await replies.next();
      if (next.done === true) throw new Error(`closed before ${code}: ${text}`);
      text += next.value;
      if (!/^\d{3} .*\r\n$/m.test(text)) continue;
      if (!text.startsWith(code)) throw new Error(text);
      return;
    }
  };
  const write = (bytes: string | Buffer): Promise<void> =>
    new Promise((resolve, reject) =>
      socket.write(bytes, (error) => (error === undefined || error === null ? resolve() : reject(error))),
    );
  await expectReply("220");
  for (const [line, code] of [
    ["EHLO client.example.com", "250"],
    ["MAIL FROM:<a@example.com>", "250"],
    ["RCPT TO:<b@example.org>", "250"],
    ["DATA", "354"],
  ] as const) {
    await write(`${line}\r\n`);
    await expectReply(code);
  }
  await write("Subject: very large\r\n\r\n");
  const block = Buffer.from(`${"y".repeat(1022)}\r\n`.repeat(1024));
  for (let i = 0; i < MESSAGE_MIB; i += 1) await write(block);
  await write(".\r\n");
  await expectReply("250");
  socket.end("QUIT\r\n");
}

test.runIf(process.platform === "linux")("a message of 300 MiB leaves the relay's memory flat", async () => {
  const sink = await listen();
  try {
    await using service = await startService({
      config: serviceConfig({
        smartHostPort: sink.port,
        server: {
          limits: { maxMessageSize: `${MESSAGE_MIB + 10}MiB`, maxSessionSize: `${MESSAGE_MIB * 3}MiB` },
        },
      }),
    });
    const before = peakRssMib(service.pid);
    await sendLarge(service.port);
    await sink.until(1);
    const growth = peakRssMib(service.pid) - before;
    console.log(`peak memory grew by ${growth.toFixed(0)} MiB for a message of ${MESSAGE_MIB} MiB`);
    expect(growth).toBeLessThan(ALLOWED_GROWTH_MIB);
  } finally {
    await sink.close();
  }
});
