// Which version of a script runs while its file does not count: the one that it was rolled back to, or that went live last.
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Generation, Generations } from "./generations.ts";
import type { ScriptSwitches } from "./script-switches.ts";

export interface LastGoodParts {
  readonly generations: Generations | undefined;
  readonly switches: ScriptSwitches;
  readonly log: Logger;
}

export class LastGood {
  #parts: LastGoodParts;

  constructor(parts: LastGoodParts) {
    this.#parts = parts;
  }

  async find(name: string): Promise<Generation | undefined> {
    return (await this.#rolledBackTo(name)) ?? this.#parts.generations?.latest(name);
  }

  /**
   * Of a script that was away: the version that stands in for these sources. When it cannot be read the rollback is over,
   * for otherwise nothing would run.
   */
  async standIn(name: string, sources: string): Promise<Generation | "lost" | undefined> {
    const { switches, log } = this.#parts;
    const pin = switches.pinOf(name);
    if (pin?.sources !== sources) return undefined;
    const generation = await this.#rolledBackTo(name);
    if (generation !== undefined) return generation;
    log.warn(
      { script: name, pinned: pin.version },
      "the version that a script was rolled back to cannot be read: its file counts again",
    );
    await this.#unpin(name);
    return "lost";
  }

  async keep(generation: Generation): Promise<void> {
    try {
      await this.#parts.generations?.save(generation);
    } catch (error) {
      this.#parts.log.error(
        { script: generation.name, error: describeError(error) },
        "the version of a script could not be kept for a restart",
      );
    }
  }

  /** Unless it stands in for these sources. */
  async endRollback(name: string, sources: string, live: Generation | undefined): Promise<void> {
    const { switches, log } = this.#parts;
    const pin = switches.pinOf(name);
    if (pin === undefined || pin.sources === sources) return;
    // Before the pin goes: a restart must not find that the version which was taken away is the youngest.
    if (live !== undefined) await this.keep(live);
    // Somebody may have rolled back anew meanwhile.
    if (switches.pinOf(name) !== pin) return;
    try {
      await this.#unpin(name);
      log.info({ script: name, pinned: pin.version }, "script changed: it is no longer rolled back");
    } catch (error) {
      // What it says is live all the same: the next start finds out, too.
      log.error(
        { script: name, pinned: pin.version, error: describeError(error) },
        "script changed: that it is no longer rolled back could not be written",
      );
    }
  }

  async #rolledBackTo(name: string): Promise<Generation | undefined> {
    const pin = this.#parts.switches.pinOf(name);
    const pinned = pin === undefined ? undefined : await this.#parts.generations?.find(name, pin.version);
    return pin === undefined || pinned === undefined ? undefined : { ...pinned, since: pin.since };
  }

  #unpin(name: string): Promise<void> {
    const { switches } = this.#parts;
    return switches.set(name, { disabled: switches.isDisabled(name) });
  }
}
