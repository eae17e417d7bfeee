// What `onarrival scripts` shows: the scripts with the bindings that call them, from the running service or from its folders.
import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import type { ScriptHost } from "../../sandbox/script-host.ts";
import { type LiveScript, LoadedScript } from "../../sandbox/versions/loaded-script.ts";
import type { ScriptDetails, ScriptState } from "../../sandbox/versions/script-control.ts";
import { listSinkNames } from "../../sandbox/versions/script-folder.ts";
import {
  type ConfiguredBinding,
  listScriptBindings,
  loadBindings,
  scriptNameOf,
  type ShownBinding,
} from "../bindings/bindings.ts";
import { KeptScripts } from "./kept-scripts.ts";
import { type UnservedBinding, unservedBindings } from "../bindings/unserved-bindings.ts";

interface Overview {
  /** false: no service runs; what is said comes from the folders, and counts are 0. */
  readonly running: boolean;
  readonly bindings: readonly ShownBinding[];
  /** Those of them that have no version to call. */
  readonly unserved: readonly UnservedBinding[];
}

export type ShownScript = ScriptState & Overview;
export type ShownDetails = ScriptDetails & Overview;

export type ScriptStanding = Pick<ScriptHost, "scripts" | "broken" | "disabled">;

export function withBindings<T extends ScriptState>(
  states: readonly T[],
  configured: readonly ConfiguredBinding[],
  standing: ScriptStanding,
  running = true,
): (T & Overview)[] {
  const bindings = listScriptBindings(configured, standing.scripts);
  const unserved = Map.groupBy(unservedBindings(configured, standing), ({ script }) => script);
  return states.map((state) => ({
    ...state,
    running,
    bindings: bindings.get(state.name) ?? [],
    unserved: unserved.get(state.name) ?? [],
  }));
}

/** Scripts that bindings name and that are not in the folder. */
export function absentScripts(
  states: readonly ScriptState[],
  configured: readonly ConfiguredBinding[],
  { disabled }: Pick<ScriptStanding, "disabled">,
): ScriptState[] {
  const names = new Set(configured.map(({ settings }) => scriptNameOf(settings)));
  for (const name of ["", ...states.map((state) => state.name)]) names.delete(name);
  return [...names].toSorted().map((name) => ({
    name,
    disabled: disabled.has(name),
    suspended: false,
    suspendedInShadow: false,
    pinned: false,
    calls: 0,
    faults: 0,
  }));
}

/** Without a service: what is kept of each script, and what its bindings are. */
export async function scriptsOnDisk(config: Config): Promise<ShownDetails[]> {
  const { folder } = config.scripts;
  const keptScripts = await KeptScripts.open(config.mailroot);
  const { disabled, generations } = keptScripts;
  const scripts = new Map<string, LiveScript>();
  const states: ScriptDetails[] = [];
  for (const name of await listSinkNames(folder)) {
    const kept = await keptScripts.find(name);
    if (kept !== undefined) scripts.set(name, new LoadedScript(kept.generation));
    states.push({
      name,
      ...(kept === undefined ? {} : { version: kept.generation.version, since: kept.since }),
      disabled: disabled.has(name),
      suspended: false,
      suspendedInShadow: false,
      pinned: kept?.pinned === true,
      calls: 0,
      faults: 0,
      source: join(folder, name),
      imports: [],
      versions: await generations.kept(name),
    });
  }
  const configured = await loadBindings(config.bindings, {}, config.placeOf);
  // What is wrong with a file only a service knows.
  const broken = new Map(states.filter(({ version }) => version === undefined).map(({ name }) => [name, ""]));
  return withBindings(states, configured, { scripts, broken, disabled }, false);
}
