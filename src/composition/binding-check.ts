// What is wrong with bindings that the service starts with all the same: for `onarrival check`, and for those who write them.
import { existsSync } from "node:fs";
import path from "node:path";
import type { BindingSettings, Config } from "../config/schema.ts";
import { LOWEST_PRIORITY } from "../events/binding.ts";
import { isExpired, isUsedUp } from "../events/firings.ts";
import { ruleWarning } from "../events/rule-check.ts";
import type { LiveScript } from "../sandbox/script-host.ts";
import { type ConfiguredBinding, isScriptBinding, scriptNameOf } from "./bindings.ts";

export interface BindingCheck {
  /** Mail does not go its way. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What decides whether bindings are called now. */
export interface BindingFacts {
  readonly now: number;
  /** Calls of bindings with maxFirings so far, by id. */
  readonly firings: ReadonlyMap<string, number>;
}

export function checkBindings(
  { bindings, scripts: { folder } }: Pick<Config, "bindings" | "scripts">,
  facts: BindingFacts,
): BindingCheck {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const binding of bindings) {
    warnings.push(...bindingWarnings(binding, facts));
    const script = scriptNameOf(binding);
    if (script !== "" && binding.enabled !== false && !existsSync(path.join(folder, script)))
      problems.push(
        `${nameOf(binding)}: its script ${script} is not in ${folder}: ${FATES[binding.onError ?? "hold"]}`,
      );
  }
  return { problems, warnings };
}

const FATES = {
  hold: "the mail that it matches is held",
  badmail: "the mail that it matches moves to Badmail",
  continue: "the mail that it matches passes without it",
} as const;

const nameOf = ({ displayName }: BindingSettings): string => `binding ${JSON.stringify(displayName)}`;

/** Why it is not called, or not for all that its rule seems to say. */
export function bindingWarnings(binding: BindingSettings, { now, firings }: BindingFacts): string[] {
  const { event, sourceProperties, expiration, maxFirings } = binding;
  const found: (string | undefined)[] = [ruleWarning(event, sourceProperties?.rule)];
  if (binding.enabled !== false) {
    if (expiration !== undefined && isExpired(binding, now))
      found.push(`is not called: it expired at ${new Date(expiration).toISOString()}`);
    if (isUsedUp(binding, firings.get(binding.id)))
      found.push(`is not called: its maxFirings (${maxFirings}) are used up`);
  }
  if (isScriptBinding(binding) && scriptNameOf(binding) === "")
    found.push("is not called: its sink property ScriptName is not set");
  return found.flatMap((why) => (why === undefined ? [] : [`${nameOf(binding)}: ${why}`]));
}

/** The same of what scripts and native sinks declare of their bindings themselves, where the configuration is silent. */
export function declaredWarnings(
  configured: readonly ConfiguredBinding[],
  scripts: ReadonlyMap<string, LiveScript>,
): string[] {
  const ofScripts = [...scripts.values()].flatMap(({ name, binding }) => {
    const entries = configured.filter(({ settings }) => scriptNameOf(settings) === name);
    const counts = entries.length === 0 || entries.some(({ settings }) => isSilent(settings, "rule"));
    const rule = counts ? ruleWarning("OnTransportSubmission", binding.rule) : undefined;
    return rule === undefined ? [] : [`${name}: of its binding: ${rule}`];
  });
  const ofSinks = configured.flatMap(({ settings, sink }) => {
    const found: (string | undefined)[] = [];
    const { rule, priority } = sink?.binding ?? {};
    if (isSilent(settings, "rule")) found.push(ruleWarning(settings.event, rule));
    if (priority !== undefined && isSilent(settings, "priority") && !isPriority(priority))
      found.push(
        `its priority is ${JSON.stringify(priority)}: priorities are whole numbers from 0 to ${LOWEST_PRIORITY}`,
      );
    return found.flatMap((why) => (why === undefined ? [] : [`${nameOf(settings)}: of its sink: ${why}`]));
  });
  return [...ofScripts, ...ofSinks];
}

const isSilent = ({ sourceProperties }: BindingSettings, key: "rule" | "priority"): boolean =>
  sourceProperties?.[key] === undefined;

/** A module of JavaScript may export anything. */
const isPriority = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LOWEST_PRIORITY;
