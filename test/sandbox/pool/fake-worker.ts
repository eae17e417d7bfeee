// A sandbox process that behaves as its scripts say: honest, dead, deaf or a liar. The words are the code of the bundles.
/* oxlint-disable typescript/no-unsafe-type-assertion -- the relay is trusted; this program is not */
import { readSync, writeSync } from "node:fs";
import { encodeFrame, FrameReader, MAX_ANSWER_HEAD_BYTES } from "../../../src/core/frames.ts";
import {
  CONTENT_FD,
  FRAME_FD,
  type JobFrame,
  type LoadFrame,
  type RelayFrame,
  type ScriptCall,
} from "../../../runtime/contract.ts";

const behaviours = new Map<string, string>();
const calls = new Map<number, ScriptCall>();
const reader = new FrameReader();
const buffer = Buffer.allocUnsafe(1 << 20);

function write(bytes: Buffer, fd = FRAME_FD): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

const send = (head: unknown, bytes: Buffer[] = []): void => write(Buffer.concat(encodeFrame(head, bytes)));
const outcome = { verdict: 0, logs: [], logsDropped: 0, micros: 50, readBody: false };

function readContent(job: number, length: number, offset: number): Buffer {
  const request = Buffer.alloc(16);
  request.writeUInt32LE(job, 0);
  request.writeUInt32LE(length, 4);
  request.writeDoubleLE(offset, 8);
  write(request, CONTENT_FD);
  const answer = Buffer.alloc(4 + length);
  for (let done = 0; done < answer.length;) {
    const count = readSync(CONTENT_FD, answer, done, answer.length - done, null);
    if (count === 0) process.exit(3);
    done += count;
  }
  return answer.subarray(4);
}

function loop(): never {
  for (;;);
}

