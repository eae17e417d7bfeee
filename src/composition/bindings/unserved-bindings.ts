// Bindings that call no script, because their file is not there or no version of it ever went live: what becomes of the
// mail that they match, and what to do. Told in the log, by `onarrival status` and `scripts list`, and as a metric.
import { existsSync } from "node:fs";
import path from "node:path";
import type { BindingSettings } from "../../config/schema.ts";
import type { Logger } from "../../core/logger.ts";
import type { ScriptHost } from "../../sandbox/script-host.ts";
import { isSinkName } from "../../sandbox/versions/script-file.ts";
import {
  type ConfiguredBinding,
  listScriptBindings,
  scriptNameOf,
  shownBinding,
  type ShownBinding,
} from "./bindings.ts";

export interface UnservedBinding {
  readonly binding: string;
  readonly script: string;
  /** Why there is nothing to call, and what becomes of the mail. */
  readonly problem: string;
  readonly advice: string;
}

const FATES = {
  hold: "is held",
  badmail: "moves to Badmail",
  continue: "passes without it",
} as const;

export function unservedBindings(
  configured: readonly ConfiguredBinding[],
  { scripts, broken, disabled }: Pick<ScriptHost, "scripts" | "broken" | "disabled">,
): UnservedBinding[] {
  return [...listScriptBindings(configured, scripts)].flatMap(([script, bindings]) =>
    scripts.has(script) || disabled.has(script)
      ? []
      : bindings.filter(isCalled).map((binding) => unserved(binding, script, broken.get(script))),
  );
}

/** Before anything is compiled: a binding whose script is not in the folder. */
export function withoutScript(settings: BindingSettings, folder: string): UnservedBinding | undefined {
  const script = scriptNameOf(settings);
  const binding = shownBinding(settings, {});
  const isThere = isSinkName(script) && existsSync(path.join(folder, script));
  if (script === "" || !isCalled(binding) || isThere) return undefined;
  return unserved(binding, script, undefined);
}

const isCalled = ({ enabled, mode }: ShownBinding): boolean => enabled && mode === "live";

/** `broken`: what is wrong with the file, if it is there. */
function unserved(
  { displayName, rule, onError }: ShownBinding,
  script: string,
  broken: string | undefined,
): UnservedBinding {
  const absent = isSinkName(script) ? "is not in the scripts folder" : "is no name of a script";
  const why = broken === undefined ? absent : "never went live";
  const detail = broken === undefined || broken === "" ? "" : ` (${broken})`;
  const mail = rule === undefined ? "all mail" : `mail that the rule ${rule} matches`;
  return {
    binding: displayName,
    script,
    problem: `${script} ${why}${detail}, so ${mail} ${FATES[onError]}`,
    advice: isSinkName(script)
      ? `save a working ${script}, or disable or remove the binding`
      : "give the binding the ScriptName of a file that ends in .js, .mjs or .ts, or disable or remove it",
  };
}

export function warnOfUnserved(unservedOnes: readonly UnservedBinding[], log: Logger): void {
  for (const one of unservedOnes) log.warn({ ...one }, "a binding has no script to call");
}
