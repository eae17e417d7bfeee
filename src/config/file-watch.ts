// Notices that a file was changed, also by being replaced: one look a second, and a change is told once the file has rested.
import { stat } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";

/** Between looks, ms. Looking costs one stat: no notices of the system, which some volumes do not give. */
const LOOK_MS = 1000;
/** A file that is still being written is looked at again after this, ms. */
const REST_MS = 200;

export interface FileWatch {
  close(): void;
}

/** `changed` is called for each state of the file that lasted, with nobody waiting for it. */
export function watchFile(file: string, clock: Clock, changed: () => void): FileWatch {
  const watch = new Watch(file, clock, changed);
  watch.start();
  return watch;
}

class Watch implements FileWatch {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #changed: () => void;
  /** As it was when last told, and as it was at the last look. */
  #told: string | undefined;
  #seen: string | undefined;
  #closed = false;
  #cancel: () => void = () => undefined;

  constructor(file: string, clock: Clock, changed: () => void) {
    this.#file = file;
    this.#clock = clock;
    this.#changed = changed;
  }

  start(): void {
    void this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const state = await stateOf(this.#file);
    if (this.#closed) return;
    // The first look is told too: between reading the configuration and now it may have been changed.
    const isNew = state !== this.#told;
    const hasRested = state === this.#seen;
    this.#seen = state;
    if (isNew && hasRested) {
      this.#told = state;
      this.#changed();
    }
    this.#cancel = this.#clock.after(isNew && !hasRested ? REST_MS : LOOK_MS, () => void this.#look());
  }
}

/** Changes with every write and every replacement. */
async function stateOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "not there";
  }
}
