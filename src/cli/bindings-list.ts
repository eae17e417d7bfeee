// `onarrival bindings list`: the bindings of the configuration file, and whether they are called any more.
import path from "node:path";
import { FIRING_FILE, readFirings } from "../composition/firing-file.ts";
import { BindingEditor } from "../config/edit.ts";
import type { BindingSettings } from "../config/schema.ts";
import { systemClock } from "../core/clock.ts";
import { DEFAULT_PRIORITY } from "../events/binding.ts";
import { isExpired, isUsedUp } from "../events/firings.ts";
import { formatTable, formatTime, type Output, printResult, warn } from "./output.ts";

export interface ListOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly mailroot?: string;
}

interface BindingState {
  readonly enabled: boolean;
  readonly expired: boolean;
  /** All calls that maxFirings allows were made. */
  readonly usedUp: boolean;
  /** Calls so far, of a binding with maxFirings. */
  readonly firings?: number;
}

type ShownBinding = BindingSettings & { readonly state: BindingState };

export async function listBindings(output: Output, file: string, options: ListOptions): Promise<void> {
  const editor = await BindingEditor.open(file);
  const bindings = editor.list();
  const { counts, problem } = await readFirings(
    path.join(options.mailroot ?? editor.mailroot(), FIRING_FILE),
  );
  const now = systemClock.now();
  const shown = bindings.map((binding) => ({
    ...binding,
    state: bindingState(binding, now, counts.get(binding.id)),
  }));
  const head = ["NAME", "EVENT", "SERVER", "PRIORITY", "STATE", "SINK", "RULE", "ID"];
  printResult(
    output,
    options.json,
    shown,
    shown.length === 0 ? "no bindings" : formatTable(head, shown.map(row)),
  );
  if (problem !== undefined) warn(output, [`the counts of maxFirings cannot be read: ${problem}`]);
}

function bindingState(binding: BindingSettings, now: number, fired = 0): BindingState {
  const { enabled = true, maxFirings = -1 } = binding;
  const state = { enabled, expired: isExpired(binding, now), usedUp: isUsedUp(binding, fired) };
  return maxFirings < 0 ? state : { ...state, firings: fired };
}

function describeState({ maxFirings, expiration = 0, state }: ShownBinding): string {
  const { enabled, expired, usedUp, firings } = state;
  const words = [
    ...(enabled ? [] : ["disabled"]),
    ...(expired ? [`expired ${formatTime(expiration)}`] : []),
    ...(usedUp ? ["used up"] : []),
  ];
  const called = firings === undefined ? "" : `, ${firings} of ${maxFirings} calls`;
  return `${words.length === 0 ? "enabled" : words.join(", ")}${called}`;
}

function row(binding: ShownBinding): string[] {
  const script = binding.sinkProperties?.["ScriptName"];
  return [
    binding.displayName,
    binding.event,
    binding.server ?? "(all)",
    String(binding.sourceProperties?.priority ?? DEFAULT_PRIORITY),
    describeState(binding),
    typeof script === "string" ? script : binding.sinkClass,
    binding.sourceProperties?.rule ?? "",
    binding.id,
  ];
}
