// The call of a script alone: frames to one sandbox process and back, no SMTP and no store; beside workerd, in turns with it. What
// others do on the machine is in the rates, so CPU time is told beside them, as the median of many short rounds.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { silentLogger } from "../src/core/logger.ts";
import { Content } from "../src/message/content.ts";
import { createScriptHost, type RunRequest, type ScriptHost } from "../src/sandbox/script-host.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../runtime/contract.ts";
import { median } from "./burst.ts";
import { buildMessage } from "./messages.ts";
import { threadMicros, treeUse } from "./process-tree.ts";
import { BOTH_BODIES_SCRIPT, HEADER_SCRIPT, idleScript, THREE_HEADERS_SCRIPT } from "./scripts.ts";
import { startWorkerd, workerdMissing, type Workerd, type WorkerKind } from "./workerd.ts";

const IN_FLIGHT = 20;
const WARM_UP_CALLS = 20_000;
const ROUNDS = 10;
const ROUND_CALLS = 2000;
const LONG_CHAIN = 6;
const IDLE_SCRIPTS = 1000;
/** Longer than a sandbox process keeps the isolate in which it looked at new scripts. */
const SETTLE_MS = 7000;

interface Called {
  readonly what: string;
  readonly source: string;
  /** The worker that it is compared with, and the ratio that is wanted. */
  readonly beside?: { readonly worker: WorkerKind; readonly atLeast: number };
}

const CALLED: readonly Called[] = [
  { what: "an empty script", source: "export default function onArrival() {}" },
  { what: "header read and set", source: HEADER_SCRIPT, beside: { worker: "header", atLeast: 1 } },
  { what: "three headers read and one set", source: THREE_HEADERS_SCRIPT },
  { what: "both bodies rewritten", source: BOTH_BODIES_SCRIPT, beside: { worker: "bodies", atLeast: 2 } },
];

/** µs per message: elapsed, and of CPU. */
interface CallCost {
  readonly wall: number;
  readonly bestWall: number;
  /** From the call to its verdict by the worker's clock, the median of all calls. */
  readonly inWorker: number;
  readonly relay: number;
  readonly sandbox: number;
  readonly workerd?: {
    readonly wall: number;
    readonly bestWall: number;
    /** Of our rate to that of workerd, the median of the rounds. */
    readonly ratio: number;
  };
}

