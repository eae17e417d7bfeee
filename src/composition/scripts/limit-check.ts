// Limits of scripts that have no effect, because another one of the same binding is reached first.
import type { PlaceOf } from "../../config/problems.ts";
import { DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";
import type { LiveScript } from "../../sandbox/script-host.ts";
import { nameOf, placesOf } from "../bindings/binding-places.ts";
import { type ConfiguredBinding, definedOf, scriptNameOf } from "../bindings/bindings.ts";

/** The first of each is within the second. */
const WITHIN = [
  ["cpuMs", "timeoutMs"],
  ["externalMb", "memoryMb"],
] as const;

/** Of what bindings and scripts say together: defaults that stand against nothing but defaults are none of theirs. */
export function limitWarnings(
  configured: readonly ConfiguredBinding[],
  scripts: ReadonlyMap<string, LiveScript>,
  placeOf?: PlaceOf,
): string[] {
  const bound = configured.flatMap(({ settings }, index) => {
    const exported = scripts.get(scriptNameOf(settings))?.binding.limits;
    const own = definedOf(settings.limits ?? {});
    return contradictions({ ...exported, ...own }).map(([key, why]) => {
      const at = key in own ? placesOf(index, placeOf)("limits", key) : "";
      return `${at}${nameOf(settings)}: ${why}`;
    });
  });
  const entered = new Set(configured.map(({ settings }) => scriptNameOf(settings)));
  const unbound = [...scripts.values()]
    .filter(({ name }) => !entered.has(name))
    .flatMap(({ name, binding }) =>
      contradictions(binding.limits ?? {}).map(([, why]) => `${name}: of its binding: ${why}`),
    );
  return [...bound, ...unbound];
}

type LimitName = (typeof WITHIN)[number][number];

function contradictions(said: Partial<ScriptLimits>): (readonly [LimitName, string])[] {
  return WITHIN.flatMap(([key, other]) => {
    const [value, most] = [said[key], said[other] ?? DEFAULT_SCRIPT_LIMITS[other]];
    if (value === undefined || value <= most) return [];
    return [
      [
        key,
        `limits.${key} (${value}) is more than limits.${other} (${most}), so it is never reached`,
      ] as const,
    ];
  });
}
