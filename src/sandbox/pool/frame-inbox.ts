// Frames from a sandbox process, taken in over several turns of the event loop: their answers come many at a time, each is
// followed by what becomes of its message, and meanwhile the clients' commands would wait.
import { Fifo } from "../../core/fifo.ts";
import { type Frame, FrameReader } from "../../core/frames.ts";

/** Of the frames that are there a turn takes one in so many, and at least one: so they never pile up behind busy turns. */
const SHARE_OF_TURN = 8;

export class FrameInbox {
  readonly #reader = new FrameReader();
  readonly #frames = new Fifo<Frame>();
  readonly #take: (frame: Frame) => void;
  readonly #violated: (error: unknown) => void;
  #isWaiting = false;

  /** `violated`: the bytes are no frames, or `take` threw. */
  constructor(take: (frame: Frame) => void, violated: (error: unknown) => void) {
    this.#take = take;
    this.#violated = violated;
  }

  received(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#frames.push(frame);
    } catch (error) {
      this.#violated(error);
    }
    if (!this.#isWaiting) this.#takeShare();
  }

  /** Takes in all that is there. */
  drain(): void {
    this.#takeFrames(this.#frames.length);
  }

  readonly #takeShare = (): void => {
    this.#takeFrames(Math.ceil(this.#frames.length / SHARE_OF_TURN));
    this.#isWaiting = this.#frames.length > 0;
    if (this.#isWaiting) setImmediate(this.#takeShare);
  };

  #takeFrames(count: number): void {
    for (let taken = 0; taken < count; taken += 1) {
      const frame = this.#frames.shift();
      if (frame === undefined) return;
      try {
        this.#take(frame);
      } catch (error) {
        this.#violated(error);
      }
    }
  }
}
