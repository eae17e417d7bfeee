// What one binding of an old metabase becomes here, or why it cannot be taken over.
import { DEFAULT_PRIORITY, isScriptClass, LOWEST_PRIORITY, SCRIPT_SINK_CLASS } from "../../events/binding.ts";
import type { EventName } from "../../events/catalog.ts";
import { EVENT_TYPES } from "../../events/event-types.ts";
import { ruleWarning } from "../../events/rule-check.ts";
import type { NewBinding } from "../edit.ts";
import { normalizeGuid } from "../values.ts";
import { type OldBinding, valueOf } from "./old-metabase.ts";
import { namedScript } from "./script-path.ts";

export interface MappedBinding {
  readonly binding: NewBinding;
  readonly notes: readonly string[];
}

export interface KnownSinks {
  /** Whether a class comes with the service. */
  isBuiltIn(sinkClass: string): boolean;
  /** Whether the scripts folder has the file. */
  hasScript(scriptName: string): boolean;
}

/** A text says why not. */
export function mapBinding(old: OldBinding, known: KnownSinks): MappedBinding | string {
  const type = eventTypeOf(old.event);
  if (type === undefined) return `its event type "${old.event}" is not known`;
  const isScript = isScriptClass(old.sinkClass);
  if (!isScript && !known.isBuiltIn(old.sinkClass))
    return `its class ${old.sinkClass} is a COM object: write it as a native sink (docs/sinks.md)`;
  const notes: string[] = [];
  const script = isScript ? scriptOf(old, known, notes) : undefined;
  if (isScript && script === undefined) return "it is a script binding and names no script";
  const id = old.id === undefined ? undefined : normalizeGuid(old.id);
  return {
    binding: {
      id,
      displayName: old.displayName,
      event: type.names[0] ?? type.event,
      sinkClass: isScript ? SCRIPT_SINK_CLASS : old.sinkClass,
      rule: ruleOf(old, type.event, notes),
      priority: priorityOf(old, notes),
      scriptName: script?.name,
      sinkProperties: Object.fromEntries([...old.sink].filter(([name]) => !isScriptName(name))),
      enabled: old.enabled && script?.isThere !== false,
      expiration: expirationOf(old, notes),
      maxFirings: firingsOf(old, notes),
    },
    notes: [...notes, ...strangeSourceProperties(old)],
  };
}

const isScriptName = (name: string): boolean => name.toLowerCase() === "scriptname";

function eventTypeOf(text: string): (typeof EVENT_TYPES)[number] | undefined {
  const guid = normalizeGuid(text);
  const name = text.trim().toLowerCase();
  return EVENT_TYPES.find((type) => type.guid === guid || type.displayName.toLowerCase() === name);
}

/** A binding whose script is not there would hold the mail: it waits, disabled. */
function scriptOf(
  old: OldBinding,
  known: KnownSinks,
  notes: string[],
): { readonly name: string; readonly isThere: boolean } | undefined {
  const { scriptName, notes: said } = namedScript(valueOf(old.sink, "ScriptName") ?? "");
  if (scriptName === "") return undefined;
  notes.push(...said);
  const isThere = known.hasScript(scriptName);
  if (!isThere && old.enabled)
    notes.push(`it is disabled, because the scripts folder has no ${scriptName} yet; enable it when it has`);
  return { name: scriptName, isThere };
}

/** Taken as it is: the original ignored the same conditions. */
function ruleOf(old: OldBinding, event: EventName, notes: string[]): string | undefined {
  const rule = valueOf(old.source, "Rule")?.trim() ?? "";
  const warning = ruleWarning(event, rule);
  if (warning !== undefined) notes.push(warning);
  return rule === "" ? undefined : rule;
}

/** REFERENCE 5.3. */
const NAMED_PRIORITIES: Readonly<Record<string, number>> = {
  PRIO_HIGHEST: 0,
  PRIO_HIGH: 8191,
  PRIO_MEDIUM: 16_383,
  PRIO_LOW: 24_575,
  PRIO_LOWEST: LOWEST_PRIORITY,
  PRIO_DEFAULT: DEFAULT_PRIORITY,
};

function priorityOf(old: OldBinding, notes: string[]): number {
  const text = valueOf(old.source, "Priority")?.trim() ?? "";
  if (text === "") return DEFAULT_PRIORITY;
  const named = NAMED_PRIORITIES[text.toUpperCase()];
  const priority = named ?? (/^\d{1,5}$/.test(text) ? Number(text) : Number.NaN);
  if (priority <= LOWEST_PRIORITY) return priority;
  notes.push(`its priority "${text}" is none; it has ${DEFAULT_PRIORITY}`);
  return DEFAULT_PRIORITY;
}

const OLE_EPOCH_DAYS = 25_569;
const DAY_MS = 86_400_000;

/** A date as text, or days since 1899-12-30 as COM counts them; 0 is none. */
function expirationOf({ expiration }: OldBinding, notes: string[]): string | undefined {
  const text = expiration?.trim() ?? "";
  if (text === "" || Number(text) === 0) return undefined;
  const days = /^\d{1,6}(?:\.\d{1,12})?$/.test(text) ? Number(text) : undefined;
  const time = days === undefined ? Date.parse(text) : (days - OLE_EPOCH_DAYS) * DAY_MS;
  if (!Number.isNaN(time) && Math.abs(time) <= 8.64e15) return new Date(time).toISOString();
  notes.push(`its expiration "${text}" is no date and is left out`);
  return undefined;
}

function firingsOf({ maxFirings }: OldBinding, notes: string[]): number | undefined {
  const text = maxFirings?.trim() ?? "";
  if (text === "" || text === "-1" || text === "4294967295") return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  notes.push(`its MaxFirings "${text}" is no number and is left out`);
  return undefined;
}

const strangeSourceProperties = ({ source }: OldBinding): string[] =>
  [...source.keys()]
    .filter((name) => !["rule", "priority"].includes(name.toLowerCase()))
    .map((name) => `its source property ${name} has no meaning here and is left out`);
