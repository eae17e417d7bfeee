// Makes the names of a folder durable. It stands beside the content because the store and the capabilities of scripts both keep files.
import { open } from "node:fs/promises";

/** A new name lives in its folder: without this a crash may forget the file though its bytes are on disk. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and its file systems journal names by themselves.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
