// What is wrong with bindings that the service starts with all the same: for `onarrival check`, and for those who write them.
import type { Clock } from "../../core/clock.ts";
import type { PlaceOf } from "../../config/problems.ts";
import type { BindingSettings, Config } from "../../config/schema.ts";
import { isExpired, isUsedUp } from "../../events/firings.ts";
import { ruleWarning } from "../../events/rule-check.ts";
import type { LiveScript, ScriptHost } from "../../sandbox/script-host.ts";
import { type Before, NOWHERE, nameOf, placesOf } from "./binding-places.ts";
import { type ConfiguredBinding, isScriptBinding, listScriptBindings, scriptNameOf } from "./bindings.ts";
import { withoutScript } from "./unserved-bindings.ts";

export interface BindingCheck {
  /** Mail does not go its way. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What decides whether bindings are called now. */
export interface BindingFacts {
  readonly clock: Pick<Clock, "now">;
  /** Calls of bindings with maxFirings so far, by id. */
  readonly firings: ReadonlyMap<string, number>;
  /** Names of scripts that `onarrival scripts disable` switched off. */
  readonly disabledScripts: ReadonlySet<string>;
}

export function checkBindings(
  { bindings, scripts: { folder }, placeOf }: Pick<Config, "bindings" | "scripts" | "placeOf">,
  facts: BindingFacts,
): BindingCheck {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [index, binding] of bindings.entries()) {
    const before = placesOf(index, placeOf);
    warnings.push(...bindingWarnings(binding, facts, before));
    problems.push(...missingScript(binding, folder, facts, before));
  }
  return { problems, warnings };
}

/** That its script is not there, and what this does to mail. */
export function missingScript(
  binding: BindingSettings,
  folder: string,
  { disabledScripts }: Pick<BindingFacts, "disabledScripts">,
  before: Before = NOWHERE,
): string[] {
  if (disabledScripts.has(scriptNameOf(binding))) return [];
  const found = withoutScript(binding, folder);
  return found === undefined
    ? []
    : [`${before("sinkProperties", "ScriptName")}${nameOf(binding)}: ${found.problem}: ${found.advice}`];
}

/** Why it is not called, or not for all that its rule seems to say. */
export function bindingWarnings(
  binding: BindingSettings,
  { clock, firings, disabledScripts }: BindingFacts,
  before: Before = NOWHERE,
): string[] {
  const { event, sourceProperties, expiration, maxFirings } = binding;
  const lines: string[] = [];
  const warn = (why: string, ...key: readonly string[]): void =>
    void lines.push(`${before(...key)}${nameOf(binding)}: ${why}`);
  const ofRule = ruleWarning(event, sourceProperties?.rule);
  if (ofRule !== undefined) warn(ofRule, "sourceProperties", "rule");
  if (binding.enabled !== false) {
    if (expiration !== undefined && isExpired(binding, clock))
      warn(`is not called: it expired at ${new Date(expiration).toISOString()}`, "expiration");
    if (isUsedUp(binding, firings.get(binding.id)))
      warn(`is not called: its maxFirings (${maxFirings}) are used up`, "maxFirings");
  }
  const script = scriptNameOf(binding);
  if (binding.enabled !== false && disabledScripts.has(script))
    warn(`is not called: ${switchedOff(script)}`, "sinkProperties", "ScriptName");
  if (isScriptBinding(binding) && script === "")
    warn("is not called: its sink property ScriptName is not set", "sinkProperties", "ScriptName");
  return lines;
}

const switchedOff = (script: string): string =>
  `${script} is disabled; \`onarrival scripts enable ${script}\` switches it on`;

/** The same of scripts that are bound by what they export alone. */
export function disabledWarnings(
  configured: readonly ConfiguredBinding[],
  { scripts, disabled }: Pick<ScriptHost, "scripts" | "disabled">,
): string[] {
  const named = new Set(configured.map(({ settings }) => scriptNameOf(settings)));
  return [...scripts.values()].flatMap(({ name, binding }) =>
    disabled.has(name) && !named.has(name) && binding.enabled !== false
      ? [`${name}: its binding is not called: ${switchedOff(name)}`]
      : [],
  );
}

/** The same of what scripts and native sinks declare of their bindings themselves, where the configuration is silent. */
export function declaredWarnings(
  configured: readonly ConfiguredBinding[],
  scripts: ReadonlyMap<string, LiveScript>,
  placeOf?: PlaceOf,
): string[] {
  const ofScripts = [...scripts.values()].flatMap(({ name, binding }) => {
    const entries = configured.filter(({ settings }) => scriptNameOf(settings) === name);
    const counts = entries.length === 0 || entries.some(({ settings }) => leavesRule(settings));
    const rule = counts ? ruleWarning("OnTransportSubmission", binding.rule) : undefined;
    return rule === undefined ? [] : [`${name}: of its binding: ${rule}`];
  });
  const ofSinks = configured.flatMap(({ settings, sink }, index) => {
    const why = leavesRule(settings) ? ruleWarning(settings.event, sink?.binding?.rule) : undefined;
    const before = placesOf(index, placeOf);
    return why === undefined ? [] : [`${before("sinkClass")}${nameOf(settings)}: of its sink: ${why}`];
  });
  return [...ofScripts, ...ofSinks];
}

const leavesRule = ({ sourceProperties }: BindingSettings): boolean => sourceProperties?.rule === undefined;

/** Shadows that are to be compared with a live binding that is not there. */
export function comparisonWarnings(
  configured: readonly ConfiguredBinding[],
  { scripts, disabled }: Pick<ScriptHost, "scripts" | "disabled">,
  placeOf?: PlaceOf,
): string[] {
  const called = [...listScriptBindings(configured, scripts)].flatMap(([script, bindings]) =>
    disabled.has(script)
      ? []
      : bindings.filter(({ enabled }) => enabled).map((binding) => ({ ...binding, script })),
  );
  const live = called.filter(({ mode }) => mode === "live");
  const names = new Set(live.flatMap(({ displayName, script }) => [displayName, script]));
  return called.flatMap(({ mode, compareWith, id, displayName }) => {
    if (mode === "live" || compareWith === undefined || names.has(compareWith)) return [];
    const index = configured.findIndex(({ settings }) => settings.id === id);
    const why = `its compareWith, ${JSON.stringify(compareWith)}, is neither the display name nor the script of a live binding that is enabled, so it is compared with nothing`;
    return [`${placesOf(index, placeOf)("compareWith")}${nameOf({ displayName })}: ${why}`];
  });
}
