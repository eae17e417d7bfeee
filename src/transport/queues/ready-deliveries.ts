// What a next hop can be given now: high priority before normal before low, first in, first out within each. One that is passed
// over grows older: after so many others, the first of a lower priority has its turn, so that none waits for ever.
import { Fifo } from "../../core/fifo.ts";
import type { Delivery } from "./destination-queue.ts";
import { PRIORITIES, type Priority } from "./parked-messages.ts";

/** Removed deliveries that a line may still hold before it is swept. */
const MOST_REMOVED = 10_000;
/** Deliveries of higher priority that may go first; then the lower priority has its turn. */
const PASSED_OVER = 10;

interface Line {
  /** In order; those that were removed stay in their places, because taking them out of many thousands is slow. */
  readonly deliveries: Fifo<Delivery>;
  /** Deliveries that wait in this line, without the removed ones. */
  count: number;
  /** Taken from lines of higher priority since the last of this one. */
  passedOver: number;
}

const createLine = (): Line => ({ deliveries: new Fifo(), count: 0, passedOver: 0 });

export class ReadyDeliveries {
  readonly #lines: Readonly<Record<Priority, Line>> = {
    high: createLine(),
    normal: createLine(),
    low: createLine(),
  };
  size = 0;

  push(delivery: Delivery): void {
    const line = this.#lines[delivery.message.priority];
    line.deliveries.push(delivery);
    line.count += 1;
    this.size += 1;
  }

  /** One of these is not ready any more. */
  removed(delivery: Delivery): void {
    const line = this.#lines[delivery.message.priority];
    line.count -= 1;
    this.size -= 1;
    if (line.deliveries.length > 2 * line.count + MOST_REMOVED) line.deliveries.keep(isReady);
  }

  /** The first `most` of each priority. */
  first(most: number): Delivery[] {
    return PRIORITIES.flatMap((priority) => this.#lines[priority].deliveries.first(most).filter(isReady));
  }

  take(): Delivery | undefined {
    const line = this.#next();
    if (line === undefined) return undefined;
    for (;;) {
      const delivery = line.deliveries.shift();
      if (delivery === undefined) return undefined;
      if (!isReady(delivery)) continue;
      line.count -= 1;
      this.size -= 1;
      return delivery;
    }
  }

  #next(): Line | undefined {
    const { high, normal, low } = this.#lines;
    // Nearly all mail is of normal priority.
    if (high.count + low.count === 0) return normal.count > 0 ? normal : undefined;
    let chosen: Line | undefined;
    for (const priority of PRIORITIES) {
      const line = this.#lines[priority];
      if (line.count === 0) continue;
      if (chosen === undefined) {
        chosen = line;
      } else {
        line.passedOver += 1;
        if (line.passedOver > PASSED_OVER) chosen = line;
      }
    }
    if (chosen !== undefined) chosen.passedOver = 0;
    return chosen;
  }
}

const isReady = ({ state }: Delivery): boolean => state === "ready";
