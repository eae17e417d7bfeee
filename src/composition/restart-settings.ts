// Which settings a running service does not take over at a reload.
import type { Config, VirtualServerSettings } from "../config/schema.ts";
import { serverFolders } from "../config/server-folders.ts";
import type { ServerEntry } from "./servers/server-set.ts";

const fixedScriptSettings = ({ folder, watch, pollMs, testMs, logLines, logBytes }: Config["scripts"]) => ({
  "scripts.folder": folder,
  "scripts.watch": watch,
  "scripts.pollMs": pollMs,
  "scripts.testMs": testMs,
  "scripts.logLines": logLines,
  "scripts.logBytes": logBytes,
});

const fixedSettings = ({
  mailroot,
  scripts,
  store,
  sandbox,
  mailMsg,
  nativeSinks,
  log,
  admin,
}: Config): Record<string, unknown> => ({
  mailroot,
  ...fixedScriptSettings(scripts),
  store,
  sandbox,
  mailMsg,
  nativeSinks,
  log,
  admin,
});

/** Those of a virtual server: it takes them over when it is stopped and started. */
const fixedServerSettings = (
  { folders, listen, tls, protocolLog, autoStart }: VirtualServerSettings,
  mailroot: string,
): Record<string, unknown> => ({
  "virtualServers.mailroot": mailroot,
  "virtualServers.folders": folders,
  "virtualServers.listen": listen,
  "virtualServers.tls": tls && { implicit: tls.implicit },
  "virtualServers.protocolLog": protocolLog,
  "virtualServers.autoStart": autoStart,
});

/**
 * Keys of settings in which the service differs from `config` until its next start: from what it was `started` with, and its
 * virtual servers, each from what that one was started with.
 */
export function changedAtRestart(
  started: Config,
  config: Config,
  entries: readonly ServerEntry[],
): readonly string[] {
  const changed = changedKeys(fixedSettings(started), fixedSettings(config));
  const known = new Map(entries.map((entry) => [entry.name, entry]));
  for (const settings of config.virtualServers) {
    const { folders, server } = known.get(settings.name) ?? {};
    if (folders === undefined || server === undefined) continue;
    const inForce = fixedServerSettings(server.startedWith, folders.mailroot);
    const { mailroot } = serverFolders(config, settings);
    changed.push(...changedKeys(inForce, fixedServerSettings(settings, mailroot)));
  }
  const names = config.virtualServers.map(({ name }) => name);
  if (names.length !== known.size || names.some((name) => !known.has(name))) changed.push("virtualServers");
  return [...new Set(changed)];
}

const changedKeys = (
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] => Object.keys(after).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
