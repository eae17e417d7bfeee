// Edits the bindings of a configuration file with its comments and order kept; nothing is written unless the result is valid.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import {
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type YAMLMap,
  visit,
} from "yaml";
import { describeError, OnArrivalError } from "../core/errors.ts";
import { lockFile } from "./file-lock.ts";
import { textOfEdit } from "./kept-form.ts";
import { checkConfig, completeBindings, readConfigFile } from "./load.ts";
import { describeSyntax } from "./problems.ts";
import { placeOfFile, replaceFile } from "./replace-file.ts";
import type { BindingSettings } from "./schema.ts";
import { normalizeGuid } from "./values.ts";

export interface NewBinding {
  /** Absent: a new GUID. */
  readonly id?: string | undefined;
  readonly event: string;
  readonly displayName?: string | undefined;
  readonly sinkClass: string;
  readonly rule?: string | undefined;
  readonly priority?: number | undefined;
  readonly scriptName?: string | undefined;
  /** Further properties for the sink. */
  readonly sinkProperties?: Readonly<Record<string, string>> | undefined;
  /** Name of the virtual server; absent: all. */
  readonly server?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly expiration?: string | undefined;
  readonly maxFirings?: number | undefined;
  readonly onError?: "hold" | "continue" | "badmail" | undefined;
}

/** The two bags of the original, and what stands beside them. */
export type Bag = "source" | "sink" | "binding";

/** A configuration file opened for editing. `save` checks and writes all changes at once. */
export class BindingEditor implements AsyncDisposable {
  readonly #file: string;
  #document: Document;
  /** The text as read: `save` refuses when somebody else has written meanwhile. */
  readonly #original: string | undefined;
  #lock: AsyncDisposable | undefined;

  private constructor(file: string, document: Document, original: string | undefined) {
    this.#file = file;
    this.#document = document;
    this.#original = original;
  }

  /** A file that does not exist is begun. One that is broken is refused. */
  static async open(file: string): Promise<BindingEditor> {
    const text = existsSync(file) ? await readConfigFile(file) : undefined;
    const lines = new LineCounter();
    const document = parseDocument(text ?? "", { lineCounter: lines });
    if (document.errors.length > 0) {
      const problems = describeSyntax({ name: path.basename(file), document, lines }, document.errors);
      throw new OnArrivalError("CONFIG_INVALID", problems.join("\n"));
    }
    if (document.contents !== null && !isMap(document.contents)) {
      throw new OnArrivalError("CONFIG_INVALID", `${path.basename(file)} must hold keys and values`);
    }
    return new BindingEditor(file, document, text);
  }

