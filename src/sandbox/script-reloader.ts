// Keeps one live version per script while files come, change, break and go. A broken edit changes nothing and says why.
import { basename, dirname, join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Generations } from "./generations.ts";
import { LoadedScript } from "./loaded-script.ts";
import { buildScript, type ScriptBuilder } from "./script-build.ts";
import { isSinkName, readScriptFile, type ScriptFile } from "./script-file.ts";

export interface ReloadSettings {
  /** A new content must stay this long before it goes live; the build takes about as long, so it costs nothing. */
  readonly settleMs: number;
  /** The same while a file keeps changing (a slow copy): the beginning of a script may well be a valid script. */
  readonly slowSettleMs: number;
  /** An error is told when the file stayed as it is for this long: editors leave half-written files for a moment. */
  readonly reportMs: number;
  /** A file that is gone for this long is a script that was removed. */
  readonly removalMs: number;
  /** Pause before another try when there is no sandbox process. */
  readonly retryMs: number;
}

export const DEFAULT_RELOAD_SETTINGS: ReloadSettings = {
  settleMs: 25,
  slowSettleMs: 150,
  reportMs: 150,
  removalMs: 500,
  retryMs: 1000,
};

export interface ReloaderOptions {
  readonly settings: ReloadSettings;
  readonly builder: ScriptBuilder;
  readonly generations: Generations | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly folderExists: () => Promise<boolean>;
  readonly changed: () => void;
  readonly retired: (script: LoadedScript) => void;
}

/** What is known about one file. */
interface Slot {
  readonly name: string;
  live: LoadedScript | undefined;
  broken: string | undefined;
  /** An error that is not told yet. */
  pendingFailure: string | undefined;
  imports: readonly string[];
  /** Content of the last attempt. */
  hash: string | undefined;
  /** When a new content was seen last, and how long it has to stay. */
  seenAt: number;
  settleMs: number;
  running: boolean;
  again: boolean;
  /** Build although the file itself is the same: one of its imports changed. */
  force: boolean;
  cancelTimer: (() => void) | undefined;
}

const BUILDS_AT_ONCE = 8;

export class ScriptReloader {
  #options: ReloaderOptions;
  #slots = new Map<string, Slot>();
  #waiting: Slot[] = [];
  #active = 0;
  #starting = true;
  #stopped = false;
  #onIdle: (() => void) | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
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

  /** The first look at every script: the last good versions, then the files. */
  async start(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const generation = await this.#options.generations?.latest(name);
      const slot = this.#slotOf(name);
      if (generation !== undefined) slot.live = new LoadedScript(generation);
      this.#schedule(slot, true);
    }
    if (this.#active + this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#starting = false;
  }

