// What people may know of and do to the scripts of a running service: `onarrival scripts …`.
import { join, relative } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Generations, KeptVersion } from "./generations.ts";
import type { ScriptActivity, ScriptCounts, ScriptLogEntry } from "./script-activity.ts";
import type { ScriptReloader } from "./script-reloader.ts";
import type { ScriptSwitch, ScriptSwitches } from "./script-switches.ts";
import type { ShadowPool } from "../pool/shadow-pool.ts";
import type { Strikes } from "../pool/strikes.ts";

export interface ScriptState extends ScriptCounts {
  /** File name in the script folder. */
  readonly name: string;
  /** Hash of the live version; absent: none ever was. */
  readonly version?: string;
  /** When it went live, ms since the epoch. */
  readonly since?: number;
  /** Why the newest edit is not live. */
  readonly broken?: string;
  /** Switched off: its bindings are not called. */
  readonly disabled: boolean;
  /** Too many time-outs or crashes in a row. */
  readonly suspended: boolean;
  /** The same of its runs in shadow, which suspend nothing else. */
  readonly suspendedInShadow: boolean;
  /** Rolled back: the file says something newer. */
  readonly pinned: boolean;
}

export interface ScriptDetails extends ScriptState {
  readonly source: string;
  /** Paths relative to the script folder. */
  readonly imports: readonly string[];
  /** The one that went live last first. */
  readonly versions: readonly KeptVersion[];
}

export interface ControlParts {
  readonly folder: string;
  readonly reloader: ScriptReloader;
  readonly generations: Generations | undefined;
  readonly switches: ScriptSwitches;
  readonly activity: ScriptActivity;
  readonly strikes: Strikes;
  readonly shadows: ShadowPool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly changed: () => void;
}

export class ScriptControl {
  #parts: ControlParts;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  list(): readonly ScriptState[] {
    const { reloader } = this.#parts;
    const names = new Set([...reloader.scripts.keys(), ...reloader.broken.keys()]);
    return [...names].toSorted().map((name) => this.#stateOf(name));
  }

  async show(name: string): Promise<ScriptDetails> {
    this.#require(name);
    const { folder, reloader, generations } = this.#parts;
    const source = join(folder, name);
    return {
      ...this.#stateOf(name),
      source,
      imports: [...new Set(reloader.importsOf(name))]
        .filter((path) => path !== folder && path !== source)
        .map((path) => relative(folder, path)),
      versions: (await generations?.kept(name)) ?? [],
    };
  }

  log(name: string, after: number): readonly ScriptLogEntry[] {
    this.#require(name);
    return this.#parts.activity.linesOf(name, after);
  }

  /** Without a version: the one that was live before. Answers the version that is live now. */
  rollback(name: string, wanted: string | undefined): Promise<string> {
    return this.#inTurn(() => this.#rollback(name, wanted));
  }

  disable(name: string): Promise<void> {
    return this.#inTurn(() => this.#disable(name));
  }

  /** On again, and with what the file says. */
  enable(name: string): Promise<void> {
    return this.#inTurn(() => this.#enable(name));
  }

  /** One after the other: what the last one said is what counts. */
  #inTurn<Done>(change: () => Promise<Done>): Promise<Done> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => undefined);
    return done;
  }

  async #rollback(name: string, wanted: string | undefined): Promise<string> {
    this.#require(name);
    const { reloader, generations, switches, clock } = this.#parts;
    const live = reloader.scripts.get(name)?.version;
    const version = chooseVersion(name, (await generations?.kept(name)) ?? [], live, wanted);
    const generation = await generations?.find(name, version);
    if (generation === undefined)
      throw new OnArrivalError("SCRIPT_VERSION_NOT_FOUND", `${name}: version ${version} cannot be read`);
    const since = clock.now();
    // It may be gone by now.
    const sources = this.#require(name);
    // On disk before it is live: a restart must not bring back what somebody just took away.
    await this.#switch(name, { disabled: switches.isDisabled(name), pin: { version, sources, since } });
    reloader.goBackTo({ ...generation, since });
    return version;
  }

  async #disable(name: string): Promise<void> {
    this.#require(name);
    const { switches } = this.#parts;
    const pin = switches.pinOf(name);
    await this.#switch(name, { disabled: true, ...(pin === undefined ? {} : { pin }) });
    this.#tell(name, "script disabled");
  }

  async #enable(name: string): Promise<void> {
    const { switches, reloader, generations } = this.#parts;
    const pin = switches.pinOf(name);
    // A script that is away is as it was switched when it comes back.
    if (pin === undefined && !switches.isDisabled(name)) this.#require(name);
    const live = reloader.scripts.get(name);
    // Where the file is broken it stays live, over a restart too.
    if (pin !== undefined && live !== undefined) await generations?.save(live.generation);
    await this.#switch(name, {});
    this.#tell(name, "script enabled");
    reloader.refresh(name);
  }

  async #switch(name: string, value: ScriptSwitch): Promise<void> {
    const { switches, reloader, changed } = this.#parts;
    try {
      await switches.set(name, value);
    } catch (thrown) {
      // What came meanwhile took it for done.
      reloader.refresh(name);
      changed();
      throw thrown;
    }
  }

  /** What is called otherwise than before may well end now: a suspension was of what was before. */
  boundAnew(name: string): void {
    const { reloader, strikes, shadows, log } = this.#parts;
    const version = reloader.scripts.get(name)?.version;
    if (version === undefined) return;
    const wasSuspended = [strikes.clear(version), shadows.pardon(version)].includes(true);
    if (wasSuspended) log.info({ script: name, version }, "script no longer suspended");
  }

  #tell(name: string, text: string): void {
    this.#parts.log.warn({ script: name }, text);
    this.#parts.activity.note(name, { level: "warn", text });
    this.#parts.changed();
  }

  /** Answers its sources. */
  #require(name: string): string {
    const sources = this.#parts.reloader.sourcesOf(name);
    if (sources === undefined)
      throw new OnArrivalError("SCRIPT_NOT_FOUND", `no script ${name} in ${this.#parts.folder}`);
    return sources;
  }

  #stateOf(name: string): ScriptState {
    const { reloader, switches, activity, strikes, shadows } = this.#parts;
    const live = reloader.scripts.get(name);
    const broken = reloader.broken.get(name);
    return {
      name,
      ...(live === undefined ? {} : { version: live.version, since: live.since }),
      ...(broken === undefined ? {} : { broken }),
      disabled: switches.isDisabled(name),
      suspended: live !== undefined && strikes.isSuspended(live.version),
      suspendedInShadow: live !== undefined && shadows.isSuspended(live.version),
      pinned: switches.pinOf(name) !== undefined,
      ...activity.countsOf(name),
    };
  }
}

/** A version may be given by its beginning. */
function chooseVersion(
  name: string,
  kept: readonly KeptVersion[],
  live: string | undefined,
  wanted: string | undefined,
): string {
  const fail = (why: string): never => {
    throw new OnArrivalError("SCRIPT_VERSION_NOT_FOUND", `${name}: ${why}`);
  };
  if (wanted === undefined) {
    const at = kept.findIndex(({ version }) => version === live);
    return kept[at + 1]?.version ?? fail("no version before the live one is kept");
  }
  const found = kept.filter(({ version }) => version.startsWith(wanted));
  if (found.length > 1) return fail(`${wanted} is the beginning of ${found.length} versions`);
  return found[0]?.version ?? fail(`no version ${wanted} is kept`);
}
