// What is wrong with the bindings of the configuration file that the service starts with all the same: for `onarrival check`.
import { existsSync } from "node:fs";
import path from "node:path";
import type { BindingSettings, Config } from "../config/schema.ts";
import { EVENTS } from "../events/catalog.ts";
import { parseRule } from "../events/rule.ts";
import { parseVerbRule } from "../events/verb-rule.ts";
import { isScriptBinding, scriptNameOf } from "./bindings.ts";

export interface BindingCheck {
  /** Mail does not go its way. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export function checkBindings({ bindings, scripts: { folder } }: Config): BindingCheck {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const binding of bindings) {
    const name = `binding ${JSON.stringify(binding.displayName)}`;
    const ignored = ignoredConditions(binding);
    if (ignored !== undefined) warnings.push(`${name}: ${ignored}`);
    if (!isScriptBinding(binding)) continue;
    const script = scriptNameOf(binding);
    if (script === "") warnings.push(`${name}: is not called: its sink property ScriptName is not set`);
    else if (binding.enabled !== false && !existsSync(path.join(folder, script)))
      problems.push(`${name}: its script ${script} is not in ${folder}: ${FATES[binding.onError ?? "hold"]}`);
  }
  return { problems, warnings };
}

const FATES = {
  hold: "the mail that it matches is held",
  badmail: "the mail that it matches moves to Badmail",
  continue: "the mail that it matches passes without it",
} as const;

/** Undefined when all of its rule counts. */
function ignoredConditions({ event, sourceProperties }: BindingSettings): string | undefined {
  const text = sourceProperties?.rule ?? "";
  const kind = EVENTS[event].rule;
  if (text.trim() === "") return undefined;
  if (kind === "none") return `its rule is ignored: bindings of ${event} have none`;
  const { conditions, ignored } = kind === "verb" ? parseVerbRule(text) : parseRule(text);
  if (ignored.length === 0) return undefined;
  const listed = ignored.map((condition) => JSON.stringify(condition)).join(", ");
  const left = conditions.length === 0 ? "; none is left, so it is never called" : "";
  return `its rule has conditions that cannot be parsed and are ignored: ${listed}${left}`;
}
