// What the configuration says of the sandbox and of the script folder, as the script host takes it.
import type { Config } from "../../config/schema.ts";
import type { ScriptHostOptions } from "../../sandbox/script-host.ts";

export function scriptHostSettings({
  sandbox,
  scripts,
}: Pick<Config, "sandbox" | "scripts">): NonNullable<ScriptHostOptions["settings"]> {
  const { workers, ...settings } = sandbox;
  const { folder: _, secretsFile: __, ...reloading } = scripts;
  return { processes: workers, ...settings, ...reloading };
}
