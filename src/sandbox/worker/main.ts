// The sandbox process. The relay starts it without file, network or child-process rights; it runs scripts on messages.
// Jobs are taken in order, one turn at a time and synchronously; while a script runs, nothing else happens here. While one
// waits for an answer of the relay, others run.
import { Socket } from "node:net";
import { encodeFrame, type Frame, FrameReader } from "../../core/frames.ts";
import { CONTENT_FD, FRAME_FD, type RelayFrame, type WorkerFrame } from "../../../runtime/contract.ts";
import { ContentChannel } from "./content-channel.ts";
import { Jobs } from "./jobs.ts";
import type { JobAnswer } from "./run-job.ts";
import { RuntimeSource } from "./isolates/runtime-source.ts";
import { ScriptStore } from "./isolates/script-store.ts";
import { readWorkerSettings } from "./settings.ts";

const IDLE_SWEEP_MS = 5000;

function serve(socket: Socket): void {
  const settings = readWorkerSettings(process.argv[2]);
  const scripts = new ScriptStore(settings);
  const jobs = new Jobs(scripts, settings, new ContentChannel(CONTENT_FD));
  const reader = new FrameReader();

  let batch: Buffer[] = [];
  let batchStarted = 0;
  const send = (frame: WorkerFrame, bytes: readonly Buffer[] = []): void => {
    batch.push(...encodeFrame(frame, bytes));
  };
  /** One buffer costs one system call; a list of them costs several times that in bookkeeping. */
  const flush = (): void => {
    if (batch.length > 0) socket.write(Buffer.concat(batch));
    batch = [];
    batchStarted = performance.now();
  };

  const answer = ({ head, bytes }: JobAnswer): void => {
    send(head, bytes);
    // Answers that are ready must not wait behind a slow job: were we ended in it, the relay would suspect the wrong one.
    if (performance.now() - batchStarted > settings.flushAfterMs) flush();
  };

  const take = ({ head, bytes }: Frame): void => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the relay is trusted; it is we who are not
    const frame = head as RelayFrame;
    switch (frame.type) {
      case "init":
        scripts.useRuntime(new RuntimeSource(bytes.toString("utf8")));
        break;
      case "load":
        send(scripts.load(frame, bytes.toString("utf8")));
        break;
      case "unload":
        scripts.unload(frame.version);
        break;
      case "call":
        jobs.know(frame);
        break;
      case "job":
      case "resume":
      case "abandon":
        answer(jobs.answer(frame, bytes));
        break;
    }
  };

  socket.on("data", (chunk: Buffer) => {
    batchStarted = performance.now();
    for (const frame of reader.push(chunk)) take(frame);
    flush();
  });
  setInterval(() => scripts.disposeIdle(performance.now()), IDLE_SWEEP_MS).unref();
  send({ type: "ready" });
  flush();
}

/** Without the relay there is nothing to do; whatever is in hand belongs to it. */
const leave = (): never => process.exit(0);

// Ctrl-C and `timeout` signal all processes of the group: the relay finishes what is in hand, and ends us when it has.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);

const socket = new Socket({ fd: FRAME_FD, readable: true, writable: true });
socket.on("end", leave);
socket.on("close", leave);
socket.on("error", leave);
serve(socket);
