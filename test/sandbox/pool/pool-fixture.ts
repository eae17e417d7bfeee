// A pool over the fake worker, with scripts whose code is a behaviour.
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import type { CapabilityBroker } from "../../../src/sandbox/capabilities/broker-contract.ts";
import { CallRunner, type RunCall, type RunRequest } from "../../../src/sandbox/pool/call-runner.ts";
import { LoadedScript } from "../../../src/sandbox/versions/loaded-script.ts";
import type { SandboxProgram } from "../../../src/sandbox/pool/sandbox-program.ts";
import { Strikes } from "../../../src/sandbox/pool/strikes.ts";
import type { JobTask } from "../../../src/sandbox/pool/tasks.ts";
import { WorkerPool } from "../../../src/sandbox/pool/worker-pool.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { compiledFile } from "../../support/compiled.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export const fakeProgram: SandboxProgram = {
  file: compiledFile("test/sandbox/pool/fake-worker.ts"),
  readable: [root],
};

export interface Fixture {
  readonly pool: WorkerPool;
  readonly runner: CallRunner;
  readonly strikes: Strikes;
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_FIGURES = {
  processes: 1,
  windowMicros: 1_000_000,
  waitingJobs: 500,
  strikes: 100,
  probeMs: 60_000,
  maxRssMb: 1024,
  killGraceMs: 200,
  niceness: 10,
};

export function createFixture(
  options: {
    processes?: number;
    program?: SandboxProgram;
    strikes?: number;
    probeMs?: number;
    maxRssMb?: number;
    killGraceMs?: number;
    niceness?: number;
    isRetired?: (version: string) => boolean;
    waitingJobs?: number;
    windowMicros?: number;
    broker?: CapabilityBroker;
    wrapper?: readonly string[];
    runtimeBundle?: Buffer;
    log?: Logger;
    clock?: Clock;
  } = {},
): Fixture {
  const {
    clock = systemClock,
    log = silentLogger,
    program = fakeProgram,
    wrapper = [],
    runtimeBundle = Buffer.from("// no runtime"),
    broker,
    isRetired = () => false,
    ...figures
  } = options;
  const {
    processes,
    windowMicros,
    waitingJobs,
    strikes: limit,
    probeMs,
    maxRssMb,
    killGraceMs,
    niceness,
  } = {
    ...DEFAULT_FIGURES,
    ...figures,
  };
  const strikes = new Strikes(limit, probeMs, clock);
  const pool = new WorkerPool({
    processes,
    windowJobs: 16,
    windowMicros,
    waitingJobs,
    waitingBytes: 256 * 1024 * 1024,
    respawnBackoffMs: 20,
    clock,
    log,
    isSuspended: (version) => strikes.isSuspended(version),
    worker: {
      program,
      hardening: { jitless: false, wrapper },
      runtimeBundle,
      clock,
      killGraceMs,
      startTimeoutMs: 10_000,
      maxRssBytes: maxRssMb * 1024 * 1024,
      niceness,
      isRetired,
      wholeContentBytes: 1024 * 1024,
      blocking: { scriptFolder: "/", drop: undefined, broker, clock },
    },
  });
  return {
    pool,
    strikes,
    runner: new CallRunner(pool, strikes, silentLogger),
    [Symbol.asyncDispose]: () => pool.stop(),
  };
}

export function scriptOf(behaviour: string): LoadedScript {
  return new LoadedScript({
    name: `${behaviour}.js`,
    version: `v-${behaviour}`,
    since: 0,
    entryPoint: "onArrival",
    binding: {},
    code: behaviour,
    sourceMap: "{}",
  });
}

export function callOf(behaviour: string, more: Partial<RunCall> = {}): RunCall {
  return {
    script: scriptOf(behaviour),
    bindingName: behaviour,
    sinkProperties: {},
    limits: { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 300, growthBytes: 100 },
    allow: {},
    cacheable: true,
    continueOnFault: false,
    ...more,
  };
}

export const MESSAGE = Buffer.from("Subject: a\r\nFrom: b@example.com\r\n\r\nbody\r\n");

export function requestOf(calls: readonly RunCall[], more: Partial<RunRequest> = {}): RunRequest {
  const envelope = {
    sender: "a@example.com",
    recipients: ["b@example.com"],
    arrivalTime: 0,
    clientAddress: "",
    pickupFileName: "",
    status: 0,
  };
  return { messageId: "m", content: Content.fromBuffer(MESSAGE), envelope, calls, ...more };
}

/** The same for the pool itself. */
export function taskOf(calls: readonly RunCall[]): JobTask {
  const { messageId, content, envelope } = requestOf(calls);
  const frames = calls.map(({ script, sinkProperties, ...rest }) => ({
    ...rest,
    version: script.version,
    sinkProperties: JSON.stringify(sinkProperties),
  }));
  return {
    kind: "job",
    messageId,
    content,
    envelope,
    calls: frames,
    bundles: calls.map(({ bindingName }) => scriptOf(bindingName).bundle),
  };
}
