// Watches the script folder and says which paths may have changed. Only a hint: what counts is the content, read by others.
// A slow scan beside it catches what the kernel did not tell (overflow, network file systems, a replaced folder).
import { type FSWatcher as PlainWatcher, watch as watchPlainly } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isMissing, systemCodeOf } from "../../core/system-error.ts";
import { isSinkName, PACKAGE_FILES, testedStem } from "./script-file.ts";

const MISSING_SCAN_MS = 200;
const STATS_AT_ONCE = 32;

export interface FolderOptions {
  readonly folder: string;
  /** Pause between two scans. */
  readonly rescanMs: number;
  /** poll: on a volume without notifications, and instead of them when there are none to be had. */
  readonly watch: "events" | "poll";
  /** Pause between two scans while there are no notifications. */
  readonly pollMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface FolderListener {
  /** Absolute path of a file that may have come, changed or gone. */
  touched(path: string): void;
  /** Files beside the sinks whose changes matter: what the bundles were made of. */
  watchedFiles(): Iterable<string>;
}

export class ScriptFolder {
  #options: FolderOptions;
  #listener: FolderListener;
  #watcher: FSWatcher | undefined;
  #ownWatcher: PlainWatcher | undefined;
  /** Whether changes are found by scans alone. */
  #polls: boolean;
  #cancelScan: (() => void) | undefined;
  #signatures = new Map<string, string>();
  /** Device and inode of the folder that is watched; undefined while it is missing. */
  #identity: string | undefined;
  #isScanning = false;
  #stopped = false;

  constructor(options: FolderOptions, listener: FolderListener) {
    this.#options = options;
    this.#listener = listener;
    this.#polls = options.watch === "poll";
  }

  get isMissing(): boolean {
    return this.#identity === undefined;
  }

