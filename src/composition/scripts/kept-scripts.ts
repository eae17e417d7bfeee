// What a mailroot keeps of the scripts: which version of each a service would call, and which are switched off.
import { join } from "node:path";
import { silentLogger } from "../../core/logger.ts";
import { type Generation, Generations } from "../../sandbox/versions/generations.ts";
import { ScriptSwitches } from "../../sandbox/versions/script-switches.ts";

export interface KeptScript {
  readonly generation: Generation;
  /** When it went live, or was rolled back to. */
  readonly since: number;
  readonly pinned: boolean;
}

export class KeptScripts {
  readonly generations: Generations;
  readonly #switches: ScriptSwitches;

  private constructor(generations: Generations, switches: ScriptSwitches) {
    this.generations = generations;
    this.#switches = switches;
  }

  static async open(mailroot: string): Promise<KeptScripts> {
    const folder = join(mailroot, "Scripts");
    const switches = new ScriptSwitches(join(folder, "switches.json"), silentLogger);
    await switches.load();
    return new KeptScripts(new Generations(folder), switches);
  }

  /** Names of those that `onarrival scripts disable` has switched off. */
  get disabled(): ReadonlySet<string> {
    return this.#switches.disabled;
  }

  /** Undefined: no version of it ever went live. */
  async find(name: string): Promise<KeptScript | undefined> {
    const pin = this.#switches.pinOf(name);
    const pinned = pin === undefined ? undefined : await this.generations.find(name, pin.version);
    if (pinned !== undefined) return { generation: pinned, since: pin?.since ?? 0, pinned: true };
    const generation = await this.generations.latest(name);
    return generation && { generation, since: generation.since, pinned: false };
  }
}
