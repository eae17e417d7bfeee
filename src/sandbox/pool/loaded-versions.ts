// Which script versions a sandbox process has, as far as it was told.
export class LoadedVersions {
  readonly #loaded = new Set<string>();
  /** Looked at and ready for a first message, with the memory that their isolates have. */
  readonly #evaluated = new Map<string, number>();

  /** Whether its isolate may stay: not where messages run it already. */
  evaluate(version: string, memoryMb: number): boolean {
    if (this.#loaded.has(version)) return false;
    this.#evaluated.set(version, memoryMb);
    return true;
  }

  /** A message needs it. Whether it has to be sent. */
  load(version: string, memoryMb: number): boolean {
    if (this.#loaded.has(version)) return false;
    this.#loaded.add(version);
    const isReady = this.#evaluated.get(version) === memoryMb;
    this.#evaluated.delete(version);
    return !isReady;
  }

  /** Whether it was there. */
  unload(version: string): boolean {
    return this.#evaluated.delete(version) || this.#loaded.delete(version);
  }
}
