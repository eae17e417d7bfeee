// Which settings a running service does not take over at a reload.
import type { Config } from "../config/schema.ts";
import { serverFolders } from "../config/server-folders.ts";

const fixedSettings = ({
  mailroot,
  scripts,
  store,
  sandbox,
  mailMsg,
  log,
  admin,
}: Config): Record<string, unknown> => ({
  mailroot,
  "scripts.folder": scripts.folder,
  store,
  sandbox,
  mailMsg,
  log,
  admin,
});

/** Those of a virtual server, by its name: it takes them over when it is stopped and started. */
const fixedServerSettings = (config: Config): Map<string, Record<string, unknown>> =>
  new Map(
    config.virtualServers.map((server) => [
      server.name,
      {
        "virtualServers.mailroot": serverFolders(config, server).mailroot,
        "virtualServers.folders": server.folders,
        "virtualServers.listen": [server.listen, server.tls && { ...server.tls, required: undefined }],
        "virtualServers.protocolLog": server.protocolLog,
      },
    ]),
  );

/** Keys of changed settings that apply at the next start. `running`: the virtual servers that there are now. */
export function changedAtRestart(
  before: Config | undefined,
  after: Config,
  running: readonly string[],
): string[] {
  if (before === undefined) return [];
  const changed = changedKeys(fixedSettings(before), fixedSettings(after));
  const [old, now] = [fixedServerSettings(before), fixedServerSettings(after)];
  for (const [name, settings] of now) changed.push(...changedKeys(old.get(name) ?? settings, settings));
  const names = new Set(running);
  if (names.size !== now.size || [...now.keys()].some((name) => !names.has(name)))
    changed.push("virtualServers");
  return [...new Set(changed)];
}

const changedKeys = (
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] => Object.keys(after).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
