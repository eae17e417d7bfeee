// Frames on their way to a sandbox process, several in one write.
import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { encodeFrame } from "../../core/frames.ts";
import type { RelayFrame } from "../../../runtime/contract.ts";

const JOIN_BELOW_BYTES = 256 * 1024;
/** How long a job waits for others to leave with it. */
const GATHER_MS = 2;
/** So many jobs wait no longer: more of them would not make the write cheaper. */
const GATHER_JOBS = 6;

export class FrameOutbox {
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #out: Buffer[] = [];
  #outBytes = 0;
  #jobs = 0;
  #isLeaving = false;
  #cancelGather: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(socket: Socket): void {
    this.#socket = socket;
  }

  /** The process ends: what is written now is for nobody. */
  close(): void {
    this.#socket = undefined;
  }

  /**
   * Each write wakes the process, which costs both of us more than a job does: jobs gather for a moment, since nobody but their
   * messages waits for them. The answer to a script that waits leaves in this turn of the event loop.
   */
  write(head: RelayFrame, bytes: readonly Buffer[]): void {
    if (head.type === "job") {
      this.#jobs += 1;
      this.#cancelGather ??= this.#clock.after(GATHER_MS, () => this.#flush());
      if (this.#jobs === GATHER_JOBS) this.leaveSoon();
    } else if (head.type !== "call") this.leaveSoon();
    for (const part of encodeFrame(head, bytes)) {
      this.#out.push(part);
      this.#outBytes += part.length;
    }
  }

  /** In this turn of the event loop. */
  leaveSoon(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const parts = this.#out;
    this.#isLeaving = false;
    if (parts.length === 0) return;
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    this.#jobs = 0;
    const bytes = this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
    const socket = this.#socket;
    if (socket === undefined) return;
    if (bytes <= JOIN_BELOW_BYTES) {
      socket.write(Buffer.concat(parts, bytes));
      return;
    }
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
  }
}
