// What a next hop can be given now: high priority before normal before low, first in, first out within each. One that is passed
// over grows older: after so many others, the first of a lower priority has its turn, so that none waits for ever.
import type { Delivery } from "./destination-queue.ts";
import { PRIORITIES, type Priority } from "./parked-messages.ts";

/** Length of the used-up start of the array at which it is cut off. */
const CUT_LENGTH = 10_000;
/** So many of higher priority go first. */
const PASSED_OVER = 10;

interface Line {
  /** In order; those that were removed stay in their places, because taking them out of many thousands is slow. Taken ones leave a gap:
   * what the array held on to would stay in memory, content and all. */
  deliveries: (Delivery | undefined)[];
  /** Index of the first that was not taken yet. */
  head: number;
  /** Those that wait. */
  count: number;
  /** Taken from lines of higher priority since the last of this one. */
  passedOver: number;
}

const createLine = (): Line => ({ deliveries: [], head: 0, count: 0, passedOver: 0 });

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
    if (line.deliveries.length - line.head <= 2 * line.count + CUT_LENGTH) return;
    line.deliveries = line.deliveries.slice(line.head).filter(isReady);
    line.head = 0;
  }

  /** The first `most` of each priority. */
  first(most: number): Delivery[] {
    return PRIORITIES.flatMap((priority) => {
      const { deliveries, head } = this.#lines[priority];
      return deliveries.slice(head, head + most).filter(isReady);
    });
  }

  take(): Delivery | undefined {
    const line = this.#next();
    if (line === undefined) return undefined;
    for (;;) {
      const delivery = line.deliveries[line.head];
      line.deliveries[line.head] = undefined;
      line.head += 1;
      if (line.head >= line.deliveries.length || line.head > CUT_LENGTH) {
        line.deliveries = line.deliveries.slice(line.head);
        line.head = 0;
      }
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

const isReady = (delivery: Delivery | undefined): delivery is Delivery => delivery?.state === "ready";
