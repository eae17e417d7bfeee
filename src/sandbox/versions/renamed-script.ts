// A script whose file was renamed goes when the new one comes: every message would meet both until it counts as removed.
import { setTimeout as delay } from "node:timers/promises";
import { readScriptFile } from "./script-file.ts";
import type { Slot } from "./script-slot.ts";

/** What found the file gone may still be at work with it. After so many looks it goes as other removed files do. */
const LOOKS = 40;
const LOOK_MS = 5;

/** The script whose file is gone and said what the new one says. */
export async function renamedTo(
  slot: Slot,
  slots: Iterable<Slot>,
  folder: string,
): Promise<Slot | undefined> {
  for (const other of slots) {
    if (other === slot || other.live === undefined || other.sources !== slot.sources) continue;
    if (await isGone(other, folder)) return other;
  }
  return undefined;
}

async function isGone(slot: Slot, folder: string): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const file = await readScriptFile(folder, slot.name);
    if (file.kind !== "absent") return false;
    if (!slot.running) return true;
    await delay(LOOK_MS);
  }
  return false;
}
