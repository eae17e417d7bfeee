// Makes the chain of sinks out of the metabase and what the scripts export.
import type { Logger } from "../../core/logger.ts";
import type { PlaceOf } from "../../config/problems.ts";
import { type Before, nameOf, placesOf } from "./binding-places.ts";
import type { BindingSettings } from "../../config/schema.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import {
  type Binding,
  DEFAULT_PRIORITY,
  SCRIPT_SINK_CLASS,
  isScriptClass,
  type SinkProperties,
  createBinding,
} from "../../events/binding.ts";
import type { MailEvent } from "../../events/catalog.ts";
import { SinkChain } from "../../events/dispatcher.ts";
import { PropertyIdRanges } from "../../message/property-ids.ts";
import {
  type AnyNativeSink,
  type BoundSink,
  type NativeBound,
  type NativeSink,
  type ScriptBound,
  type SinkContext,
  compileRule,
  createPropertyBag,
  isSinkOf,
} from "../../events/sink.ts";
import { SinkPropertyError } from "../../events/sink-property-error.ts";
import type { LiveScript } from "../../sandbox/script-host.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { loadNativeSink } from "./native-sinks.ts";
import { type ShadowWish, placeShadows, shadowWish } from "./shadow-placement.ts";

/** A binding of the metabase with its native sink loaded; a script binding has none. */
export interface ConfiguredBinding {
  readonly settings: BindingSettings;
  readonly sink: AnyNativeSink | undefined;
}

export type OnEvent<Subject> = (subject: Subject, context: SinkContext) => unknown;

/** Wraps a sink so that its time is taken. */
export type SinkTimer = <Subject>(binding: Binding, onEvent: OnEvent<Subject>) => OnEvent<Subject>;

export interface ChainParts {
  readonly configured: readonly ConfiguredBinding[];
  readonly scripts: ReadonlyMap<string, LiveScript>;
  /** Scripts that are switched off: their bindings are not called. */
  readonly disabled?: ReadonlySet<string>;
  readonly log: Logger;
  readonly nextMessageId: () => string;
  /** Absent: ids of private properties count for this process only. */
  readonly propertyIds?: PropertyIdRanges | undefined;
  /** Takes the time of sinks whose events have no effect run. Absent: it is not taken. */
  readonly timed?: SinkTimer | undefined;
}

/**
 * Loads the native sinks of the metabase. Throws SINK_NOT_FOUND, SINK_INVALID or SINK_PROPERTIES_INVALID for one that cannot be
 * used, or all of them in one; with `placeOf` each line begins with its place in the file.
 */
