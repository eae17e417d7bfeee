// What a bundle rests on: the files that were read for it, and the places where its imports may find others.
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Metafile } from "esbuild";

/** Imports of files, not of packages. */
export const FILE_IMPORT = /^[./]/;

export class BundledFiles {
  readonly #folder: string;
  readonly #realFolder: string;
  /** Content hashes of what was read, by path. */
  readonly contents = new Map<string, string>();
  /** Paths as imports say them. */
  readonly #imported = new Set<string>();

  /** esbuild knows real paths only; everybody else calls files as the folder is called, which may be a link. */
  constructor(folder: string, realFolder: string) {
    this.#folder = folder;
    this.#realFolder = realFolder;
  }

  realPathOf(path: string): string {
    return moved(path, this.#folder, this.#realFolder);
  }

  noteRead(realPath: string, hash: string): void {
    this.contents.set(this.#pathOf(realPath), hash);
  }

  /** Of packages nothing is noted: an installation brings whole ones. */
  noteImport(importingFolder: string, specifier: string): void {
    if (isInPackages(importingFolder.slice(this.#realFolder.length))) return;
    const path = resolve(importingFolder, specifier);
    if (isBelow(path, this.#realFolder)) this.#imported.add(this.#pathOf(path));
  }

  noteInputs({ inputs }: Metafile): void {
    for (const [file, { imports }] of Object.entries(inputs)) {
      const importingFolder = dirname(resolve(this.#realFolder, file));
      for (const { original } of imports)
        if (original !== undefined && FILE_IMPORT.test(original)) this.noteImport(importingFolder, original);
    }
  }

  /** Absolute paths on whose change the bundle may become another one. */
  get imports(): readonly string[] {
    const read = [...this.contents.keys()];
    const plain = new Set(read.flatMap(namesOf));
    // What was not read by the name that it was imported by is missing, or lies behind a link, which may be turned; and
    // where the import does not say its ending, only the folder tells when it comes.
    const others = [...this.#imported].filter((path) => !plain.has(withoutEnding(path)) && !plain.has(path));
    return [...new Set([...read, ...others.flatMap((path) => [path, dirname(path)])])];
  }

  #pathOf(realPath: string): string {
    return moved(realPath, this.#realFolder, this.#folder);
  }
}

const isInPackages = (folder: string): boolean => folder.split(sep).includes("node_modules");

const isBelow = (path: string, folder: string): boolean => path.startsWith(join(folder, sep));

const moved = (path: string, from: string, to: string): string =>
  path === from || isBelow(path, from) ? join(to, path.slice(from.length)) : path;

const withoutEnding = (path: string): string =>
  join(dirname(path), basename(path).replace(/(?<=.)\.[^.]+$/, ""));

/** What an import of the file may say. */
function namesOf(path: string): string[] {
  const bare = withoutEnding(path);
  return basename(bare) === "index" ? [path, bare, dirname(path)] : [path, bare];
}
