// Where the files of a virtual server are: its mailroot, and what lies in it (REFERENCE 6.4).
import path from "node:path";
import type { Config, VirtualServerSettings } from "./schema.ts";

export interface ServerFolders {
  readonly mailroot: string;
  readonly pickup: string;
  readonly queue: string;
  readonly drop: string;
  readonly badmail: string;
}

/** The first virtual server lives in the mailroot of the service, each further one in a folder of its own there. */
export function serverFolders(config: Config, server: VirtualServerSettings): ServerFolders {
  const mailroot = server.mailroot ?? usualMailroot(config, server);
  return {
    mailroot,
    pickup: path.join(mailroot, "Pickup"),
    queue: path.join(mailroot, "Queue"),
    drop: path.join(mailroot, "Drop"),
    badmail: path.join(mailroot, "Badmail"),
  };
}

const usualMailroot = ({ mailroot, virtualServers }: Config, { name }: VirtualServerSettings): string =>
  virtualServers[0]?.name === name ? mailroot : path.join(mailroot, folderName(name));

/** The name of a virtual server is free text. */
export const folderName = (name: string): string => name.replaceAll(/[^\w.-]/g, "_").replace(/^\.+/, "_");