export async function loadBindings(
  bindings: readonly BindingSettings[],
  own: Readonly<Record<string, AnyNativeSink>> = {},
  placeOf?: PlaceOf,
): Promise<ConfiguredBinding[]> {
  const loaded = await Promise.allSettled(
    bindings.map(async (settings, index) => {
      if (isScriptBinding(settings)) return { settings, sink: undefined };
      const before = placesOf(index, placeOf);
      const sink = await loadSink(settings, own, before);
      checkProperties(settings, sink, before);
      return { settings, sink };
    }),
  );
  const failed = loaded.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  if (failed.length > 0) throw together(failed);
  return loaded.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

/** All that operators have to change at once, one line each; a defect of ours comes first. */
function together(failed: readonly unknown[]): unknown {
  const faults = failed.filter((thrown) => thrown instanceof OnArrivalError);
  const [first] = faults;
  if (first === undefined || faults.length < failed.length)
    return failed.find((thrown) => !(thrown instanceof OnArrivalError));
  return new OnArrivalError(first.code, faults.map(({ message }) => message).join("\n"), { cause: first });
}

async function loadSink(
  { sinkClass, event }: BindingSettings,
  own: Readonly<Record<string, AnyNativeSink>>,
  before: Before,
): Promise<AnyNativeSink> {
  try {
    return await loadNativeSink(sinkClass, event, own);
  } catch (thrown) {
    if (!(thrown instanceof OnArrivalError)) throw thrown;
    throw new OnArrivalError(thrown.code, `${before("sinkClass")}${thrown.message}`, { cause: thrown });
  }
}

function checkProperties(
  { displayName, sinkProperties = {} }: BindingSettings,
  sink: AnyNativeSink,
  before: Before,
): void {
  try {
    const answer: unknown = sink.checkProperties?.(createPropertyBag(scalarsOf(sinkProperties)));
    if (answer instanceof Promise) {
      answer.catch(() => undefined);
      throw new TypeError("checkProperties has to answer at once, not with a promise");
    }
  } catch (thrown) {
    const wrong = thrown instanceof SinkPropertyError ? thrown.property : undefined;
    // The name as the file spells it, whatever its case.
    const names = Object.keys(sinkProperties).filter((name) => name.toLowerCase() === wrong?.toLowerCase());
    const message = `${before("sinkProperties", ...names.slice(0, 1))}${nameOf({ displayName })}: ${describeError(thrown)}`;
    throw new OnArrivalError("SINK_PROPERTIES_INVALID", message, { cause: thrown });
  }
}

export const isScriptBinding = (settings: BindingSettings): boolean => isScriptClass(settings.sinkClass);

/** Native sinks in the order of the metabase, then scripts by file name: the order of equal priorities. */
export function buildChain(parts: ChainParts): SinkChain<ScriptTarget> {
  const sinks: BoundSink<ScriptTarget>[] = [];
  const shadows = new Map<BoundSink<ScriptTarget>, ShadowWish>();
  for (const { settings, sink } of [...parts.configured, ...impliedBindings(parts)].toSorted(byScriptName)) {
    if (settings.event !== "OnTransportSubmission") continue;
    if (sink !== undefined && isSinkOf(sink, "OnTransportSubmission")) {
      sinks.push(nativeBound(parts, settings, sink));
      continue;
    }
    const scriptName = scriptNameOf(settings);
    if (scriptName === "") {
      // As smtpreg leaves it between /add and /setprop.
      parts.log.warn(
        { binding: settings.displayName },
        "script binding without ScriptName is not called; set the sink property ScriptName",
      );
      continue;
    }
    const bound = scriptBound(parts, scriptName, settings);
    const wish = shadowWish(settings, parts.scripts.get(scriptName)?.binding ?? {});
    if (wish !== undefined) shadows.set(bound, wish);
    sinks.push(bound);
  }
  const isCalled = (sink: BoundSink<ScriptTarget>): boolean =>
    sink.binding.enabled && !(sink.kind === "script" && parts.disabled?.has(sink.script.scriptName) === true);
  return new SinkChain(
    placeShadows(sinks.filter(isCalled), shadows),
    sinks.filter((sink) => !isCalled(sink)),
  );
}

/** Of scripts that the metabase does not mention. */
function impliedBindings({ configured, scripts }: ChainParts): ConfiguredBinding[] {
  const named = new Set(configured.map(({ settings }) => scriptNameOf(settings)));
  return [...scripts.values()]
    .filter(({ name }) => !named.has(name))
    .map(({ name, binding }) => ({ settings: impliedEntry(name, binding.displayName), sink: undefined }));
}

/** As the bytes are: the order must not hang on the language of the machine. */
function byScriptName(a: ConfiguredBinding, b: ConfiguredBinding): number {
  const [first, second] = [scriptNameOf(a.settings), scriptNameOf(b.settings)];
  if (first === second) return 0;
  return first < second ? -1 : 1;
}

/** Those that belong to one of these virtual servers and to no other. */
export const bindingsOf = (
  configured: readonly ConfiguredBinding[],
  servers: readonly string[],
): ConfiguredBinding[] =>
  configured.filter(({ settings: { server } }) => server !== undefined && servers.includes(server));

/** Scripts whose bindings are not those of before: what they held may be tried again. */
export function scriptsBoundAnew(
  before: readonly ConfiguredBinding[],
  after: readonly ConfiguredBinding[],
): readonly string[] {
  const [old, now] = [bindingTexts(before), bindingTexts(after)];
  return [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
}

function bindingTexts(configured: readonly ConfiguredBinding[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { settings } of configured) {
    const name = scriptNameOf(settings);
    if (name !== "") texts.set(name, (texts.get(name) ?? "") + JSON.stringify(settings));
  }
  return texts;
}

/** A binding as people look for it. */
export interface ShownBinding {
  readonly displayName: string;
  readonly id: string;
  readonly event: string;
  /** Absent: every message. */
  readonly rule?: string | undefined;
  readonly priority: number;
  readonly mode: "live" | "shadow";
  /** Of a shadow that says so: the live binding beside which it runs. */
  readonly compareWith?: string | undefined;
  readonly enabled: boolean;
  readonly onError: Binding["onError"];
}

/** The bindings of each script, for people: also those that are not called. */
export function listScriptBindings(
  configured: readonly ConfiguredBinding[],
  scripts: ReadonlyMap<string, LiveScript>,
): Map<string, ShownBinding[]> {
  const found = new Map<string, ShownBinding[]>();
  const show = (name: string, settings: BindingSettings): void => {
    const shown = shownBinding(settings, scripts.get(name)?.binding ?? {});
    found.set(name, [...(found.get(name) ?? []), shown]);
  };
  for (const { settings } of configured) {
    const name = scriptNameOf(settings);
    if (name !== "") show(name, settings);
  }
  for (const [name, script] of scripts)
    if (!found.has(name)) show(name, impliedEntry(name, script.binding.displayName));
  return found;
}

/** `exported`: what the script says of its binding. */
export function shownBinding(settings: BindingSettings, exported: LiveScript["binding"]): ShownBinding {
  const { displayName, id, event, rule, priority, enabled, onError } = toBinding(settings, exported);
  const wish = shadowWish(settings, exported);
  const mode = wish === undefined ? "live" : "shadow";
  return { displayName, id, event, rule, priority, mode, compareWith: wish?.compareWith, enabled, onError };
}

/** "" for native sinks, which keep their order before scripts of the same priority. */
export function scriptNameOf(settings: BindingSettings): string {
  const name = settings.sinkProperties?.["ScriptName"];
  return isScriptBinding(settings) && typeof name === "string" ? name : "";
}

type ContextParts = Pick<ChainParts, "log" | "nextMessageId" | "propertyIds">;

export function nativeBound(
  parts: ContextParts,
  settings: BindingSettings,
  sink: NativeSink<MailEvent>,
): NativeBound {
  const binding = bindingOf(settings, sink);
  return {
    kind: "native",
    binding,
    rule: compileRule(binding, parts.log),
    sink,
    context: sinkContext(binding, parts),
  };
}

/** The binding of a native sink: its metabase entry, and what it declares itself where that is silent. */
export const bindingOf = (settings: BindingSettings, sink: Pick<AnyNativeSink, "binding">): Binding =>
  toBinding(settings, { rule: sink.binding?.rule, priority: sink.binding?.priority });

export function sinkContext(
  binding: Binding,
  { log, nextMessageId, propertyIds = new PropertyIdRanges() }: ContextParts,
): SinkContext {
  return {
    properties: createPropertyBag(binding.sinkProperties),
    log: log.child({ binding: binding.displayName }),
    binding,
    nextMessageId,
    allocPropertyIds: (owner, count) => propertyIds.allocate(owner, count),
  };
}

function scriptBound(
  parts: ChainParts,
  scriptName: string,
  settings: BindingSettings,
): ScriptBound<ScriptTarget> {
  const script = parts.scripts.get(scriptName);
  const exported: LiveScript["binding"] = script?.binding ?? {};
  const binding = toBinding(settings, exported);
  return {
    kind: "script",
    binding,
    rule: compileRule(binding, parts.log),
    script: {
      scriptName,
      script,
      limits: { ...DEFAULT_SCRIPT_LIMITS, ...exported.limits, ...definedOf(settings.limits ?? {}) },
      allow: definedOf(settings.allow ?? {}),
      cacheable: settings.cacheable ?? exported.cacheable ?? true,
    },
  };
}

/** The entry of a script that the metabase does not mention. It keeps its id from reload to reload. */
const impliedEntry = (scriptName: string, displayName: string | undefined): BindingSettings => ({
  id: `script:${scriptName}`,
  displayName: displayName ?? scriptName,
  event: "OnTransportSubmission",
  sinkClass: SCRIPT_SINK_CLASS,
  sinkProperties: { ScriptName: scriptName },
});

/** What a sink says of its own binding. */
interface DeclaredBinding {
  readonly rule?: string | undefined;
  readonly priority?: number | undefined;
  readonly enabled?: boolean;
  readonly onError?: Binding["onError"];
  readonly sinkProperties?: Readonly<Record<string, unknown>>;
}

/** The metabase entry; where it is silent, what the sink itself declares. */
function toBinding(settings: BindingSettings, declared: DeclaredBinding): Binding {
  const { sourceProperties } = settings;
  return createBinding({
    id: settings.id,
    displayName: settings.displayName,
    event: settings.event,
    sinkClass: settings.sinkClass,
    enabled: settings.enabled ?? declared.enabled ?? true,
    expiration: settings.expiration,
    maxFirings: settings.maxFirings,
    rule: sourceProperties?.rule ?? declared.rule,
    priority: sourceProperties?.priority ?? declared.priority ?? DEFAULT_PRIORITY,
    sinkProperties: scalarsOf({ ...declared.sinkProperties, ...settings.sinkProperties }),
    server: settings.server,
    onError: settings.onError ?? declared.onError ?? "hold",
  });
}

const scalar = (value: unknown): string | number | boolean =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : JSON.stringify(value);

function scalarsOf(values: Readonly<Record<string, unknown>>): SinkProperties {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, scalar(value)]));
}

/** The entries that have a value: an absent key must not hide a default. */
export function definedOf<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const defined: { [Key in keyof T]?: Exclude<T[Key], undefined> } = {};
  for (const key in values) {
    const value = values[key];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- undefined was just ruled out
    if (value !== undefined) defined[key] = value as Exclude<T[typeof key], undefined>;
  }
  return defined;
}
