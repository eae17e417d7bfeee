// What people decided about scripts on the running service: switched off, or held at an older version. Survives a restart.
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { writeDurably } from "./generations.ts";

/** A version that stays live instead of what the file says, until the file or what it imports changes. */
export interface Pin {
  readonly version: string;
  /** Hash of the sources that it stands in for; "" when they did not compile. */
  readonly sources: string;
  /** When it was set, ms since the epoch. */
  readonly since: number;
}

export interface ScriptSwitch {
  readonly disabled?: boolean;
  readonly pin?: Pin;
}

export class ScriptSwitches {
  #path: string | undefined;
  #log: Logger;
  #byName = new Map<string, ScriptSwitch>();
  /** As it is on disk. */
  #written: ReadonlyMap<string, ScriptSwitch> = new Map();
  #writing: Promise<void> = Promise.resolve();

  /** Without a path nothing is kept. */
  constructor(path: string | undefined, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  async load(): Promise<void> {
    if (this.#path === undefined) return;
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch {
      return;
    }
    try {
      this.#written = parseSwitches(JSON.parse(text));
      this.#byName = new Map(this.#written);
    } catch (error) {
      this.#log.error(
        { file: this.#path, error: describeError(error) },
        "disabled and rolled back scripts could not be read; all run their newest version",
      );
    }
  }

  get disabled(): ReadonlySet<string> {
    return new Set([...this.#byName].flatMap(([name, one]) => (one.disabled === true ? [name] : [])));
  }

  /** Whether something was decided about it. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  pinOf(name: string): Pin | undefined {
    return this.#byName.get(name)?.pin;
  }

  isDisabled(name: string): boolean {
    return this.#byName.get(name)?.disabled === true;
  }

  /** Resolves when it is on disk; what cannot be written does not count. */
  async set(name: string, value: ScriptSwitch): Promise<void> {
    const after = value.disabled === true || value.pin !== undefined ? value : undefined;
    this.#put(name, after);
    const written = this.#writing.then(() => this.#write());
    this.#writing = written.catch(() => undefined);
    try {
      await written;
    } catch (thrown) {
      // Something else may have been decided meanwhile.
      if (this.#byName.get(name) === after) this.#put(name, this.#written.get(name));
      throw thrown;
    }
  }

  #put(name: string, value: ScriptSwitch | undefined): void {
    if (value === undefined) this.#byName.delete(name);
    else this.#byName.set(name, value);
  }

  async #write(): Promise<void> {
    if (this.#path === undefined) return;
    await mkdir(dirname(this.#path), { recursive: true });
    const all = new Map(this.#byName);
    await writeDurably(this.#path, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`);
    this.#written = all;
  }
}

function parseSwitches(value: unknown): Map<string, ScriptSwitch> {
  const found = new Map<string, ScriptSwitch>();
  if (!isObject(value)) throw new TypeError("no object");
  for (const [name, entry] of Object.entries(value)) {
    if (!isObject(entry)) throw new TypeError(`${name}: no object`);
    const { disabled, pin } = entry;
    found.set(name, {
      ...(disabled === true ? { disabled } : {}),
      ...(pin === undefined ? {} : { pin: parsePin(pin, name) }),
    });
  }
  return found;
}

function parsePin(value: unknown, name: string): Pin {
  const { version, sources, since } = isObject(value) ? value : {};
  if (typeof version !== "string" || typeof sources !== "string" || typeof since !== "number")
    throw new TypeError(`${name}: pin needs version, sources and since`);
  return { version, sources, since };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
