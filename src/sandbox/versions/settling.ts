// When the files of a script count as written: they must have been quiet for a moment, and still be what was built
// (docs/decisions/0017).
import { join, sep } from "node:path";
import { contentHash, readInside, readScriptFile, type ScriptFile } from "./script-file.ts";
import type { ReloadSettings, Slot } from "./script-slot.ts";

/** What the volume says of the last change counts so far and no further: its clock may be that of another machine. */
const MAX_CREDIT_MS = 10;

/** Content hashes of files by their absolute paths. */
export type FileContents = ReadonlyMap<string, string>;

/** Whatever its content is, the file was looked at. */
export function noticeContent(
  slot: Slot,
  { hash, bytes, changedAt }: Extract<ScriptFile, { kind: "source" }>,
  settings: ReloadSettings,
  now: number,
): void {
  if (hash !== slot.hash && bytes.length > 0) {
    // One that saves twice in a row writes another text; one that is still writing adds to what is there.
    const grows =
      now - slot.seenAt < settings.slowSettleMs &&
      slot.bytes > 0 &&
      bytes.length > slot.bytes &&
      contentHash(bytes.subarray(0, slot.bytes)) === slot.hash;
    slot.settleMs = grows ? settings.slowSettleMs : settings.settleMs;
    slot.seenAt = now;
    slot.quietSince = Math.max(now - MAX_CREDIT_MS, Math.min(now, changedAt));
  }
  slot.hash = hash;
  slot.bytes = bytes.length;
}

/** What the script was built from since `from`: an import may be half written as well as the script itself. */
export function noticeImports(slot: Slot, contents: FileContents, folder: string, from: number): void {
  if (ownFiles(contents, folder).some(([path, hash]) => slot.contents.get(path) !== hash))
    slot.quietSince = Math.max(slot.quietSince, from);
  slot.contents = contents;
}

/** Whether script and imports say what was built. */
export async function isAsBuilt(slot: Slot, hash: string, folder: string): Promise<boolean> {
  const imports = ownFiles(slot.contents, folder).map(([path]) => path);
  const [file, areSame] = await Promise.all([
    readScriptFile(folder, slot.name),
    areAsBuilt(slot, imports, folder),
  ]);
  return areSame && file.kind === "source" && file.hash === hash;
}

/** Whether these of its imports say what was built. */
export async function areAsBuilt(slot: Slot, paths: Iterable<string>, folder: string): Promise<boolean> {
  const looks = [...paths].map(async (path) => {
    const file = await readInside(folder, path);
    return file.kind === "bytes" && file.hash === slot.contents.get(path);
  });
  return (await Promise.all(looks)).every(Boolean);
}

/** Without packages, which come by installations and are many. */
export function ownFiles(
  contents: FileContents,
  folder: string,
): readonly (readonly [path: string, hash: string])[] {
  const packages = join(folder, "node_modules") + sep;
  return [...contents].filter(([path]) => !path.startsWith(packages));
}
