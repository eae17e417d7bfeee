// Start-up, memory and throughput of fresh mail with n messages in the store that wait for dead next hops:
// `node bench/queue-scale.ts 10000 100000`. The rate of fresh mail with an empty store is measured before and after each
// size: the ratio counts, the machine may be busy with other things.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Content } from "../src/message/content.ts";
import { SegmentStore } from "../src/store/segment-store.ts";
import { createQueuedMessage, formatState } from "../src/transport/queued-message.ts";
import { startDnsServer, type Zone } from "../test/support/dns-zone.ts";
import { generateLoad } from "./load-generator.ts";
import { buildMessage, toWire } from "./messages.ts";
import { MAIN, NODE, end, sleep, startSink, type Sink } from "./subject.ts";

const DEAD_DOMAINS = 1000;
const FRESH_MESSAGES = 4000;
const COMMITS_AT_ONCE = 2000;
const START_TIMEOUT_MS = 180_000;
const HOUR_MS = 3_600_000;

interface Figures {
  readonly startMs: number;
  readonly readyMiB: number;
  readonly settledMiB: number;
  readonly freshRate: number;
  readonly afterMiB: number;
}

const deadDomain = (index: number): string => `dead-${index % DEAD_DOMAINS}.example`;

/** As an earlier run leaves them: one attempt was made, the next is due within four hours or when the next hop is tried again. */
async function fill(folder: string, count: number): Promise<void> {
  const store = new SegmentStore({ folder, settings: { memoryBudget: 0, minFreeBytes: 0 } });
  await store.open();
  const content = Content.fromBuffer(Buffer.from(`Subject: waits\r\n\r\n${"waiting ".repeat(120)}\r\n`));
  for (let done = 0; done < count; done += COMMITS_AT_ONCE) {
    const some = Array.from({ length: Math.min(COMMITS_AT_ONCE, count - done) }, (_, at) => done + at);
    await Promise.all(
      some.map(async (index) => {
        const id = store.nextId();
        const origin = { via: "smtp", arrivalTime: Date.now(), server: "default" } as const;
        const recipients = [{ address: `user${index}@${deadDomain(index)}` }];
        const message = createQueuedMessage(
          id,
          origin,
          { sender: "sender@example.com", recipients },
          content,
        );
        await store.commit(id, origin, message.envelope, content);
        message.phase = "delivery";
        message.attempts = 1;
        message.nextAttempt = index % 2 === 0 ? undefined : Date.now() + HOUR_MS + (index % 1000) * 10_000;
        message.recipients = recipients.map((recipient) => ({ recipient, state: "pending" }));
        await store.saveState(id, formatState(message));
      }),
    );
  }
  await store.close();
}

function zone(): Zone {
  const names: Zone = { "example.org": { MX: ["10 example.org"], A: ["127.0.0.1"] } };
  for (let index = 0; index < DEAD_DOMAINS; index += 1)
    names[deadDomain(index)] = { MX: [`10 ${deadDomain(index)}`], A: ["127.0.0.2"] };
  return names;
}

async function startRelay(folder: string, nextHopPort: number, dns: string): Promise<[ChildProcess, number]> {
  const configFile = join(folder, "onarrival.yaml");
  const server = {
    name: "default",
    relay: { networks: ["127.0.0.0/8"] },
    delivery: { mx: true, port: nextHopPort },
  };
  await writeFile(configFile, JSON.stringify({ virtualServers: [server], dns: { servers: [dns] } }));
  await mkdir(join(folder, "scripts"), { recursive: true });
  const args = ["--config", configFile, "--listen", "127.0.0.1:0", "--scripts", join(folder, "scripts")];
  const child = spawn(NODE, [MAIN, "serve", ...args, "--mailroot", join(folder, "mailroot")], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(printed.slice(-2000))), START_TIMEOUT_MS);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${printed.slice(-2000)}`)));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed = (printed + text).slice(-10_000);
      const found = /^.*\bready\b.*?127\.0\.0\.1:(\d+)/m.exec(printed)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    });
  });
  return [child, port];
}

function residentMiB({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

async function measure(count: number, sink: Sink, dns: string): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), "onarrival-scale-"));
  let child: ChildProcess | undefined;
  try {
    await fill(join(folder, "mailroot", "Queue"), count);
    const started = performance.now();
    const [service, port] = await startRelay(folder, sink.port, dns);
    child = service;
    const startMs = Math.round(performance.now() - started);
    const readyMiB = residentMiB(service);
    await sleep(Number(process.env["SETTLE_MS"] ?? 15_000));
    const settledMiB = residentMiB(service);
    const before = await sink.count();
    const wire = toWire(buildMessage("4k"));
    const { startedAt, accepted } = await generateLoad({
      port,
      count: FRESH_MESSAGES,
      wire,
      deadlineMs: 40_000,
    });
    const at = await sink.until(before + accepted, 40_000);
    const freshRate = at === undefined ? 0 : Math.round((accepted * 1000) / (at - startedAt));
    return { startMs, readyMiB, settledMiB, freshRate, afterMiB: residentMiB(service) };
  } finally {
    if (child !== undefined) await end(child, "SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const sink = await startSink();
  await using dns = await startDnsServer(zone());
  try {
    const sizes = process.argv.slice(2).map(Number);
    for (const count of [0, ...sizes.flatMap((size) => [size, 0])]) {
      const begun = performance.now();
      const figures = await measure(count, sink, dns.address);
      console.log(JSON.stringify({ count, ...figures, wholeMs: Math.round(performance.now() - begun) }));
    }
  } finally {
    await sink.stop();
  }
}

await main();
