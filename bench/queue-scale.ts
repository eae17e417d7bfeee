// Start-up, memory and throughput of fresh mail with n messages in the store that wait for dead next hops:
// `node bench/queue-scale.ts 10000 100000`. An empty store is measured before and after each size: the ratio counts, and on a
// machine that is busy with other things that of the CPU times.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.ts";
import { Content } from "../src/message/content.ts";
import { createMessageIds } from "../src/store/message-ids.ts";
import {
  SALT_BYTES,
  encodeRecord,
  encodeSegmentHeader,
  recordType,
  segmentFileName,
} from "../src/store/record.ts";
import { createQueuedMessage, formatState } from "../src/transport/queued-message.ts";
import { startDnsServer, type Zone } from "../test/support/dns-zone.ts";
import { generateLoad } from "./load-generator.ts";
import { buildMessage, toWire } from "./messages.ts";
import { treeUse } from "./process-tree.ts";
import { MAIN, NODE, end, sleep, startSink, type Sink } from "./subject.ts";

const DEAD_DOMAINS = 1000;
const FRESH_MESSAGES = 4000;
const MESSAGES_PER_SEGMENT = 40_000;
const START_TIMEOUT_MS = 180_000;
const HOUR_MS = 3_600_000;

interface Figures {
  readonly startMs: number;
  readonly startCpuMs: number;
  readonly readyMiB: number;
  readonly settledMiB: number;
  readonly settleCpuMs: number;
  readonly freshRate: number;
  /** Of the service, per message. */
  readonly freshCpuUs: number;
  readonly afterMiB: number;
}

const deadDomain = (index: number): string => `dead-${index % DEAD_DOMAINS}.example`;

/** As an earlier run leaves them: one attempt was made, the next is due within hours or when the next hop is tried again. */
async function fill(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const nextId = createMessageIds(systemClock, Math.random);
  const content = Buffer.from(`Subject: waits\r\n\r\n${"waiting ".repeat(120)}\r\n`);
  let written = 0;
  for (let sequence = 1; written < count; sequence += 1) {
    const salt = randomBytes(SALT_BYTES);
    const buffers = [encodeSegmentHeader(sequence, salt)];
    for (const last = Math.min(count, written + MESSAGES_PER_SEGMENT); written < last; written += 1)
      buffers.push(...recordsOf(salt, nextId(), written, content));
    await writeFile(join(folder, segmentFileName(sequence, salt)), Buffer.concat(buffers));
  }
}

function recordsOf(salt: Buffer, id: string, index: number, content: Buffer): Buffer[] {
  const origin = { via: "smtp", arrivalTime: Date.now(), server: "default" } as const;
  const recipients = [{ address: `user${index}@${deadDomain(index)}` }];
  const envelope = { sender: "sender@example.com", recipients };
  const message = createQueuedMessage(id, origin, envelope, Content.fromBuffer(content));
  message.phase = "delivery";
  message.attempts = 8;
  message.nextAttempt = index % 2 === 0 ? undefined : Date.now() + HOUR_MS + (index % 1000) * 10_000;
  message.recipients = recipients.map((recipient) => ({ recipient, state: "pending" }));
  const accepted = JSON.stringify({ origin, envelope });
  const saved = JSON.stringify({ state: formatState(message) });
  return [
    ...encodeRecord(salt, recordType.message, id, accepted, 0, [content]).buffers,
    ...encodeRecord(salt, recordType.state, id, saved, 0).buffers,
  ];
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

const cpuMs = ({ pid }: ChildProcess): number =>
  Math.round(treeUse(pid === undefined ? [] : [pid]).cpuSeconds * 1000);

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
    const startCpuMs = cpuMs(service);
    await sleep(Number(process.env["SETTLE_MS"] ?? 15_000));
    const settledMiB = residentMiB(service);
    const settledCpuMs = cpuMs(service);
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
    const freshCpuUs = Math.round(((cpuMs(service) - settledCpuMs) * 1000) / accepted);
    const settleCpuMs = settledCpuMs - startCpuMs;
    const afterMiB = residentMiB(service);
    return { startMs, startCpuMs, readyMiB, settledMiB, settleCpuMs, freshRate, freshCpuUs, afterMiB };
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
