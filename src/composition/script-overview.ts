// What `onarrival scripts` shows: the scripts with the bindings that call them, from the running service or from its folders.
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { silentLogger } from "../core/logger.ts";
import { Generations } from "../sandbox/versions/generations.ts";
import { type LiveScript, LoadedScript } from "../sandbox/versions/loaded-script.ts";
import type { ScriptDetails, ScriptState } from "../sandbox/versions/script-control.ts";
import { listSinkNames } from "../sandbox/versions/script-folder.ts";
import { ScriptSwitches } from "../sandbox/versions/script-switches.ts";
import { type ConfiguredBinding, listScriptBindings, loadBindings, type ShownBinding } from "./bindings.ts";

interface Overview {
  /** false: no service runs; what is said comes from the folders, and counts are 0. */
  readonly running: boolean;
  readonly bindings: readonly ShownBinding[];
}

export type ShownScript = ScriptState & Overview;
export type ShownDetails = ScriptDetails & Overview;

export function withBindings<T extends ScriptState>(
  states: readonly T[],
  configured: readonly ConfiguredBinding[],
  scripts: ReadonlyMap<string, LiveScript>,
  running = true,
): (T & Overview)[] {
  const bindings = listScriptBindings(configured, scripts);
  return states.map((state) => ({ ...state, running, bindings: bindings.get(state.name) ?? [] }));
}

/** Without a service: what is kept of each script, and what its bindings are. */
export async function scriptsOnDisk(config: Config): Promise<ShownDetails[]> {
  const { folder } = config.scripts;
  const stateFolder = join(config.mailroot, "Scripts");
  const generations = new Generations(stateFolder);
  const switches = new ScriptSwitches(join(stateFolder, "switches.json"), silentLogger);
  await switches.load();
  const scripts = new Map<string, LiveScript>();
  const states: ScriptDetails[] = [];
  for (const name of await listSinkNames(folder)) {
    const pin = switches.pinOf(name);
    const pinned = pin === undefined ? undefined : await generations.find(name, pin.version);
    const generation = pinned ?? (await generations.latest(name));
    if (generation !== undefined) scripts.set(name, new LoadedScript(generation));
    states.push({
      name,
      ...(generation === undefined
        ? {}
        : {
            version: generation.version,
            since: pinned === undefined ? generation.since : (pin?.since ?? 0),
          }),
      disabled: switches.isDisabled(name),
      suspended: false,
      pinned: pinned !== undefined,
      calls: 0,
      faults: 0,
      source: join(folder, name),
      imports: [],
      versions: await generations.kept(name),
    });
  }
  return withBindings(states, await loadBindings(config.bindings, {}, config.placeOf), scripts, false);
}
