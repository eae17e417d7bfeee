// The script host as the configuration wants it, for the service and for `onarrival check`.
import path from "node:path";
import type { CodeCheck, ScriptCheck } from "../../cli/check.ts";
import type { Config } from "../../config/schema.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { type ScriptHostOptions, createScriptHost } from "../../sandbox/script-host.ts";
import { requireFolder } from "../../sandbox/versions/script-folder.ts";
import { comparisonWarnings, declaredWarnings, disabledWarnings } from "../bindings/binding-check.ts";
import { loadBindings } from "../bindings/bindings.ts";
import { idleFileWarnings } from "./idle-files.ts";
import { KeptScripts } from "./kept-scripts.ts";
import { serveOwnPackage } from "../bindings/native-sinks.ts";
import { limitWarnings } from "./limit-check.ts";
import { scriptHostSettings } from "./script-host-settings.ts";
import { type MissingSecret, ServiceCapabilities } from "./service-capabilities.ts";

export function scriptHostOptions(config: Config, log: Logger, clock: Clock): ScriptHostOptions {
  return {
    folder: config.scripts.folder,
    stateFolder: path.join(config.mailroot, "Scripts"),
    log,
    clock,
    settings: scriptHostSettings(config),
  };
}

/** Loads the native sinks, compiles and pre-flights every script of the folder. */
export async function checkScripts(config: Config): Promise<CodeCheck> {
  serveOwnPackage();
  const configured = await loadBindings(config.bindings, {}, config.placeOf);
  const { disabled, generations } = await KeptScripts.open(config.mailroot);
  await requireFolder(config.scripts.folder, await generations.names());
  const { stateFolder: _, ...options } = scriptHostOptions(config, silentLogger, systemClock);
  const capabilities = await ServiceCapabilities.open(config, silentLogger, systemClock);
  const host = createScriptHost({ ...options, ...capabilities.hostOptions, broker: undefined, watch: false });
  try {
    await host.start();
    const { scripts } = host;
    const names = [...new Set([...scripts.keys(), ...host.broken.keys()])].toSorted();
    const found = names.map((script) => ({ script, problem: host.broken.get(script) }));
    return {
      scripts: [...found, ...capabilities.missingSecrets().map(problemOf)],
      warnings: [
        ...(await idleFileWarnings(config.scripts.folder)),
        ...disabledWarnings(configured, { scripts, disabled }),
        ...declaredWarnings(configured, scripts, config.placeOf),
        ...limitWarnings(configured, scripts, config.placeOf),
        ...comparisonWarnings(configured, { scripts, disabled }, config.placeOf),
      ],
    };
  } finally {
    await host.stop();
    await capabilities.close();
  }
}

const problemOf = ({ script, binding, secret }: MissingSecret): ScriptCheck => ({
  script,
  problem: `its binding ${JSON.stringify(binding)} grants the secret ${secret}, which is not defined: set ONARRIVAL_SECRET_${secret} or name it in scripts.secretsFile`,
});
