// Mailroots that no virtual server has any more: one was renamed, moved or taken out of the file, and its mail waits for nobody.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config/schema.ts";
import { serverFolders } from "../config/server-folders.ts";

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
  return [config.mailroot, ...folders].filter((folder) => {
    const queue = path.join(folder, "Queue");
    return !queues.has(queue) && existsSync(queue);
  });
}
