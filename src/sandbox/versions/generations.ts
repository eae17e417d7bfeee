// The versions of each script that were live, on disk: after a restart the last good one runs even when the file is broken.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Turns } from "../../core/turns.ts";
import { checkBinding, type ScriptBinding } from "./script-binding.ts";
import { isSinkName } from "./script-file.ts";

export interface Generation {
  readonly name: string;
  readonly version: string;
  /** When it went live, ms since the epoch. */
  readonly since: number;
  readonly entryPoint: string;
  readonly binding: ScriptBinding;
  /** Capabilities that it names at load (script-needs.ts); absent: none. */
  readonly needs?: readonly string[] | undefined;
  readonly code: string;
  readonly sourceMap: string;
  /** Hash of its text and of the tools, when nothing else went into it: the same again need not be compiled. */
  readonly compiledFrom?: string | undefined;
}

export interface KeptVersion {
  readonly version: string;
  /** When it went live, ms since the epoch. */
  readonly since: number;
}

const GENERATIONS_KEPT = 20;
/** More than anybody has at once: with a scripts folder that is empty for once (a volume that is not mounted) none is lost. */
const GONE_SCRIPTS_KEPT = 1000;
const SINCE_DIGITS = 15;

/** Files sort by the time they went live: the greatest name is the last good version. */
const fileName = ({ since, version }: Generation): string =>
  `${String(since).padStart(SINCE_DIGITS, "0")}-${version}.json`;
const versionOf = (file: string): string => file.slice(SINCE_DIGITS + 1, -".json".length);
const isGeneration = (name: string): boolean => /^\d{15}-[0-9a-f]+\.json$/.test(name);

export class Generations {
  #folder: string;
  /** The same version may be kept by two at once, under one name. */
  readonly #saves = new Turns(1);

  /** `folder` holds one folder per script. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Names of the scripts of which something is kept. */
  async names(): Promise<ReadonlySet<string>> {
    try {
      return new Set(await readdir(this.#folder));
    } catch {
      return new Set();
    }
  }

  save(generation: Generation): Promise<void> {
    return this.#saves.take(() => this.#save(generation));
  }

  async #save(generation: Generation): Promise<void> {
    const folder = join(this.#folder, generation.name);
    await mkdir(folder, { recursive: true });
    const path = join(folder, fileName(generation));
    await writeDurably(path, JSON.stringify(generation));
    const kept = new Set<string>();
    for (const file of await this.#filesOf(generation.name)) {
      const version = versionOf(file);
      // A version that came back counts from when it did.
      if (kept.has(version) || kept.size === GENERATIONS_KEPT) await rm(join(folder, file), { force: true });
      else kept.add(version);
    }
  }

  /** Of scripts that are gone only those stay that were live last. */
  async forgetGone(isThere: (name: string) => boolean): Promise<void> {
    const gone = [...(await this.names())].filter((name) => isSinkName(name) && !isThere(name));
    if (gone.length <= GONE_SCRIPTS_KEPT) return;
    const dated: { readonly name: string; readonly last: string }[] = [];
    for (const name of gone) dated.push({ name, last: (await this.#filesOf(name))[0] ?? "" });
    const byAge = dated.toSorted((one, other) => (one.last < other.last ? 1 : -1));
    for (const { name } of byAge.slice(GONE_SCRIPTS_KEPT))
      await rm(join(this.#folder, name), { recursive: true, force: true });
  }

  /** The last good version; damaged files are passed over. */
  async latest(name: string): Promise<Generation | undefined> {
    for (const file of await this.#filesOf(name)) {
      const generation = await readGeneration(join(this.#folder, name, file));
      if (generation?.name === name) return generation;
    }
    return undefined;
  }

  /** The versions that are kept, the one that went live last first. */
  async kept(name: string): Promise<readonly KeptVersion[]> {
    const versions = new Map<string, KeptVersion>();
    for (const file of await this.#filesOf(name)) {
      const version = versionOf(file);
      if (!versions.has(version))
        versions.set(version, { version, since: Number(file.slice(0, SINCE_DIGITS)) });
    }
    return [...versions.values()];
  }

  async find(name: string, version: string): Promise<Generation | undefined> {
    for (const file of await this.#filesOf(name)) {
      if (versionOf(file) !== version) continue;
      const generation = await readGeneration(join(this.#folder, name, file));
      if (generation?.name === name && generation.version === version) return generation;
    }
    return undefined;
  }

  async #filesOf(name: string): Promise<string[]> {
    try {
      return (await readdir(join(this.#folder, name))).filter(isGeneration).sort().toReversed();
    } catch {
      return [];
    }
  }
}

export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

async function readGeneration(path: string): Promise<Generation | undefined> {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked below
    const read = JSON.parse(await readFile(path, "utf8")) as Partial<Record<keyof Generation, unknown>>;
    const { name, version, since, entryPoint, code, sourceMap, needs = [] } = read;
    const binding = checkBinding(read.binding);
    if (binding.kind === "invalid" || typeof since !== "number" || !Array.isArray(needs)) return undefined;
    const texts: unknown[] = [name, version, entryPoint, code, sourceMap, ...needs];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked above
    return texts.every((text) => typeof text === "string") ? (read as unknown as Generation) : undefined;
  } catch {
    return undefined;
  }
}
