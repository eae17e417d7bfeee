// Compares storage engines: 20 producers, each record durable before it counts. Run: node bench/store-engines.ts
// About 35 seconds. The ratios of one run count; docs/decisions/0002-store-engine.md draws the conclusion.
import fs from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import type { Envelope, Origin } from "../src/core/envelope.ts";
import { Content } from "../src/message/content.ts";
import { SegmentStore } from "../src/store/segments/segment-store.ts";

const PRODUCERS = 20;
const RUN_MS = 900;
/** The engines take turns, and the median of their rounds counts: other work on the machine hits all alike. */
const ROUNDS = 3;

interface Engine {
  readonly name: string;
  put(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

const origin: Origin = {
  via: "smtp",
  arrivalTime: 1_700_000_000_000,
  server: "default",
  clientAddress: "192.0.2.1",
};
const envelope: Envelope = { sender: "alice@example.com", recipients: [{ address: "bob@example.net" }] };

/** The real store: envelope and checksum included. `ends`: each message is also finished. */
async function segmentStore(folder: string, ends: boolean): Promise<Engine> {
  const store = new SegmentStore({ folder });
  await store.open();
  return {
    name: ends ? "segments, group commit, message ended" : "segments, group commit",
    async put(bytes) {
      const id = store.nextId();
      await store.commit(id, origin, envelope, Content.fromBuffer(bytes));
      if (ends) store.remove(id);
    },
    close: () => store.close(),
  };
}

type Waiting = () => void;

/** Nothing but the pieces: what a segment costs without envelope, checksum and index. `flags`: O_DSYNC or none. */
function bareAppend(folder: string, dataSync: boolean): Engine {
  const flags = fs.constants.O_CREAT | fs.constants.O_WRONLY | (dataSync ? fs.constants.O_DSYNC : 0);
  const handle = fs.openSync(path.join(folder, `bare-${dataSync}`), flags);
  let pending: { bytes: Buffer; done: Waiting }[] = [];
  let busy = false;
  let position = 0;
  const flush = (): void => {
    if (busy || pending.length === 0) return;
    busy = true;
    const batch = pending;
    pending = [];
    const landed = (): void => {
      busy = false;
      for (const { done } of batch) done();
      setImmediate(flush);
    };
    fs.writev(
      handle,
      batch.map(({ bytes }) => bytes),
      position,
      (error, written) => {
        if (error !== null) throw error;
        position += written;
        if (dataSync) landed();
        else fs.fdatasync(handle, landed);
      },
    );
  };
  return {
    name: dataSync ? "bare writev, O_DSYNC" : "bare writev + fdatasync",
    put: (bytes) =>
      new Promise((resolve) => {
        pending.push({ bytes, done: resolve });
        setImmediate(flush);
      }),
    close: () => promisify(fs.close)(handle),
  };
}

function filePerMessage(folder: string): Engine {
  let count = 0;
  return {
    name: "one file + fsync per message",
    async put(bytes) {
      count += 1;
      const handle = await open(path.join(folder, `${count}.eml`), "wx");
      await handle.writeFile(bytes);
      await handle.sync();
      await handle.close();
    },
    close: () => Promise.resolve(),
  };
}

const SQLITE_WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
const { DatabaseSync } = require("node:sqlite");
const db = new DatabaseSync(workerData);
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE message (id INTEGER PRIMARY KEY, envelope TEXT, content BLOB)");
const insert = db.prepare("INSERT INTO message (envelope, content) VALUES (?, ?)");
parentPort.on("message", (batch) => {
  if (batch === null) { db.close(); parentPort.close(); return; }
  db.exec("BEGIN");
  for (const { envelope, bytes } of batch) insert.run(envelope, bytes);
  db.exec("COMMIT");
  parentPort.postMessage(batch.length);
});`;

function sqlite(folder: string): Engine {
  const worker = new Worker(SQLITE_WORKER, { eval: true, workerData: path.join(folder, "store.db") });
  let pending: { bytes: Buffer; done: Waiting }[] = [];
  let inFlight: Waiting[] = [];
  const flush = (): void => {
    if (inFlight.length > 0 || pending.length === 0) return;
    inFlight = pending.map(({ done }) => done);
    const batch = pending.map(({ bytes }) => ({ envelope: JSON.stringify({ origin, envelope }), bytes }));
    worker.postMessage(batch, []);
    pending = [];
  };
  worker.on("message", () => {
    const done = inFlight;
    inFlight = [];
    for (const call of done) call();
    setImmediate(flush);
  });
  return {
    name: "node:sqlite in a worker, WAL, synchronous=FULL, group commit",
    put: (bytes) =>
      new Promise((resolve) => {
        pending.push({ bytes, done: resolve });
        setImmediate(flush);
      }),
    async close() {
      worker.postMessage(null, []);
      await new Promise((resolve) => worker.once("exit", resolve));
    },
  };
}

async function measure(
  engine: Engine,
  size: number,
): Promise<{ perSecond: number; mainMicros: number; cpuMicros: number }> {
  const bytes = Buffer.alloc(size, "a line of text\r\n");
  bytes.write("Subject: test\r\n\r\n");
  const started = performance.now();
  const cpu = process.cpuUsage();
  const thread = process.threadCpuUsage();
  let count = 0;
  const produce = async (): Promise<void> => {
    while (performance.now() - started < RUN_MS) {
      await engine.put(bytes);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: PRODUCERS }, produce));
  const seconds = (performance.now() - started) / 1000;
  const main = process.threadCpuUsage(thread);
  const all = process.cpuUsage(cpu);
  return {
    perSecond: Math.round(count / seconds),
    mainMicros: Math.round(((main.user + main.system) / count) * 10) / 10,
    cpuMicros: Math.round(((all.user + all.system) / count) * 10) / 10,
  };
}

const factories: ((folder: string) => Promise<Engine>)[] = [
  (folder) => segmentStore(folder, false),
  (folder) => segmentStore(folder, true),
  (folder) => Promise.resolve(bareAppend(folder, false)),
  (folder) => Promise.resolve(bareAppend(folder, true)),
  (folder) => Promise.resolve(filePerMessage(folder)),
  (folder) => Promise.resolve(sqlite(folder)),
];

type Figures = Awaited<ReturnType<typeof measure>>;

const median = (figures: readonly Figures[]): Figures | undefined =>
  [...figures].sort((a, b) => a.perSecond - b.perSecond)[Math.floor(figures.length / 2)];

for (const size of [4096, 51_200]) {
  const rounds = new Map<string, Figures[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const create of factories) {
      const folder = await mkdtemp(path.join(process.env["BENCH_DIR"] ?? os.tmpdir(), "onarrival-bench-"));
      const engine = await create(folder);
      const figures = await measure(engine, size);
      rounds.set(engine.name, [...(rounds.get(engine.name) ?? []), figures]);
      await engine.close();
      await rm(folder, { recursive: true });
    }
  }
  console.log(`${size} bytes, ${PRODUCERS} producers`);
  console.table(Object.fromEntries([...rounds].map(([name, figures]) => [name, median(figures)])));
}
