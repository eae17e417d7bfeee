// Which settings a running service does not take over at a reload.
import type { Config } from "../config/schema.ts";

/** Settings that a running service does not take over. */
const fixedSettings = ({
  mailroot,
  scripts,
  store,
  sandbox,
  log,
  admin,
  virtualServers,
}: Config): Record<string, unknown> => ({
  mailroot,
  "scripts.folder": scripts.folder,
  store,
  sandbox,
  log,
  admin,
  "virtualServers.mailroot": virtualServers.map(({ name, mailroot: own }) => [name, own]),
  "virtualServers.protocolLog": virtualServers.map(({ name, protocolLog }) => [name, protocolLog]),
  "virtualServers.listen": virtualServers.map(({ name, listen, tls }) => [name, listen, tls]),
});

/** Keys of changed settings that apply at the next start. */
export function changedAtRestart(before: Config | undefined, after: Config): string[] {
  if (before === undefined) return [];
  const old = fixedSettings(before);
  return Object.entries(fixedSettings(after)).flatMap(([key, value]) =>
    JSON.stringify(value) === JSON.stringify(old[key]) ? [] : [key],
  );
}