  /** As `open`, for changes: until it is disposed of, other commands wait with theirs. */
  static async lock(file: string): Promise<BindingEditor> {
    const lock = await lockFile(await placeOfFile(file)).catch((cause: unknown) => {
      throw new OnArrivalError("CONFIG_UNREADABLE", `${file} cannot be written: ${describeError(cause)}`, {
        cause,
      });
    });
    try {
      const editor = await BindingEditor.open(file);
      editor.#lock = lock;
      return editor;
    } catch (thrown) {
      await lock[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]();
  }

  /** The bindings as the service would load them. */
  list(): BindingSettings[] {
    return completeBindings(this.#check().bindings, path.dirname(path.resolve(this.#file)));
  }

  /** Names of the virtual servers in the order of the file: instance 1 is the first. */
  servers(): string[] {
    return this.#check().virtualServers.map(({ name }) => name);
  }

  /** Where the service keeps what it counts. */
  mailroot(): string {
    return this.#besideFile(this.#check().mailroot);
  }

  scriptsFolder(): string {
    return this.#besideFile(this.#check().scripts.folder);
  }

  #besideFile(folder: string): string {
    return path.resolve(path.dirname(path.resolve(this.#file)), folder);
  }

  /** Where in `list` a binding stands. Throws BINDING_NOT_FOUND. */
  indexOf(name: string): number {
    return this.#find(name);
  }

  /** Adds a binding and answers its GUID. */
  add(binding: NewBinding): string {
    const id = binding.id ?? `{${randomUUID().toUpperCase()}}`;
    const sinkProperties = { ScriptName: binding.scriptName, ...binding.sinkProperties };
    // Keys without a value are left out.
    const entry = this.#document.createNode({
      id,
      displayName: binding.displayName,
      event: binding.event,
      server: binding.server,
      sinkClass: binding.sinkClass,
      sinkProperties: withValues(sinkProperties),
      // What is not given is left to the sink, which may say of itself where it stands.
      sourceProperties: withValues({ rule: binding.rule, priority: binding.priority }),
      enabled: binding.enabled ?? true,
      expiration: binding.expiration,
      maxFirings: binding.maxFirings,
      onError: binding.onError,
    });
    const list = this.#document.get("bindings", true);
    if (isSeq(list)) {
      // An empty flow list `[]` would otherwise grow on one line.
      if (list.items.length === 0) list.flow = false;
      list.add(entry);
    } else {
      this.#document.set("bindings", this.#document.createNode([entry]));
    }
    return id;
  }

  /** The value of a key, undefined when the file does not have it. */
  setting(at: readonly (string | number)[]): unknown {
    const found: unknown = this.#document.getIn(at, true);
    return isNode(found) ? found.toJS(this.#document) : found;
  }

  setSetting(at: readonly (string | number)[], value: unknown): void {
    this.#document.setIn(at, this.#document.createNode(value));
  }

  /** Makes changes if the file is valid with them; else takes them back and answers what is wrong. */
  attempt(change: () => void): string | undefined {
    const before = this.#document.clone();
    try {
      change();
      this.#check();
      return undefined;
    } catch (thrown) {
      this.#document = before;
      return describeError(thrown);
    }
  }

  remove(name: string): void {
    this.#document.deleteIn(["bindings", this.#own(name).index]);
  }

  /** Sets one property. `key` may be a dotted path in the binding's own bag, as `limits.timeoutMs`. */
  set(name: string, bag: Bag, key: string, value: unknown): void {
    const { index, map } = this.#own(name, topKey(bag, key));
    this.#document.setIn(["bindings", index, ...bagPath(map, bag, key)], value);
  }

  /** Answers whether the property was there. */
  unset(name: string, bag: Bag, key: string): boolean {
    const { index, map } = this.#own(name, topKey(bag, key));
    const at = bagPath(map, bag, key);
    if (!map.hasIn(at)) return false;
    this.#document.deleteIn(["bindings", index, ...at]);
    // An emptied bag is taken away with its last property.
    const parent = at.length > 1 ? map.getIn(at.slice(0, -1), true) : undefined;
    if (isMap(parent) && parent.items.length === 0) map.deleteIn(at.slice(0, -1));
    return true;
  }

  /** The file as `save` would write it. */
  text(): string {
    return textOfEdit(this.#document, this.#original);
  }

  async save(): Promise<void> {
    this.#check();
    const now = existsSync(this.#file) ? await readConfigFile(this.#file) : undefined;
    if (now !== this.#original) {
      throw new OnArrivalError(
        "CONFIG_INVALID",
        `${this.#file} was changed by somebody else meanwhile; nothing was written`,
      );
    }
    await replaceFile(this.#file, this.text());
  }

  #check(): ReturnType<typeof checkConfig> {
    return checkConfig(this.#document.toString({ lineWidth: 0 }), path.basename(this.#file));
  }

  /** By GUID when it looks like one, else by display name; the first match wins (REFERENCE 5.5). */
  #find(name: string): number {
    const id = normalizeGuid(name);
    const index = this.list().findIndex((binding) =>
      id === undefined ? binding.displayName === name : binding.id === id,
    );
    if (index >= 0) return index;
    const kind = id === undefined ? "display name" : "id";
    throw new OnArrivalError("BINDING_NOT_FOUND", `no binding has the ${kind} ${name}`);
  }

  /** For an edit of all of it, or of one key: what it shares with others by an anchor is copied to each alias, so that the edit is of this binding only. */
  #own(name: string, key?: string): { index: number; map: YAMLMap } {
    const index = this.#find(name);
    const at = ["bindings", index];
    const binding = this.#document.getIn(at, true);
    const own = new Set([binding]);
    const edited = isMap(binding) && key !== undefined ? binding.get(key, true) : binding;
    if (isNode(edited)) visit(edited, (_key, node) => void own.add(node));
    visit(this.#document, {
      Alias: (_key, alias) => {
        const shared = alias.resolve(this.#document);
        if (shared === undefined || !(own.has(alias) || own.has(shared))) return undefined;
        const copy = shared.clone();
        if (!isScalar(copy) && !isCollection(copy)) return undefined;
        delete copy.anchor;
        return copy;
      },
    });
    const map = this.#document.getIn(at, true);
    if (!isMap(map)) throw new OnArrivalError("INTERNAL", `bindings[${index}] holds no keys`);
    return { index, map };
  }
}

/** Undefined: no key has a value. */
const withValues = <Values extends object>(values: Values): Values | undefined =>
  Object.values(values).some((value) => value !== undefined) ? values : undefined;

/** Throws WRONG_USE for a key below one that holds a value. */
function keysOf(binding: YAMLMap, key: string): string[] {
  const keys = key.split(".");
  for (let count = 1; count < keys.length; count += 1) {
    const above = binding.getIn(keys.slice(0, count), true);
    if (above !== undefined && !isMap(above))
      throw new OnArrivalError("WRONG_USE", `${keys.slice(0, count).join(".")} has a value and no keys`);
  }
  return keys;
}

const topKey = (bag: Bag, key: string): string | undefined =>
  bag === "binding" ? key.split(".")[0] : `${bag}Properties`;

/** The bags of the original do not regard case: a property keeps the spelling that it has. */
function bagPath(binding: YAMLMap, bag: Bag, key: string): string[] {
  if (bag === "binding") return keysOf(binding, key);
  const name = `${bag}Properties`;
  const properties = binding.get(name, true);
  const written = isMap(properties) ? properties.items.map((item) => String(item.key)) : [];
  const ours = bag === "sink" ? ["ScriptName"] : ["rule", "priority"];
  return [name, [...written, ...ours].find((one) => one.toLowerCase() === key.toLowerCase()) ?? key];
}
