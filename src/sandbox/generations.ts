// The versions of each script that were live, on disk: after a restart the last good one runs even when the file is broken.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ScriptBinding } from "./script-binding.ts";
import { checkBinding } from "./script-binding.ts";

export interface Generation {
  readonly name: string;
  readonly version: string;
  /** When it went live, ms since the epoch. */
  readonly since: number;
  readonly entryPoint: string;
  readonly binding: ScriptBinding;
  readonly code: string;
  readonly sourceMap: string;
}

const GENERATIONS_KEPT = 20;
const SINCE_DIGITS = 15;

/** Files sort by the time they went live: the greatest name is the last good version. */
const fileName = ({ since, version }: Generation): string =>
  `${String(since).padStart(SINCE_DIGITS, "0")}-${version}.json`;
const isGeneration = (name: string): boolean => /^\d{15}-[0-9a-f]+\.json$/.test(name);

export class Generations {
  #folder: string;

  /** `folder` holds one folder per script. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async save(generation: Generation): Promise<void> {
    const folder = join(this.#folder, generation.name);
    await mkdir(folder, { recursive: true });
    const path = join(folder, fileName(generation));
    await writeDurably(path, JSON.stringify(generation));
    const names = (await readdir(folder)).filter(isGeneration).sort();
    const outdated = names.slice(0, -GENERATIONS_KEPT);
    for (const name of outdated) await rm(join(folder, name), { force: true });
  }

  /** The last good version; damaged files are passed over. */
  async latest(name: string): Promise<Generation | undefined> {
    for (const file of await this.#filesOf(name)) {
      const generation = await readGeneration(join(this.#folder, name, file));
      if (generation?.name === name) return generation;
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

async function writeDurably(path: string, text: string): Promise<void> {
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
    const { name, version, since, entryPoint, code, sourceMap } = read;
    const binding = checkBinding(read.binding);
    if (binding.kind === "invalid" || typeof since !== "number") return undefined;
    const texts = [name, version, entryPoint, code, sourceMap];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked above
    return texts.every((text) => typeof text === "string") ? (read as unknown as Generation) : undefined;
  } catch {
    return undefined;
  }
}
