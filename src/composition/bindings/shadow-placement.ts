// Puts shadow bindings to their places in the chain, beside the live bindings that they are compared with.
import type { BindingSettings } from "../../config/schema.ts";
import type { BoundSink, ScriptBound } from "../../events/sink.ts";
import type { LiveScript } from "../../sandbox/script-host.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";

/** What a shadow binding says beside what every binding says. */
export interface ShadowWish {
  /** Display name or ScriptName of a live binding. */
  readonly compareWith: string | undefined;
  readonly hasPriority: boolean;
}

/** Undefined for a live binding. */
export function shadowWish(
  entry: Pick<BindingSettings, "mode" | "compareWith" | "sourceProperties">,
  exported: LiveScript["binding"],
): ShadowWish | undefined {
  if ((entry.mode ?? exported.mode) !== "shadow") return undefined;
  return {
    compareWith: entry.compareWith ?? exported.compareWith,
    hasPriority: (entry.sourceProperties?.priority ?? exported.priority) !== undefined,
  };
}

/** A shadow comes directly before the live binding, unless it wants another priority: the two get the same message. */
export function placeShadows(
  sinks: readonly BoundSink<ScriptTarget>[],
  wishes: ReadonlyMap<BoundSink<ScriptTarget>, ShadowWish>,
): BoundSink<ScriptTarget>[] {
  if (wishes.size === 0) return [...sinks];
  const placed = sinks.filter((sink) => !wishes.has(sink));
  for (const sink of sinks) {
    const wish = wishes.get(sink);
    if (wish === undefined || sink.kind === "native") continue;
    const live = findLive(sink, wish.compareWith, placed);
    const shadowOf = { bindingId: live?.binding.id };
    const staysApart = wish.hasPriority && sink.binding.priority !== live?.binding.priority;
    if (live === undefined || staysApart) {
      placed.push({ ...sink, shadowOf });
    } else {
      const binding = { ...sink.binding, priority: live.binding.priority };
      placed.splice(placed.indexOf(live), 0, { ...sink, binding, shadowOf });
    }
  }
  return placed;
}

/** Without compareWith: the live binding of the same script, else of the script whose `.next` this is. */
function findLive(
  shadow: ScriptBound<ScriptTarget>,
  compareWith: string | undefined,
  placed: readonly BoundSink<ScriptTarget>[],
): ScriptBound<ScriptTarget> | undefined {
  const live = placed.filter(
    (sink): sink is ScriptBound<ScriptTarget> => sink.kind === "script" && sink.shadowOf === undefined,
  );
  const { scriptName } = shadow.script;
  const names =
    compareWith === undefined ? [scriptName, scriptName.replace(/\.next(?=\.\w+$)/, "")] : [compareWith];
  for (const name of names) {
    const found = live.find(
      ({ binding, script }) => binding.displayName === name || script.scriptName === name,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