async function withHost<T>(scripts: readonly string[], use: (host: ScriptHost) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "onarrival-call-"));
  for (const [index, source] of scripts.entries()) writeFileSync(join(folder, `script${index}.js`), source);
  const host = createScriptHost({ folder, log: silentLogger, watch: false, settings: { processes: 1 } });
  try {
    await host.start();
    return await use(host);
  } finally {
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function requestFor(host: ScriptHost, content: Content): RunRequest {
  if (host.broken.size > 0) throw new Error([...host.broken.values()].join("; "));
  const calls = [...host.scripts.values()].map((script) => ({
    script,
    bindingName: "bench",
    sinkProperties: {},
    limits: DEFAULT_SCRIPT_LIMITS,
    allow: {},
    cacheable: true,
    continueOnFault: false,
  }));
  const envelope = {
    sender: "a@example.com",
    recipients: ["b@example.org"],
    arrivalTime: Date.now(),
    clientAddress: "127.0.0.1",
    pickupFileName: "",
    status: 0,
  };
  return { messageId: "BENCH", content, envelope, calls };
}

/** The µs that each call took in the worker. */
async function callMany(host: ScriptHost, request: RunRequest, messages: number): Promise<number[]> {
  const micros: number[] = [];
  const lane = async (): Promise<void> => {
    for (let done = 0; done < messages / IN_FLIGHT; done += 1) {
      const { outcomes } = await host.run(request);
      const fault = outcomes.at(-1)?.fault;
      if (fault !== undefined) throw new Error(fault.message);
      for (const outcome of outcomes) micros.push(outcome.micros);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return micros;
}

const sandboxMicros = (host: ScriptHost): number =>
  host.pids.reduce((sum, pid) => sum + threadMicros(pid), 0);

interface Round {
  readonly wall: number;
  readonly relay: number;
  readonly sandbox: number;
  readonly inWorker: readonly number[];
}

async function measureRound(host: ScriptHost, request: RunRequest): Promise<Round> {
  const sandbox = sandboxMicros(host);
  const relay = process.cpuUsage();
  const started = performance.now();
  const inWorker = await callMany(host, request, ROUND_CALLS);
  const wall = ((performance.now() - started) * 1000) / ROUND_CALLS;
  const { user, system } = process.cpuUsage(relay);
  return {
    wall,
    relay: (user + system) / ROUND_CALLS,
    sandbox: (sandboxMicros(host) - sandbox) / ROUND_CALLS,
    inWorker,
  };
}

/** µs per message, elapsed. */
async function measureWorkerd(workerd: Workerd): Promise<number> {
  const started = performance.now();
  await workerd.callMany(ROUND_CALLS);
  return ((performance.now() - started) * 1000) / ROUND_CALLS;
}

/** Rounds of ours, each followed by one of workerd where that takes part. */
async function measureCalls(host: ScriptHost, request: RunRequest, workerd?: Workerd): Promise<CallCost> {
  await callMany(host, request, WARM_UP_CALLS);
  await workerd?.callMany(WARM_UP_CALLS);
  const rounds: Round[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push(await measureRound(host, request));
    if (workerd !== undefined) theirs.push(await measureWorkerd(workerd));
  }
  const walls = rounds.map(({ wall }) => wall);
  return {
    wall: median(walls),
    bestWall: Math.min(...walls),
    inWorker: median(rounds.flatMap(({ inWorker }) => inWorker)),
    relay: median(rounds.map(({ relay }) => relay)),
    sandbox: median(rounds.map(({ sandbox }) => sandbox)),
    ...(workerd === undefined
      ? {}
      : {
          workerd: {
            wall: median(theirs),
            bestWall: Math.min(...theirs),
            ratio: median(walls.map((wall, round) => (theirs[round] ?? Number.NaN) / wall)),
          },
        }),
  };
}

const measureChain = (scripts: readonly string[], content: Content): Promise<CallCost> =>
  withHost(scripts, (host) => measureCalls(host, requestFor(host, content)));

const rate = (micros: number): string => (1_000_000 / micros).toFixed(0);

const rates = (wall: number, bestWall: number): string =>
  `${rate(wall)} per second and process (best round ${rate(bestWall)})`;

function costLine(what: string, { wall, bestWall, inWorker, relay, sandbox }: CallCost): string {
  const cpu = `CPU per call: relay ${relay.toFixed(0)} µs, sandbox ${sandbox.toFixed(0)} µs`;
  return `script call alone, 4k, ${what}: ${rates(wall, bestWall)}; ${inWorker} µs in the worker (median); ${cpu}`;
}

function besideLines({ what, beside }: Called, { workerd }: CallCost): string[] {
  if (beside === undefined || workerd === undefined) return [];
  const wanted = `wanted: at least ${beside.atLeast}`;
  return [
    `workerd in turns with it, a message per HTTP request, ${beside.worker === "header" ? "one header read" : "parsed by postal-mime"}: ${rates(workerd.wall, workerd.bestWall)}`,
    `script call ÷ workerd, 4k, ${what}: ${workerd.ratio.toFixed(2)} (${wanted})`,
  ];
}

/** One script, beside workerd where it is compared and can be started. */
async function measureCalled(called: Called, message: Buffer): Promise<string[]> {
  const content = Content.fromBuffer(message);
  const missing = called.beside === undefined ? undefined : workerdMissing();
  const workerd =
    called.beside === undefined || missing !== undefined
      ? undefined
      : await startWorkerd(called.beside.worker, message, IN_FLIGHT);
  try {
    const cost = await withHost([called.source], (host) =>
      measureCalls(host, requestFor(host, content), workerd),
    );
    const note = missing === undefined ? [] : [`no comparison with workerd: ${missing}`];
    return [costLine(called.what, cost), ...besideLines(called, cost), ...note];
  } finally {
    await workerd?.stop();
  }
}

interface StartCost {
  /** Of the relay and its sandbox processes after the first message through one of the scripts. */
  readonly rssBytes: number;
  /** Of the sandbox process until all of them were ready, its own start included. */
  readonly startMs: number;
}

function startWith(scripts: number, content: Content): Promise<StartCost> {
  const sources = Array.from({ length: scripts }, (_, index) => idleScript(index));
  return withHost(sources, async (host) => {
    const startMs = sandboxMicros(host) / 1000;
    const request = requestFor(host, content);
    await host.run({ ...request, calls: request.calls.slice(0, 1) });
    await pause(SETTLE_MS);
    return { rssBytes: treeUse([process.pid, ...host.pids]).rssBytes, startMs };
  });
}

/** Of the same text they would be one version, in one isolate. */
const emptyScript = (number: number): string => `export default function onArrival() { void ${number}; }`;

/** One line per script, one for a chain of them, one for those that are never called. */
export async function measureScriptCalls(): Promise<string[]> {
  const message = buildMessage("4k");
  const content = Content.fromBuffer(message);
  const lines: string[] = [];
  for (const called of CALLED) lines.push(...(await measureCalled(called, message)));
  const one = await measureChain([emptyScript(0)], content);
  const many = await measureChain(
    Array.from({ length: LONG_CHAIN }, (_, index) => emptyScript(index)),
    content,
  );
  const further = (many.relay + many.sandbox - one.relay - one.sandbox) / (LONG_CHAIN - 1);
  lines.push(`each further script in a chain, 4k, empty: ${further.toFixed(1)} µs of CPU`);
  const before = await startWith(1, content);
  const after = await startWith(IDLE_SCRIPTS, content);
  const each = (used: (cost: StartCost) => number): number =>
    (used(after) - used(before)) / (IDLE_SCRIPTS - 1);
  const idleKb = each(({ rssBytes }) => rssBytes) / 1024;
  lines.push(`idle scripts: ${idleKb.toFixed(0)} KB each, all processes together`);
  const preFlightMs = each(({ startMs }) => startMs);
  lines.push(
    `pre-flight of ${IDLE_SCRIPTS} new scripts: ${preFlightMs.toFixed(2)} ms of CPU each in the sandbox`,
  );
  return lines;
}