  stop(): void {
    this.#stopped = true;
    for (const slot of this.#slots.values()) slot.cancelTimer?.();
  }

  touched(path: string): void {
    const name = basename(path);
    if (dirname(path) === this.#options.builder.folder && isSinkName(name)) {
      this.#schedule(this.#slotOf(name), false);
      return;
    }
    // A file that was missing may be there now, so broken scripts get another try.
    for (const slot of this.#slots.values()) {
      if (slot.broken !== undefined || slot.imports.includes(path)) this.#schedule(slot, true);
    }
  }

  #slotOf(name: string): Slot {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot: Slot = {
      name,
      live: undefined,
      broken: undefined,
      pendingFailure: undefined,
      imports: [],
      hash: undefined,
      seenAt: Number.NEGATIVE_INFINITY,
      settleMs: 0,
      running: false,
      again: false,
      force: false,
      cancelTimer: undefined,
    };
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
      this.#fail(slot, `${slot.name}: ${describeError(error)}`);
    }
  }

  async #attempt(slot: Slot): Promise<void> {
    const { builder, clock } = this.#options;
    const startedAt = clock.now();
    const file = await readScriptFile(builder.folder, slot.name);
    slot.cancelTimer?.();
    if (file.kind !== "source") return this.#withoutSource(slot, file);
    if (file.hash === slot.hash && !slot.force) {
      if (slot.pendingFailure !== undefined) this.#reportLater(slot);
      return;
    }
    this.#noticeContent(slot, file.hash, file.text.length > 0);
    slot.force = false;
    // What an editor leaves between truncating and writing: not worth a compilation.
    if (file.text.trim() === "") return this.#fail(slot, `${slot.name}: is empty`);
    const built = await buildScript(builder, slot.name, file.text, slot.live?.version);
    if (this.#stopped) return;
    if (built.kind === "unavailable") return this.#retryLater(slot, built.reason);
    slot.imports =
      built.kind === "failed" ? [...new Set([...slot.imports, ...built.imports])] : built.imports;
    if (built.kind === "failed") return this.#fail(slot, built.message);
    if (!(await this.#hasSettled(slot, file.hash))) {
      slot.force = true;
      slot.again = true;
      return;
    }
    if (built.kind === "built")
      this.#goLive(slot, new LoadedScript(built.generation), clock.now() - startedAt);
    this.#clearBroken(slot);
  }

  #noticeContent(slot: Slot, hash: string, hasText: boolean): void {
    const { settings, clock } = this.#options;
    const now = clock.now();
    slot.pendingFailure = undefined;
    if (hash !== slot.hash && hasText) {
      slot.settleMs = now - slot.seenAt < settings.slowSettleMs ? settings.slowSettleMs : settings.settleMs;
      slot.seenAt = now;
    }
    slot.hash = hash;
  }

  /** Whether the file is still what was built, long enough after the last new content. */
  async #hasSettled(slot: Slot, hash: string): Promise<boolean> {
    if (this.#starting) return true;
    const waitMs = slot.seenAt + slot.settleMs - this.#options.clock.now();
    if (waitMs > 0) await new Promise<void>((resolve) => void this.#options.clock.after(waitMs, resolve));
    const now = await readScriptFile(this.#options.builder.folder, slot.name);
    return now.kind === "source" && now.hash === hash;
  }

  #goLive(slot: Slot, script: LoadedScript, tookMs: number): void {
    const { log, generations, retired, changed } = this.#options;
    const previous = slot.live;
    slot.live = script;
    log.info(
      { script: slot.name, version: script.version, previous: previous?.version, ms: tookMs },
      previous === undefined ? "script live" : "script reloaded",
    );
    if (previous !== undefined) retired(previous);
    changed();
    generations?.save(script.generation).catch((error: unknown) => {
      log.error(
        { script: slot.name, error: describeError(error) },
        "the version of a script could not be kept for a restart",
      );
    });
  }

  #clearBroken(slot: Slot): void {
    if (slot.broken === undefined) return;
    slot.broken = undefined;
    if (slot.live?.broken !== undefined) slot.live = slot.live.withBroken(undefined);
    this.#options.changed();
  }

  // ---- what is wrong ----

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
      "script not loaded; its last good version stays",
    );
    this.#options.changed();
  }

  #retryLater(slot: Slot, reason: string): void {
    slot.hash = undefined;
    this.#fail(slot, `${slot.name}: ${reason}`);
    slot.cancelTimer?.();
    slot.cancelTimer = this.#options.clock.after(this.#options.settings.retryMs, () => {
      this.#report(slot);
      this.#schedule(slot, true);
    });
  }

  #withoutSource(slot: Slot, file: Exclude<ScriptFile, { kind: "source" }>): void {
    slot.hash = undefined;
    if (file.kind === "refused") return this.#fail(slot, `${slot.name}: ${file.reason}`);
    slot.cancelTimer = this.#options.clock.after(
      this.#options.settings.removalMs,
      () => void this.#removeIfGone(slot),
    );
  }

  async #removeIfGone(slot: Slot): Promise<void> {
    const { builder, folderExists, log, retired, changed } = this.#options;
    const file = await readScriptFile(builder.folder, slot.name);
    if (slot.running || this.#stopped) return;
    if (file.kind !== "absent") return this.#schedule(slot, true);
    // An unmounted or re-created folder must not switch every filter off.
    if (!(await folderExists())) return;
    this.#slots.delete(slot.name);
    if (slot.live !== undefined) {
      log.warn({ script: slot.name, version: slot.live.version }, "script removed");
      retired(slot.live);
    }
    changed();
  }
}
