// Keeps one live version per script while files come, change, break and go. A broken edit changes nothing and says why.
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Generation } from "./generations.ts";
import { LastGood, type LastGoodParts } from "./last-good.ts";
import { LoadedScript } from "./loaded-script.ts";
import type { ScriptActivity } from "./script-activity.ts";
import { renamedTo } from "./renamed-script.ts";
import { type BuildAnswer, buildScript, type ScriptBuilder, ungranted } from "./script-build.ts";
import { isSinkName, readScriptFile, type ScriptFile, testedStem } from "./script-file.ts";
import { createSlot, effectOn, isPackageFile, type ReloadSettings, type Slot } from "./script-slot.ts";
import { areAsBuilt, isAsBuilt, noticeContent, noticeImports, ownFiles } from "./settling.ts";

export interface ReloaderOptions extends LastGoodParts {
  readonly settings: ReloadSettings;
  readonly builder: ScriptBuilder;
  readonly activity: ScriptActivity;
  readonly clock: Clock;
  readonly folderExists: () => Promise<boolean>;
  readonly changed: () => void;
  readonly retired: (script: LoadedScript) => void;
}

type SourceFile = Extract<ScriptFile, { kind: "source" }>;
type Accepted = Extract<BuildAnswer, { kind: "built" | "unchanged" | "pinned" }>;

const BUILDS_AT_ONCE = 8;
/** The machine is short of something, or a volume is away: nothing of the file has to change for it to pass. */
const MAY_PASS = /\b(?:EMFILE|ENFILE|ENOMEM|EAGAIN|EIO|ESTALE|ETIMEDOUT)\b/;
/** While more scripts than these wait to be built, the world is told of changes together and not one by one. */
const BURST = 16;
const BURST_MS = 100;

