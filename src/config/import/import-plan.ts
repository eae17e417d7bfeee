// Brings what was read of an old metabase into an opened onarrival.yaml. What stands there already stays, unless told otherwise.
import { isDeepStrictEqual } from "node:util";
import { OnArrivalError } from "../../core/errors.ts";
import { findEventType } from "../../events/event-types.ts";
import type { BindingEditor } from "../edit.ts";
import type { BindingSettings } from "../schema.ts";
import { normalizeGuid } from "../values.ts";
import { type KnownSinks, type MappedBinding, mapBinding } from "./binding-map.ts";
import type { OldBinding, OldMetabase } from "./old-metabase.ts";
import { type TakenSetting, meaningOfServer } from "./server-settings.ts";

export interface ImportLine {
  readonly what: string;
  readonly text: string;
}

export interface ImportReport {
  readonly taken: readonly ImportLine[];
  /** Stands in the file with another value. */
  readonly kept: readonly ImportLine[];
  /** Not taken over; `text` says why. */
  readonly left: readonly ImportLine[];
  /** What a person has to know or do. */
  readonly notes: readonly ImportLine[];
}

/** More than any server had. */
const MAX_SERVERS = 100;
const MAX_BINDINGS = 2000;
const MAX_NAMES = 20;

export interface ImportOptions extends KnownSinks {
  readonly overwrite: boolean;
}

export function importMetabase(
  editor: BindingEditor,
  old: OldMetabase,
  options: ImportOptions,
): ImportReport {
  if (old.servers.length > MAX_SERVERS || old.bindings.length > MAX_BINDINGS)
    throw new OnArrivalError(
      "IMPORT_INVALID",
      `it has more than ${MAX_SERVERS} servers or ${MAX_BINDINGS} bindings`,
    );
  // A file that is not valid is refused before anything is put into it.
  editor.list();
  const run = new ImportRun(editor, options);
  run.servers(old);
  run.bindings(old);
  return run.report;
}

class ImportRun {
  readonly report = {
    taken: [] as ImportLine[],
    kept: [] as ImportLine[],
    left: [] as ImportLine[],
    notes: [] as ImportLine[],
  };
  readonly #editor: BindingEditor;
  readonly #options: ImportOptions;

  constructor(editor: BindingEditor, options: ImportOptions) {
    this.#editor = editor;
    this.#options = options;
  }

  servers({ servers }: OldMetabase): void {
    for (const [index, server] of servers.entries()) {
      const { comment, settings, left, unknown } = meaningOfServer(server);
      if (servers.length > 1) this.#nameServer(index, comment ?? `smtpsvc ${server.instance}`);
      this.#setAll(settings.map((setting) => placed(index, setting)));
      for (const { name, why } of left)
        this.report.left.push({ what: place(server.instance, name), text: why });
      if (unknown.length > 0) this.report.left.push(unknownLine(server.instance, unknown));
    }
  }

  /** A server that the file does not have yet needs a name of its own. */
  #nameServer(index: number, wanted: string): void {
    if (this.#editor.setting(["virtualServers", index]) !== undefined) return;
    const taken = this.#editor.servers();
    const first = wanted.trim().slice(0, 50) || "smtpsvc";
    let name = first;
    for (let number = 2; taken.includes(name); number += 1) name = `${first} ${number}`;
    this.#editor.setSetting(["virtualServers", index], { name });
  }

  /** As `#addAll`. */
  #setAll(settings: readonly PlacedSetting[]): void {
    const wanted = settings.filter((setting) => this.#isWanted(setting));
    const set = ({ at, value }: PlacedSetting): void => this.#editor.setSetting(at, value);
    const note = ({ what, value, from }: PlacedSetting): void =>
      void this.report.taken.push({ what, text: `${show(value)} (${from})` });
    if (this.#editor.attempt(() => wanted.forEach(set)) === undefined) {
      wanted.forEach(note);
      return;
    }
    // What is refused alone may be right when others are in: an address that is taken is free where `autoStart` is off.
    let open = wanted.map((setting) => ({ setting, problem: "" }));
    for (let before = Infinity; open.length < before;) {
      before = open.length;
      open = open.flatMap(({ setting }) => {
        const problem = this.#editor.attempt(() => set(setting));
        if (problem !== undefined) return [{ setting, problem }];
        note(setting);
        return [];
      });
    }
    for (const { setting, problem } of open)
      this.report.left.push({ what: `${setting.from} as ${setting.what}`, text: problem });
  }

  #isWanted({ at, what, value, from }: PlacedSetting): boolean {
    const present = this.#editor.setting(at);
    if (isDeepStrictEqual(present, value)) return false;
    if (present === undefined || this.#options.overwrite) return true;
    this.report.kept.push({ what, text: `${show(present)} stays, ${from} is ${show(value)}` });
    return false;
  }

