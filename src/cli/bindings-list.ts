// `onarrival bindings list`: the bindings of the configuration file, and whether they are called any more.
import path from "node:path";
import { scriptNameOf } from "../composition/bindings/bindings.ts";
import { FIRING_FILE, readFirings } from "../composition/bindings/firing-file.ts";
import { KeptScripts } from "../composition/scripts/kept-scripts.ts";
import { BindingEditor } from "../config/edit.ts";
import type { BindingSettings } from "../config/schema.ts";
import { systemClock } from "../core/clock.ts";
import { DEFAULT_PRIORITY } from "../events/binding.ts";
import { isExpired, isUsedUp } from "../events/firings.ts";
import { declaredBinding } from "./sink-fault.ts";
import { formatTable, formatTime, type Output, printResult, warn } from "./output.ts";

const NONE =
  "the configuration file has no bindings; `onarrival scripts list` shows those that scripts export themselves";

export interface ListOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly mailroot?: string;
}

interface BindingState {
  /** As the binding says, else its script. */
  readonly enabled: boolean;
  readonly expired: boolean;
  /** All calls that maxFirings allows were made. */
  readonly usedUp: boolean;
  /** By `onarrival scripts disable`. */
  readonly scriptDisabled: boolean;
  /** Calls so far, of a binding with maxFirings. */
  readonly firings?: number;
}

type ShownBinding = BindingSettings & {
  readonly state: BindingState;
  /** Where the file is silent: what the sink says of its own binding. */
  readonly declared: { readonly rule?: string; readonly priority?: number };
};

export async function listBindings(output: Output, file: string, options: ListOptions): Promise<void> {
  const editor = await BindingEditor.open(file);
  const bindings = editor.list();
  const mailroot = options.mailroot ?? editor.mailroot();
  const { counts, problem } = await readFirings(path.join(mailroot, FIRING_FILE));
  const scripts = await KeptScripts.open(mailroot);
  const shown: ShownBinding[] = [];
  for (const binding of bindings)
    shown.push({
      ...binding,
      state: await stateOf(binding, scripts, counts.get(binding.id)),
      declared: await declaredOf(binding, mailroot, path.dirname(file)),
    });
  const head = ["NAME", "EVENT", "SERVER", "PRIORITY", "STATE", "SINK", "RULE", "ID"];
  printResult(output, options.json, shown, shown.length === 0 ? NONE : formatTable(head, shown.map(row)));
  if (problem !== undefined) warn(output, [`the counts of maxFirings cannot be read: ${problem}`]);
}

async function stateOf(binding: BindingSettings, scripts: KeptScripts, fired = 0): Promise<BindingState> {
  const { maxFirings = -1 } = binding;
  const script = scriptNameOf(binding);
  const kept = script === "" ? undefined : await scripts.find(script);
  const state = {
    enabled: binding.enabled ?? kept?.generation.binding.enabled ?? true,
    expired: isExpired(binding, systemClock),
    usedUp: isUsedUp(binding, fired),
    scriptDisabled: scripts.disabled.has(script),
  };
  return maxFirings < 0 ? state : { ...state, firings: fired };
}

/** `mailroot` keeps the scripts, `folder` is that of the configuration file. */
export async function declaredOf(
  binding: BindingSettings,
  mailroot: string,
  folder: string,
): Promise<ShownBinding["declared"]> {
  const script = scriptNameOf(binding);
  const { rule, priority } =
    script === ""
      ? await declaredBinding(binding.sinkClass, binding.event, folder)
      : ((await (await KeptScripts.open(mailroot)).find(script))?.generation.binding ?? {});
  return { ...(rule !== undefined && { rule }), ...(priority !== undefined && { priority }) };
}

function describeState({ enabled: configured, maxFirings, expiration = 0, state }: ShownBinding): string {
  const { enabled, expired, usedUp, scriptDisabled, firings } = state;
  const words = [
    ...(enabled ? [] : [configured === false ? "disabled" : "disabled by its script"]),
    ...(scriptDisabled ? ["script disabled"] : []),
    ...(expired ? [`expired ${formatTime(expiration)}`] : []),
    ...(usedUp ? ["used up"] : []),
  ];
  const called = firings === undefined ? "" : `, ${firings} of ${maxFirings} calls`;
  return `${words.length === 0 ? "enabled" : words.join(", ")}${called}`;
}

function row(binding: ShownBinding): string[] {
  const script = scriptNameOf(binding);
  return [
    binding.displayName,
    binding.event,
    binding.server ?? "(all)",
    String(binding.sourceProperties?.priority ?? binding.declared.priority ?? DEFAULT_PRIORITY),
    describeState(binding),
    script === "" ? binding.sinkClass : script,
    binding.sourceProperties?.rule ?? binding.declared.rule ?? "",
    binding.id,
  ];
}
