// Mailroots that no virtual server has any more: one was renamed, moved or taken out of the file, and its mail waits for nobody.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../../config/schema.ts";
import { serverFolders } from "../../config/server-folders.ts";
import { parseSegmentFileName } from "../../store/segments/record.ts";

/** For people who find one. */
export const STRAY_ADVICE =
  "no virtual server has this mailroot: what waits there is not delivered; name it as `mailroot` of one, or move it away";

/** Those at the usual places: the mailroot of the service, when it is there, and the folders in it. */
export async function strayMailroots(config: Config): Promise<string[]> {
  if (!existsSync(config.mailroot)) return [];
  const entries = await readdir(config.mailroot, { withFileTypes: true });
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(config.mailroot, name));
  const queues = new Set(config.virtualServers.map((server) => serverFolders(config, server).queue));
  const strays: string[] = [];
  for (const folder of [config.mailroot, ...folders])
    if (!queues.has(path.join(folder, "Queue")) && (await hadMail(folder))) strays.push(folder);
  return strays;
}

/** A virtual server that could not begin, as its address was not to be had, leaves folders with nothing in them. */
async function hadMail(folder: string): Promise<boolean> {
  const queue = await namesIn(path.join(folder, "Queue"));
  if (queue.length === 0) return false;
  const isInQueue = queue.some((name) => parseSegmentFileName(name) !== undefined);
  return isInQueue || (await namesIn(path.join(folder, "Pickup"))).length > 0;
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
