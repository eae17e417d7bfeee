// A script whose file was renamed goes when the new one comes: every message would meet both until it counts as removed.
import { readScriptFile } from "./script-file.ts";
import type { Slot } from "./script-slot.ts";

/** The script whose file is gone and said what the new one says. */
export async function renamedTo(
  slot: Slot,
  slots: Iterable<Slot>,
  folder: string,
): Promise<Slot | undefined> {
  for (const other of slots) {
    if (other === slot || other.live === undefined || other.sources !== slot.sources) continue;
    const file = await readScriptFile(folder, other.name);
    if (file.kind === "absent" && !other.running) return other;
  }
  return undefined;
}
