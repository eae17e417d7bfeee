// What the reloader knows about one file of the script folder, and the times it waits.
import { join, sep } from "node:path";
import type { LoadedScript } from "./loaded-script.ts";
import { PACKAGE_FILES, stemOf } from "./script-file.ts";

export interface ReloadSettings {
  /** A new content must stay this long before it goes live; the build takes about as long, so it costs little. */
  readonly settleMs: number;
  /** The same while a file grows (a slow copy): the beginning of a script may well be a valid script. */
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

/** What is known about one file. */
export interface Slot {
  readonly name: string;
  live: LoadedScript | undefined;
  broken: string | undefined;
  /** An error that is not told yet. */
  pendingFailure: string | undefined;
  imports: readonly string[];
  /** Content of the last attempt, and its length. */
  hash: string | undefined;
  bytes: number;
  /** Hash of the script and its imports as they compiled last; "" when they did not. */
  sources: string;
  /** Content hashes of its imports as they compiled last, by path. */
  contents: ReadonlyMap<string, string>;
  /** When a new content was seen last; since when it is there, and how long it has to stay. */
  seenAt: number;
  quietSince: number;
  settleMs: number;
  running: boolean;
  again: boolean;
  /** Build although the file itself is the same: one of its imports changed. */
  force: boolean;
  /** Files of `contents` that may have changed: see whether they did. */
  suspects: Set<string>;
  /** Another file changed while it was built: if it fails, that may have mended it. */
  mayHaveMissed: boolean;
  cancelTimer: (() => void) | undefined;
}

export function createSlot(name: string): Slot {
  return {
    name,
    live: undefined,
    broken: undefined,
    pendingFailure: undefined,
    imports: [],
    hash: undefined,
    bytes: 0,
    sources: "",
    contents: new Map(),
    seenAt: Number.NEGATIVE_INFINITY,
    quietSince: Number.NEGATIVE_INFINITY,
    settleMs: 0,
    running: false,
    again: false,
    force: false,
    suspects: new Set(),
    mayHaveMissed: false,
    cancelTimer: undefined,
  };
}

/** Whether an installation of packages touches this path. */
export const isPackageFile = (folder: string, path: string): boolean =>
  PACKAGE_FILES.some((file) => join(folder, file) === path);

/** A file that may have come, changed or gone. */
export interface TouchedFile {
  readonly path: string;
  /** Of a test: name of the script that it tests, without its ending. */
  readonly tests: string | undefined;
  readonly isPackages: boolean;
  /** A script that was there before. */
  readonly isKnownScript: boolean;
}

/** What a script has to do when another file was touched. */
export function effectOn(slot: Slot, file: TouchedFile, folder: string): "none" | "compare" | "build" {
  const isFine = slot.broken === undefined && slot.pendingFailure === undefined;
  if (isFine && slot.contents.has(file.path)) return "compare";
  // What was missing may be there now. Scripts are saved often: of one that was there only a failed compilation may not
  // have said that it is imported, and all others need not be looked at in a sandbox process again.
  const mayMend = !isFine && (!file.isKnownScript || slot.sources === "");
  const rests =
    slot.imports.includes(file.path) || (file.isPackages && restsOnPackages(slot, folder, file.path));
  return mayMend || rests || (file.tests !== undefined && stemOf(slot.name) === file.tests)
    ? "build"
    : "none";
}

/** Whether a change of this package file may make another script of it. */
function restsOnPackages({ imports }: Slot, folder: string, path: string): boolean {
  // It also maps imports of files ("imports"), and says which may be left out ("sideEffects").
  if (path === join(folder, "package.json")) return imports.length > 0;
  const packages = join(folder, "node_modules") + sep;
  return imports.some((file) => file.startsWith(packages));
}
