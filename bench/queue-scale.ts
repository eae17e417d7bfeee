// Start-up, memory and throughput of fresh mail with n messages in the store that wait for dead next hops:
// `node bench/queue-scale.ts 10000 100000`. Fresh mail is sent while the messages are sorted into their queues, and when nothing
// happens to them any more: a row for each. An empty store is measured before and after each size: the ratio counts, and on a
// machine that is busy with other things that of the CPU times.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.ts";
import { Content } from "../src/message/content.ts";
import { createMessageIds } from "../src/core/message-ids.ts";
import {
  SALT_BYTES,
  encodeRecord,
  encodeSegmentHeader,
  recordType,
  segmentFileName,
} from "../src/store/segments/record.ts";
import { createQueuedMessage, formatState } from "../src/transport/queued-message.ts";
import { startDnsServer, type Zone } from "../test/support/dns-zone.ts";
import { generateLoad } from "./load-generator.ts";
import { buildMessage, toWire } from "./messages.ts";
import { treeUse } from "./process-tree.ts";
import { NODE } from "./forked-program.ts";
import { MAIN, end, sleep, startSink, type Sink } from "./subject.ts";

const DEAD_DOMAINS = 1000;
const FRESH_MESSAGES = 4000;
const MESSAGES_PER_SEGMENT = 40_000;
const START_TIMEOUT_MS = 180_000;
const HOUR_MS = 3_600_000;
/** Of the processor, that a service may use that has nothing to do. */
const QUIET_SHARE = 0.03;
const QUIET_SECONDS = 5;
const QUIET_TIMEOUT_MS = 300_000;
/** Memory grows, or it does not. */
const WATCH_MS = 120_000;
const SORTED = "all messages of the last run are in their queues";
/** What the start takes up itself; it leaves nothing to be sorted. */
const AT_ONCE = 1000;

interface Row {
  readonly count: number;
  readonly state: "ready" | "sorting" | "sorted" | "quiet" | "later";
  readonly residentMiB: number;
  /** ms since the start of the service. */
  readonly afterMs: number;
  readonly cpuMs: number;
  readonly freshRate?: number;
  /** Of the service, per message, with all that it does beside. */
  readonly freshCpuUs?: number;
}

interface Relay {
  readonly child: ChildProcess;
  readonly port: number;
  readonly sorted: Promise<void>;
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

async function startRelay(folder: string, nextHopPort: number, dns: string): Promise<Relay> {
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
  const sorted = Promise.withResolvers<void>();
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(printed.slice(-2000)));
    }, START_TIMEOUT_MS);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${printed.slice(-2000)}`)));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const all = printed + text;
      printed = all.slice(-10_000);
      if (all.includes(SORTED)) sorted.resolve();
      const found = /^.*\bready\b.*?127\.0\.0\.1:(\d+)/m.exec(all)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    });
  });
  return { child, port, sorted: sorted.promise };
}

function residentMiB({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

const cpuMs = ({ pid }: ChildProcess): number =>
  Math.round(treeUse(pid === undefined ? [] : [pid]).cpuSeconds * 1000);

async function untilQuiet(child: ChildProcess): Promise<void> {
  const deadline = performance.now() + QUIET_TIMEOUT_MS;
  for (let quiet = 0; quiet < QUIET_SECONDS && performance.now() < deadline;) {
    const before = cpuMs(child);
    await sleep(1000);
    quiet = cpuMs(child) - before < QUIET_SHARE * 1000 ? quiet + 1 : 0;
  }
}

async function sendFresh({ child, port }: Relay, sink: Sink): Promise<Pick<Row, "freshRate" | "freshCpuUs">> {
  const cpuBefore = cpuMs(child);
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
  return { freshRate, freshCpuUs: Math.round(((cpuMs(child) - cpuBefore) * 1000) / accepted) };
}

async function measure(count: number, sink: Sink, dns: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "onarrival-scale-"));
  let child: ChildProcess | undefined;
  try {
    await fill(join(folder, "mailroot", "Queue"), count);
    const started = performance.now();
    const relay = await startRelay(folder, sink.port, dns);
    const service = relay.child;
    child = service;
    const tell = (state: Row["state"], fresh: Pick<Row, "freshRate" | "freshCpuUs"> = {}): void => {
      const afterMs = Math.round(performance.now() - started);
      const row: Row = {
        count,
        state,
        residentMiB: residentMiB(service),
        afterMs,
        cpuMs: cpuMs(service),
        ...fresh,
      };
      console.log(JSON.stringify(row));
    };
    tell("ready");
    if (count > AT_ONCE) {
      tell("sorting", await sendFresh(relay, sink));
      await relay.sorted;
      tell("sorted");
    }
    await untilQuiet(service);
    tell("quiet");
    // The first ones teach the compiler the way of a message: with a million behind it, it knows more of it than without.
    await sendFresh(relay, sink);
    tell("quiet", await sendFresh(relay, sink));
    if (count > AT_ONCE) await sleep(WATCH_MS);
    tell("later");
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
    for (const count of [0, ...sizes.flatMap((size) => [size, 0])]) await measure(count, sink, dns.address);
  } finally {
    await sink.stop();
  }
}

await main();
