// Where the files of a virtual server are: its mailroot, and what lies in it (REFERENCE 6.4).
import path from "node:path";
import type { VirtualServerSettings } from "./schema.ts";

interface Mailroots {
  readonly mailroot: string;
  readonly virtualServers: readonly Pick<VirtualServerSettings, "name" | "mailroot" | "folders">[];
}
type ServerMailroot = Mailroots["virtualServers"][number];

export interface ServerFolders {
  readonly mailroot: string;
  readonly pickup: string;
  readonly queue: string;
  readonly drop: string;
  readonly badmail: string;
}

/** The first virtual server lives in the mailroot of the service, each further one in a folder of its own there. */
export function serverFolders(config: Mailroots, server: ServerMailroot): ServerFolders {
  const mailroot = server.mailroot ?? usualMailroot(config, server);
  const { pickup, queue, drop, badmail } = server.folders;
  return {
    mailroot,
    pickup: pickup ?? path.join(mailroot, "Pickup"),
    queue: queue ?? path.join(mailroot, "Queue"),
    drop: drop ?? path.join(mailroot, "Drop"),
    badmail: badmail ?? path.join(mailroot, "Badmail"),
  };
}

const usualMailroot = ({ mailroot, virtualServers }: Mailroots, { name }: ServerMailroot): string =>
  virtualServers[0]?.name === name ? mailroot : path.join(mailroot, folderName(name));

/** The name of a virtual server is free text. */
export const folderName = (name: string): string => name.replaceAll(/[^\w.-]/g, "_").replace(/^\.+/, "_");

/** What the service itself keeps in its mailroot. */
const SERVICE_FOLDERS = ["Effects", "Protocol", "Scripts", "Tracking"];
/** Where names that differ in case only are one file. */
const FOLDS_CASE = process.platform === "win32" || process.platform === "darwin";

/** Virtual servers, by their position, whose files would get among those of an earlier one or of the service. */
export function folderConflicts(config: Mailroots): { readonly index: number; readonly why: string }[] {
  const taken = SERVICE_FOLDERS.map((name) => ({
    folder: resolved(path.join(config.mailroot, name)),
    of: "the service itself",
  }));
  const conflicts: { index: number; why: string }[] = [];
  for (const [index, server] of config.virtualServers.entries()) {
    const { mailroot, ...folders } = serverFolders(config, server);
    const own = Object.values(folders).map(resolved);
    const met = taken.find(({ folder }) => own.some((one) => meet(one, folder)));
    if (own.some((one, at) => own.some((other, before) => before < at && meet(one, other))))
      conflicts.push({ index, why: "Pickup, Queue, Drop and Badmail have to be four folders side by side" });
    if (met !== undefined)
      conflicts.push({
        index,
        why: `${mailroot} has files of ${met.of} in it: give each virtual server a mailroot of its own`,
      });
    taken.push(...own.map((folder) => ({ folder, of: `the virtual server "${server.name}"` })));
  }
  return conflicts;
}

const resolved = (folder: string): string => {
  const absolute = path.resolve(folder);
  return FOLDS_CASE ? absolute.toLowerCase() : absolute;
};

const meet = (one: string, other: string): boolean => isWithin(one, other) || isWithin(other, one);

const isWithin = (folder: string, outer: string): boolean =>
  folder === outer || folder.startsWith(outer + path.sep);
