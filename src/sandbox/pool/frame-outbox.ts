// Frames on their way to a sandbox process, several in one write.
import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { encodeFrame } from "../../core/frames.ts";
import type { RelayFrame } from "../../../runtime/contract.ts";

const JOIN_BELOW_BYTES = 256 * 1024;
/** How long a task waits for a busy process to answer before it is written all the same. */
const HOLD_MS = 2;

export class FrameOutbox {
  readonly #clock: Clock;
  /** How many answers the process owes, with those for what is not written yet. */
  readonly #owed: () => number;
  #socket: Socket | undefined;
  #out: Buffer[] = [];
  #outBytes = 0;
  /** Answers that are owed for what was written. */
  #onWire = 0;
  #cancelHold: (() => void) | undefined;

  constructor(clock: Clock, owed: () => number) {
    this.#clock = clock;
    this.#owed = owed;
  }

  open(socket: Socket): void {
    this.#socket = socket;
  }

  /** The process ends: what is written now is for nobody. */
  close(): void {
    this.#socket = undefined;
  }

  /**
   * Frames of one turn of the event loop leave in one write. While the process is at work they wait for its next answer,
   * or a little: it takes several tasks as cheaply as one.
   */
  write(head: RelayFrame, bytes: readonly Buffer[]): void {
    if (this.#out.length === 0) {
      if (this.#onWire === 0) setImmediate(() => this.flush());
      else this.#cancelHold = this.#clock.after(HOLD_MS, () => this.flush());
    }
    for (const part of encodeFrame(head, bytes)) {
      this.#out.push(part);
      this.#outBytes += part.length;
    }
  }

  /** One of the owed answers is here. */
  answered(): void {
    if (this.#onWire > 0) this.#onWire -= 1;
  }

  flushIfIdle(): void {
    if (this.#onWire === 0) this.flush();
  }

  flush(): void {
    const parts = this.#out;
    if (parts.length === 0) return;
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    this.#onWire = this.#owed();
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