  bindings({ servers, bindings }: OldMetabase): void {
    const names = this.#editor.servers();
    const present = this.#editor.list();
    const additions: Addition[] = [];
    const imported = new Set(bindings.map(({ id = "" }) => normalizeGuid(id)));
    for (const old of bindings) {
      const what = `binding ${old.displayName ?? old.id ?? old.sinkClass}`;
      const index = servers.length === 0 ? old.instance - 1 : servers.findIndex(isOf(old));
      const server = names[index];
      const mapped = mapBinding(old, this.#options);
      if (server === undefined)
        this.report.left.push({
          what,
          text: `onarrival.yaml has no virtual server for instance ${old.instance}`,
        });
      else if (typeof mapped === "string") this.report.left.push({ what, text: mapped });
      else
        this.#plan(
          what,
          { ...mapped, what, server: names.length > 1 ? server : undefined },
          { present, imported },
          additions,
        );
    }
    this.#addAll(additions);
  }

  #plan(what: string, mapped: Omit<Addition, "replaces">, known: KnownBindings, additions: Addition[]): void {
    const { present } = known;
    const same = findSame(mapped, known, new Set(additions.map(({ replaces }) => replaces)));
    if (same !== undefined && !this.#options.overwrite) {
      this.report.kept.push({ what, text: "a binding of that id or name is there" });
      return;
    }
    const { id } = mapped.binding;
    // There each event of each virtual server had bindings of its own, and a program the same GUID in all of them.
    const isTaken =
      id !== undefined &&
      (present.some((one) => one.id === id && one !== same) ||
        additions.some(({ binding }) => binding.id === id));
    const notes = isTaken ? [`its id ${id} is that of another binding; here it has one of its own`] : [];
    additions.push({
      ...mapped,
      binding: isTaken ? { ...mapped.binding, id: undefined } : mapped.binding,
      notes: [...notes, ...mapped.notes],
      replaces: same?.id,
    });
  }

  /** All at once; when the file would not be valid, one by one to find the culprits. */
  #addAll(additions: readonly Addition[]): void {
    if (this.#editor.attempt(() => additions.forEach((addition) => this.#add(addition))) === undefined) {
      for (const addition of additions) this.#noteAdded(addition);
      return;
    }
    for (const addition of additions) {
      const problem = this.#editor.attempt(() => this.#add(addition));
      if (problem === undefined) this.#noteAdded(addition);
      else this.report.left.push({ what: addition.what, text: problem });
    }
  }

  #add({ binding, server, replaces }: Addition): void {
    if (replaces !== undefined) this.#editor.remove(replaces);
    this.#editor.add({ ...binding, server });
  }

  #noteAdded({ what, binding, notes }: Addition): void {
    const sink = binding.scriptName ?? binding.sinkClass;
    this.report.taken.push({ what, text: `${binding.event}, ${sink}, ${binding.rule ?? "all messages"}` });
    for (const text of notes) this.report.notes.push({ what, text });
  }
}

interface PlacedSetting extends TakenSetting {
  readonly at: readonly (string | number)[];
  readonly what: string;
}

const placed = (index: number, setting: TakenSetting): PlacedSetting => ({
  ...setting,
  at: ["virtualServers", index, ...setting.path],
  what: `virtualServers[${index}].${setting.path.join(".")}`,
});

interface Addition extends MappedBinding {
  readonly what: string;
  readonly server: string | undefined;
  readonly replaces: string | undefined;
}

const isOf =
  ({ instance }: OldBinding) =>
  (server: { readonly instance: number }): boolean =>
    server.instance === instance;

interface KnownBindings {
  readonly present: readonly BindingSettings[];
  /** GUIDs of all that come. */
  readonly imported: ReadonlySet<string | undefined>;
}

/** A binding of that event and server which has its id or, as long as that is no other's that comes, its name. */
function findSame(
  { binding, server }: Omit<Addition, "replaces">,
  { present, imported }: KnownBindings,
  replaced: ReadonlySet<string | undefined>,
): BindingSettings | undefined {
  const event = findEventType(binding.event)?.event;
  const alike = present.filter((known) => known.event === event && !replaced.has(known.id));
  return (
    alike.find(({ id, server: of = server }) => id === binding.id && of === server) ??
    alike.find(
      ({ id, displayName, server: of }) =>
        displayName === binding.displayName && of === server && !imported.has(id),
    )
  );
}

const place = (instance: number, name: string): string => `${name} of instance ${instance}`;

function unknownLine(instance: number, names: readonly string[]): ImportLine {
  const more = names.length > MAX_NAMES ? `, and ${names.length - MAX_NAMES} more` : "";
  return {
    what: place(instance, names.length === 1 ? "1 other property" : `${names.length} other properties`),
    text: `they are no settings of mail: ${names.slice(0, MAX_NAMES).join(", ")}${more}`,
  };
}

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