  async exists(): Promise<boolean> {
    return (await identityOf(this.#options.folder)) !== undefined;
  }

  /** Names of all that is there. start() tells what has changed since. A folder that cannot be listed is not taken for an empty one. */
  async look(): Promise<readonly string[]> {
    const names = await listed(this.#options.folder);
    await this.#findChanges(() => undefined);
    return names;
  }

  async start(): Promise<void> {
    this.#identity = await identityOf(this.#options.folder);
    if (this.isMissing)
      this.#options.log.warn({ folder: this.#options.folder }, "the script folder does not exist");
    await this.#watch();
    // What changed between the first look and the watch would otherwise stay unseen.
    await this.#findChanges((path) => this.#listener.touched(path));
    this.#scanLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelScan?.();
    await this.#unwatch();
  }

  async #unwatch(): Promise<void> {
    this.#ownWatcher?.close();
    await this.#watcher?.close();
  }

  async #watch(): Promise<void> {
    if (this.#polls) return;
    const { folder } = this.#options;
    const watcher = watch(folder, {
      ignoreInitial: true,
      // Both would hold events back for 100 ms or more; half-written files are told apart by their content.
      atomic: false,
      awaitWriteFinish: false,
      ignored: (path) =>
        path !== folder && /[\\/](?:node_modules|\.[^\\/]+)(?:[\\/]|$)/.test(path.slice(folder.length)),
    });
    this.#watcher = watcher;
    watcher.on("all", (_event, path) => {
      if (this.#stopped) return;
      if (resolve(path) === folder) this.#scanLater(0);
      else this.#listener.touched(resolve(folder, path));
    });
    watcher.on("error", (error) => this.#watchFailed(error));
    this.#watchFolder();
    await new Promise<void>((done) => {
      watcher.once("ready", () => done());
      // A folder that cannot be watched at all never gets ready: the scan serves it.
      this.#options.clock.after(1000, done);
    });
  }

  /**
   * Mounted volumes are exchanged by turning one link, as ..data of Kubernetes: nothing happens to the files themselves.
   * And of a script we hear here at once, while chokidar first looks at the file and what it was before.
   */
  #watchFolder(): void {
    if (this.isMissing) return;
    try {
      this.#ownWatcher = watchPlainly(this.#options.folder, { persistent: false }, (_event, name) => {
        if (name === null || this.#stopped) return;
        if (name.startsWith("..")) this.#scanLater(0);
        else if (isSinkName(name)) this.#listener.touched(join(this.#options.folder, name));
      });
      this.#ownWatcher.on("error", (error) => this.#watchFailed(error));
    } catch (error) {
      this.#watchFailed(error);
    }
  }

  /** No inotify instance or watch is left, or the volume has none: told once, then the scans do it all. */
  #watchFailed(error: unknown): void {
    if (this.#polls || this.#stopped) return;
    const { folder, log, pollMs } = this.#options;
    this.#polls = true;
    log.warn(
      { folder, error: describeError(error), pollMs },
      "the script folder cannot be watched; it is looked at every pollMs instead (on Linux raise fs.inotify.max_user_instances and max_user_watches, or set scripts.watch: poll)",
    );
    this.#scanLater();
  }

  #pauseMs(): number {
    const { rescanMs, pollMs } = this.#options;
    const usual = this.#polls ? pollMs : rescanMs;
    return this.isMissing ? Math.min(MISSING_SCAN_MS, usual) : usual;
  }

  #scanLater(delayMs: number = this.#pauseMs()): void {
    this.#cancelScan?.();
    this.#cancelScan = this.#options.clock.after(delayMs, () => {
      // The running scan plans the next one.
      if (this.#isScanning) return;
      this.#isScanning = true;
      void this.#scan().finally(() => {
        this.#isScanning = false;
        if (!this.#stopped) this.#scanLater();
      });
    });
  }

  /** Compares the folder with what it was at the last scan. */
  async #scan(): Promise<void> {
    const { folder, log } = this.#options;
    const identity = await identityOf(folder);
    if (this.#stopped) return;
    if (identity !== this.#identity) {
      const wasMissing = this.isMissing;
      this.#identity = identity;
      if (identity === undefined)
        log.error({ folder }, "the script folder is gone; its last good scripts go on");
      else log.info({ folder, wasMissing }, "the script folder is another one now");
      this.#signatures.clear();
      // The old watch hangs on the old folder.
      await this.#unwatch();
      if (!this.#stopped) await this.#watch();
    }
    await this.#findChanges((path) => this.#listener.touched(path));
  }

  async #findChanges(report: (path: string) => void): Promise<void> {
    const { folder } = this.#options;
    const names = (await namesIn(folder)).filter(
      (name) => isSinkName(name) || testedStem(name) !== undefined,
    );
    const paths = new Set([
      ...[...names, ...PACKAGE_FILES].map((name) => join(folder, name)),
      ...this.#listener.watchedFiles(),
    ]);
    const before = this.#signatures;
    const found = await signaturesOf([...paths]);
    this.#signatures = found;
    for (const [path, signature] of found) if (before.get(path) !== signature) report(path);
    for (const path of before.keys()) if (!paths.has(path)) report(path);
  }
}

export async function listSinkNames(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter(isSinkName).sort();
}

/** One that is gone is no empty one where these have run from it: its volume may not be mounted. Throws SCRIPTS_UNREADABLE. */
export async function requireFolder(folder: string, ranBefore: ReadonlySet<string>): Promise<void> {
  if (![...ranBefore].some(isSinkName) || (await identityOf(folder)) !== undefined) return;
  throw new OnArrivalError(
    "SCRIPTS_UNREADABLE",
    `scripts.folder: ${folder} does not exist, and scripts have run from it`,
  );
}

async function listed(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new OnArrivalError("SCRIPTS_UNREADABLE", `scripts.folder: ${describeError(cause)}`, { cause });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(folder);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

async function signaturesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let from = 0; from < paths.length; from += STATS_AT_ONCE) {
    const some = paths.slice(from, from + STATS_AT_ONCE);
    const signatures = await Promise.all(some.map(signatureOf));
    for (const [index, path] of some.entries()) found.set(path, signatures[index] ?? "");
  }
  return found;
}

/** The change time is in it: unlike the modification time nobody can set it back. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch (error) {
    return String(systemCodeOf(error));
  }
}