export class ScriptReloader {
  #options: ReloaderOptions;
  #lastGood: LastGood;
  #slots = new Map<string, Slot>();
  #waiting: Slot[] = [];
  #active = 0;
  #starting = true;
  /** While it starts. */
  #entries: ReadonlySet<string> | undefined;
  #unsaved: Generation[] = [];
  #stopped = false;
  #onIdle: (() => void) | undefined;
  #cancelBurst: (() => void) | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#lastGood = new LastGood(options);
  }

  get scripts(): Map<string, LoadedScript> {
    const found = new Map<string, LoadedScript>();
    for (const { name, live } of this.#slots.values()) if (live !== undefined) found.set(name, live);
    return found;
  }

  /** Errors by file name, of scripts with and without a live version. */
  get broken(): Map<string, string> {
    const found = new Map<string, string>();
    for (const { name, broken } of this.#slots.values()) if (broken !== undefined) found.set(name, broken);
    return found;
  }

  *watchedFiles(): Iterable<string> {
    for (const { name, imports } of this.#slots.values()) {
      yield join(this.#options.builder.folder, name);
      yield* imports;
    }
  }

  /** The first look at every script: the last good versions, then the files. `entries`: all names in the folder. */
  async start(names: readonly string[], entries: ReadonlySet<string>): Promise<void> {
    this.#entries = entries;
    const kept = await this.#options.generations?.names();
    for (const name of names) {
      const generation = kept?.has(name) === true ? await this.#lastGood.find(name) : undefined;
      const slot = this.#slotOf(name);
      if (generation !== undefined) slot.live = new LoadedScript(generation);
      this.#schedule(slot, true);
    }
    if (this.#active + this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#entries = undefined;
    this.#starting = false;
    void this.#saveUnsaved();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelBurst?.();
    for (const slot of this.#slots.values()) slot.cancelTimer?.();
  }

  touched(path: string): void {
    const { folder } = this.#options.builder;
    const name = basename(path);
    const isOnTop = dirname(path) === folder;
    const isScript = isOnTop && isSinkName(name);
    const touched = {
      path,
      tests: isOnTop ? testedStem(name) : undefined,
      isPackages: isPackageFile(folder, path),
      isKnownScript: isScript && this.#slots.has(name),
    };
    if (isScript) this.#schedule(this.#slotOf(name), false);
    for (const slot of this.#slots.values()) {
      if (isScript && slot.name === name) continue;
      slot.mayHaveMissed ||= slot.running;
      const effect = effectOn(slot, touched, folder);
      if (effect === "none") continue;
      if (effect === "compare") slot.suspects.add(path);
      this.#schedule(slot, effect === "build");
    }
  }

  /** Builds anew what the file says: what stood in for it may no longer do so. */
  refresh(name: string): void {
    const slot = this.#slots.get(name);
    if (slot !== undefined) this.#schedule(slot, true);
  }

  /** What could not go live may do so now; what is live may have lost what it asks for. */
  grantsChanged(): void {
    const { builder } = this.#options;
    for (const slot of this.#slots.values()) {
      const { name, live, broken = slot.pendingFailure } = slot;
      if (broken !== undefined || ungranted(builder, name, live?.generation.needs) !== undefined)
        this.#schedule(slot, true);
    }
  }

  /** What the file of a script compiles from now; "" when it does not compile. Undefined: there is no such script. */
  sourcesOf(name: string): string | undefined {
    return this.#slots.get(name)?.sources;
  }

  /** Absolute paths of what a script rests on beside its own file. */
  importsOf(name: string): readonly string[] {
    return this.#slots.get(name)?.imports ?? [];
  }

  /** A kept version goes live instead of what the file says, where that is not gone meanwhile; the switches hold it there. */
  goBackTo(generation: Generation): void {
    const slot = this.#slots.get(generation.name);
    if (slot === undefined) return;
    this.#goLive(slot, generation, "script rolled back");
    // What is being built was compared with the version before.
    if (slot.running) this.#schedule(slot, true);
  }

  #slotOf(name: string): Slot {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = createSlot(name);
    this.#slots.set(name, slot);
    return slot;
  }

  #schedule(slot: Slot, force: boolean): void {
    if (this.#stopped) return;
    slot.force ||= force;
    if (slot.running) {
      slot.again = true;
      return;
    }
    slot.running = true;
    this.#waiting.push(slot);
    this.#next();
  }

  #next(): void {
    while (this.#active < BUILDS_AT_ONCE) {
      const slot = this.#waiting.shift();
      if (slot === undefined) break;
      this.#active += 1;
      void this.#work(slot).finally(() => {
        this.#active -= 1;
        slot.running = false;
        if (slot.again) this.#schedule(slot, false);
        this.#next();
      });
    }
    if (this.#active === 0) this.#onIdle?.();
  }

  async #work(slot: Slot): Promise<void> {
    slot.again = false;
    try {
      await this.#attempt(slot);
    } catch (error) {
      // Of ours or of the machine, not of the script: without descriptors or memory not even the compiler starts.
      this.#retryLater(slot, `${slot.name}: ${describeError(error)}`);
    }
  }

  async #attempt(slot: Slot): Promise<void> {
    const { builder, clock, settings } = this.#options;
    const startedAt = clock.now();
    const file = await readScriptFile(builder.folder, slot.name);
    slot.cancelTimer?.();
    if (file.kind !== "source") return this.#withoutSource(slot, file);
    const { suspects } = slot;
    // Before the look: what changes during it asks for another one.
    slot.suspects = new Set();
    if (!(await areAsBuilt(slot, suspects, builder.folder))) slot.force = true;
    if (file.hash === slot.hash && !slot.force) {
      if (slot.pendingFailure !== undefined) this.#reportLater(slot);
      return;
    }
    slot.pendingFailure = undefined;
    noticeContent(slot, file, settings, clock.now());
    slot.force = false;
    // What an editor leaves between truncating and writing: not worth a compilation.
    if (file.text.trim() === "") this.#fail(slot, `${slot.name}: is empty`);
    else await this.#build(slot, file, startedAt);
  }

  async #build(slot: Slot, { text, hash }: SourceFile, startedAt: number): Promise<void> {
    const { builder, clock } = this.#options;
    slot.mayHaveMissed = false;
    const built = await buildScript(builder, slot.name, text, {
      live: slot.live?.generation,
      pinnedSources: this.#options.switches.pinOf(slot.name)?.sources,
      expected: ownFiles(slot.contents, builder.folder).map(([path]) => path),
      entries: this.#entries,
      keepsIsolate: !this.#starting && this.#waiting.length < BURST,
    });
    if (this.#stopped) return;
    if (built.kind === "unavailable") return this.#retryLater(slot, `${slot.name}: ${built.reason}`);
    slot.sources = built.sources;
    slot.imports =
      built.kind === "failed" ? [...new Set([...slot.imports, ...built.imports])] : built.imports;
    if (slot.live === undefined) await this.#standIn(slot);
    if (built.kind === "failed") {
      slot.force ||= slot.mayHaveMissed;
      slot.again ||= slot.mayHaveMissed;
      return this.#refuse(slot, built.message);
    }
    noticeImports(slot, built.contents, builder.folder, startedAt);
    if (await this.#hasSettled(slot, hash)) return this.#accept(slot, built, clock.now() - startedAt);
    if (built.kind === "built") builder.pool.retire(built.generation.version);
    slot.force = true;
    slot.again = true;
  }

  async #standIn(slot: Slot): Promise<void> {
    const found = await this.#lastGood.standIn(slot.name, slot.sources);
    if (found === "lost") {
      slot.force = true;
      slot.again = true;
    } else if (found !== undefined) this.#goLive(slot, found, this.#arrival(slot));
  }

  #arrival({ name }: Slot): string {
    return this.#options.switches.isDisabled(name) ? "script loaded; it is disabled" : "script live";
  }

  async #accept(slot: Slot, built: Accepted, tookMs: number): Promise<void> {
    const { builder, switches } = this.#options;
    await this.#lastGood.endRollback(slot.name, built.sources, slot.live?.generation);
    const isNew = built.kind === "built" && slot.live === undefined;
    const replaced = isNew ? await renamedTo(slot, this.#slots.values(), builder.folder) : undefined;
    // Looked at last: people may have gone back to a version at any moment until now.
    const isPinned = switches.pinOf(slot.name)?.sources === built.sources;
    if (built.kind === "built" && isPinned) {
      if (built.generation.version !== slot.live?.version) builder.pool.retire(built.generation.version);
    } else if (built.kind === "built") {
      this.#goLive(slot, built.generation, isNew ? this.#arrival(slot) : "script reloaded", tookMs);
      if (replaced !== undefined) this.#remove(replaced);
      if (this.#starting) this.#unsaved.push(built.generation);
      else void this.#lastGood.keep(built.generation);
    }
    this.#clearBroken(slot);
  }

  /** One after the other: a thousand files that are synchronised at once would hold up everything else that is read. */
  async #saveUnsaved(): Promise<void> {
    for (const generation of this.#unsaved.splice(0))
      if (!this.#stopped) await this.#lastGood.keep(generation);
  }

  /** Whether the files are still what was built, long enough after the last new content. */
  async #hasSettled(slot: Slot, hash: string): Promise<boolean> {
    if (this.#starting) return true;
    const { clock, builder } = this.#options;
    const waitMs = slot.quietSince + slot.settleMs - clock.now();
    if (waitMs > 0) await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
    return isAsBuilt(slot, hash, builder.folder);
  }

  #goLive(slot: Slot, generation: Generation, what: string, tookMs?: number): void {
    const { log, activity, retired } = this.#options;
    const previous = slot.live;
    const { version } = generation;
    slot.live = new LoadedScript(generation, slot.broken);
    const took = tookMs === undefined ? {} : { ms: tookMs };
    log.info({ script: slot.name, version, previous: previous?.version, ...took }, what);
    const before = previous === undefined ? "" : ` (was ${previous.version})`;
    activity.note(slot.name, { level: "info", text: `${what}${before}`, version });
    if (previous !== undefined && previous.version !== version) retired(previous);
    this.#changed();
  }

  /** At once for a save; a thousand files that come together must not rebuild everything a thousand times. */
  #changed(): void {
    if (this.#waiting.length < BURST) {
      this.#cancelBurst?.();
      this.#cancelBurst = undefined;
      this.#options.changed();
      return;
    }
    this.#cancelBurst ??= this.#options.clock.after(BURST_MS, () => {
      this.#cancelBurst = undefined;
      this.#options.changed();
    });
  }

  #clearBroken(slot: Slot): void {
    if (slot.broken === undefined) return;
    slot.broken = undefined;
    if (slot.live?.broken !== undefined) slot.live = slot.live.withBroken(undefined);
    this.#changed();
  }

  #fail(slot: Slot, message: string): void {
    slot.pendingFailure = message;
    if (this.#starting) this.#report(slot);
    else this.#reportLater(slot);
  }

  #reportLater(slot: Slot): void {
    slot.cancelTimer = this.#options.clock.after(this.#options.settings.reportMs, () => this.#report(slot));
  }

  #report(slot: Slot): void {
    const message = slot.pendingFailure;
    if (message === undefined || message === slot.broken || this.#stopped) return;
    slot.broken = message;
    if (slot.live !== undefined) slot.live = slot.live.withBroken(message);
    this.#options.log.error(
      { script: slot.name, error: message, live: slot.live?.version },
      "script not loaded; its last good version stays, where it has one",
    );
    this.#options.activity.note(slot.name, { level: "error", text: `not loaded: ${message}` });
    this.#changed();
  }

  #refuse(slot: Slot, message: string): void {
    if (MAY_PASS.test(message)) this.#retryLater(slot, message);
    else this.#fail(slot, message);
  }

  #retryLater(slot: Slot, message: string): void {
    slot.hash = undefined;
    this.#fail(slot, message);
    slot.cancelTimer?.();
    slot.cancelTimer = this.#options.clock.after(this.#options.settings.retryMs, () => {
      this.#report(slot);
      this.#schedule(slot, true);
    });
  }

  #withoutSource(slot: Slot, file: Exclude<ScriptFile, { kind: "source" }>): void {
    slot.hash = undefined;
    if (file.kind === "refused") return this.#refuse(slot, `${slot.name}: ${file.reason}`);
    slot.cancelTimer = this.#options.clock.after(
      this.#options.settings.removalMs,
      () => void this.#removeIfGone(slot),
    );
  }

  async #removeIfGone(slot: Slot): Promise<void> {
    const { builder, folderExists } = this.#options;
    const file = await readScriptFile(builder.folder, slot.name);
    // An unmounted or re-created folder must not switch every filter off.
    const hasFolder = await folderExists();
    if (slot.running || this.#stopped) return;
    if (file.kind !== "absent") this.#schedule(slot, true);
    else if (hasFolder) this.#remove(slot);
  }

  #remove(slot: Slot): void {
    const { log, retired, activity } = this.#options;
    if (this.#slots.get(slot.name) !== slot) return;
    this.#slots.delete(slot.name);
    slot.cancelTimer?.();
    activity.forget(slot.name);
    if (slot.live !== undefined) {
      log.warn({ script: slot.name, version: slot.live.version }, "script removed");
      retired(slot.live);
    }
    this.#changed();
  }
}