function sleep(): never {
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const giveAnswer = (frame: JobFrame): void => send({ type: "done", job: frame.job, outcomes: [outcome] });

function complain(bytes: number): void {
  for (let done = 0; done < bytes;) {
    try {
      done += writeSync(2, Buffer.alloc(Math.min(4096, bytes - done), "x"));
    } catch {
      // Nobody has read it yet.
    }
  }
}

let hasBeenLate = false;

type Behave = (frame: JobFrame, sent: Buffer) => object;

const BEHAVE: Record<string, Behave> = {
  echo: () => outcome,
  tag: () => ({ ...outcome, splices: [{ start: 0, end: 0, length: 6 }] }),
  slow: () => {
    const until = Date.now() + 100;
    while (Date.now() < until);
    return outcome;
  },
  skip: () => ({ ...outcome, verdict: 1 }),
  costly: () => ({ ...outcome, micros: 600_000 }),
  "ready-again": () => {
    send({ type: "ready" });
    return outcome;
  },
  hang: loop,
  die: () => process.abort(),
  poison: (frame) => (frame.messageId.startsWith("poison") ? process.abort() : outcome),
  stop: () => {
    process.kill(process.pid, "SIGSTOP");
    return outcome;
  },
  swell: () => {
    const kept: Buffer[] = [];
    for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
  },
  // What it does when it has answered and nobody waits for it.
  "swell-idle": (frame) => {
    giveAnswer(frame);
    const kept: Buffer[] = [];
    while (kept.length < 40) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
    return sleep();
  },
  "spin-idle": (frame) => {
    giveAnswer(frame);
    return loop();
  },
  "complain-idle": (frame) => {
    giveAnswer(frame);
    complain(1024 * 1024);
    return sleep();
  },
  complain: () => {
    complain(20 * 1024);
    return outcome;
  },
  timeout: () => ({ ...outcome, fault: { kind: "timeout", message: "took too long" } }),
  memory: () => ({ ...outcome, fault: { kind: "memory", message: "took too much" } }),
  turns: (frame) => {
    if (!frame.messageId.startsWith("late")) return outcome;
    // A second one keeps its process until that is ended.
    if (hasBeenLate) return loop();
    hasBeenLate = true;
    return { ...outcome, fault: { kind: "timeout", message: "took too long" } };
  },
  loaded: () => ({ ...outcome, logs: [{ level: "info", text: [...behaviours.values()].join() }] }),
  sizes: (frame, sent) => ({
    ...outcome,
    readBody: true,
    logs: [{ level: "info", text: `${sent.length}/${frame.contentSize}` }],
  }),
  read: (frame) => {
    const text = readContent(frame.job, frame.contentSize - frame.headerBytes, frame.headerBytes).toString(
      "latin1",
    );
    return { ...outcome, logs: [{ level: "info", text: `${text.length}:${text.slice(-8).trim()}` }] };
  },
  "read-other": (frame) => {
    readContent(frame.job + 1000, 1, 0);
    return outcome;
  },
  "read-beyond": (frame) => {
    readContent(frame.job, 2, frame.contentSize - 1);
    return outcome;
  },
  // Lies
  garbage: () => {
    write(Buffer.from("this is no frame at all, is it?"));
    return loop();
  },
  giant: () => {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(1 << 30, 0);
    write(prefix);
    return loop();
  },
  // An answer, and beside it what takes long to parse.
  "fat-head": (frame) => {
    const more = Array.from({ length: MAX_ANSWER_HEAD_BYTES / 3 }, () => ({}));
    send({ type: "done", job: frame.job, outcomes: [outcome], more });
    return loop();
  },
  "other-job": (frame) => {
    send({ type: "done", job: frame.job + 7, outcomes: [outcome] });
    return outcome;
  },
  twice: (frame) => {
    send({ type: "done", job: frame.job, outcomes: [outcome] });
    return outcome;
  },
  "no-outcome": (frame) => {
    send({ type: "done", job: frame.job, outcomes: [] });
    return loop();
  },
  proto: () => ({ ...outcome, verdict: "0" }),
  // MP_STATUS_ABANDON_DELIVERY: native sinks may hold a message until the restart, scripts may not.
  status: () => ({ ...outcome, status: 6 }),
  splice: () => ({ ...outcome, splices: [{ start: 5, end: 1e9, length: 0 }] }),
  growth: () => ({ ...outcome, splices: [{ start: 0, end: 0, length: 200 }] }),
  recipients: () => ({ ...outcome, recipients: ["a@b.example> NOTIFY=NEVER"] }),
  crowd: () => ({
    ...outcome,
    recipients: Array.from({ length: 2000 }, (_, index) => `u${index}@b.example`),
  }),
  "clear-screen": () => ({ ...outcome, logs: [{ level: "info", text: "\u001b[2J" }] }),
  "turn-round": () => ({ ...outcome, fault: { kind: "throw", message: "\u202e evil" } }),
  "turn-round-stack": () => ({
    ...outcome,
    fault: { kind: "throw", message: "x", stack: "at a\nat \u202eb" },
  }),
  flood: () => ({ ...outcome, logs: Array.from({ length: 5000 }, () => ({ level: "info", text: "x" })) }),
};

const KV = { kind: "kv", operation: "get", key: "k" };
const ask = (job: number, request: number, more: object = {}): object => ({
  type: "waiting",
  job,
  call: 0,
  requests: [{ request, body: KV, length: 0 }],
  ...more,
});

/** What it sends when a job begins, and at each answer. */
const WAITING: Record<string, (job: number, turn: number) => object> = {
  waits: (job) => ask(job, 1),
  "waits-late": (job, turn) => ask(job, turn),
  "waits-late-and-on": (job, turn) => ask(job, turn),
  "waits-for-nothing": (job) => ask(job, 1, { requests: [] }),
  "waits-other-job": (job) => ask(job + 9, 1),
  "waits-in-other-call": (job) => ask(job, 1, { call: 5 }),
  "waits-malformed": (job) => ask(job, 1, { requests: [{ request: 1, body: { ...KV, key: 7 }, length: 0 }] }),
  "waits-twice-the-number": (job) => ask(job, 1),
  "waits-too-often": (job, turn) => ask(job, turn),
  "waits-with-bytes": (job) => ask(job, 1, { requests: [{ request: 1, body: KV, length: 50 }] }),
  "waits-for-ever": (job, turn) =>
    ask(job, turn, { requests: turn === 1 ? [{ request: 1, body: KV, length: 0 }] : [] }),
};
const waiting = new Map<number, { behaviour: string; turn: number }>();

/** Longer than the limit of time that the tests give such a call. */
const LATE_MS = 300;

function nextTurn(job: number, frame: RelayFrame): void {
  const { behaviour, turn } = waiting.get(job) ?? { behaviour: "waits", turn: 1 };
  if (behaviour === "waits") {
    const answer = frame.type === "resume" && "message" in frame.answer ? frame.answer.message : "served";
    send({ type: "done", job, outcomes: [{ ...outcome, logs: [{ level: "info", text: answer }] }] });
    return;
  }
  if (behaviour === "waits-late" && frame.type === "abandon") {
    send({ type: "done", job, outcomes: [{ ...outcome, logs: [{ level: "info", text: "abandoned" }] }] });
    return;
  }
  const until = Date.now() + (behaviour.startsWith("waits-late") ? LATE_MS : 0);
  while (Date.now() < until);
  waiting.set(job, { behaviour, turn: turn + 1 });
  send(WAITING[behaviour]?.(job, turn + 1));
}

function inserted(outcomes: readonly object[]): Buffer {
  const splices = outcomes.flatMap((one) => ("splices" in one ? (one.splices as { length: number }[]) : []));
  return Buffer.alloc(
    splices.reduce((sum, { length }) => sum + length, 0),
    "X-T: 1",
  );
}

const behaviourOf = (call: number | undefined): string =>
  behaviours.get(calls.get(call ?? 0)?.version ?? "") ?? "";

function begin(frame: JobFrame, bytes: Buffer): void {
  const behaviour = behaviourOf(frame.calls[0]);
  const wait = WAITING[behaviour];
  if (wait !== undefined) {
    waiting.set(frame.job, { behaviour, turn: 1 });
    send(wait(frame.job, 1));
    return;
  }
  const outcomes = frame.calls.map((call) =>
    (BEHAVE[behaviourOf(call)] ?? BEHAVE["echo"] ?? loop)(frame, bytes),
  );
  send({ type: "done", job: frame.job, outcomes }, [inserted(outcomes)]);
}

function load(frame: LoadFrame, bytes: Buffer): void {
  const code = bytes.toString();
  if (code.includes("DIE AT LOAD")) process.abort();
  if (!frame.inspectOnly) behaviours.set(frame.version, code);
  const fault = code.includes("THROW AT LOAD")
    ? { kind: "load", message: "no", line: 1, column: 1 }
    : undefined;
  const binding = /BINDING (\{.*?\}) END/.exec(code)?.[1];
  const entryPoint = code.includes("onArrival") ? "onArrival" : undefined;
  send({
    type: "loaded",
    version: frame.version,
    fault,
    entryPoint,
    binding: binding === undefined ? undefined : JSON.parse(binding),
  });
}

function handle(frame: RelayFrame, bytes: Buffer): void {
  if (frame.type === "load") {
    load(frame, bytes);
  } else if (frame.type === "unload") {
    behaviours.delete(frame.version);
  } else if (frame.type === "call") {
    calls.set(frame.number, frame.call);
  } else if (frame.type === "resume" || frame.type === "abandon") {
    nextTurn(frame.job, frame);
  } else if (frame.type === "job") {
    begin(frame, bytes);
  }
}

send({ type: "ready" });
for (;;) {
  const count = readSync(FRAME_FD, buffer, 0, buffer.length, null);
  if (count === 0) process.exit(0);
  for (const { head, bytes } of reader.push(Buffer.from(buffer.subarray(0, count))))
    handle(head as RelayFrame, bytes);
}
