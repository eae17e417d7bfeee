// Where the configuration comes from: a file, what it names to be read with it, and the flags over it; read again for each reload.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import {
  type ConfigOverrides,
  DEFAULT_CONFIG_FILE,
  findConfigFile,
  loadConfig,
  readConfigFile,
} from "./load.ts";
import type { Config } from "./schema.ts";

const NOT_THERE = "";

export class ConfigSource {
  readonly #named: string | undefined;
  readonly #overrides: ConfigOverrides;
  /** By file: digest of the text that was last loaded, whether it was valid or not. */
  #digests: ReadonlyMap<string, string> = new Map();
  /** Directories of categorizers that the last valid configuration names, and what was loaded since. */
  #namedFiles: readonly string[] = [];

  constructor(named: string | undefined, overrides: ConfigOverrides) {
    this.#named = named;
    this.#overrides = overrides;
  }

  /** The file that is read, or would be if it were there. */
  get file(): string {
    return findConfigFile(this.#named) ?? path.resolve(DEFAULT_CONFIG_FILE);
  }

  /** All files whose changes are changes of the configuration. */
  get files(): readonly string[] {
    return [this.file, ...this.#namedFiles];
  }

  async load(): Promise<Config> {
    // Taken before the text is read: what is written in between is a change once more.
    const before = await digestsOf(this.files);
    this.#digests = before;
    const named = new Set<string>();
    try {
      const config = await loadConfig(findConfigFile(this.#named), this.#overrides, named);
      this.#namedFiles = [...named];
      return config;
    } catch (thrown) {
      // What is wrong may be in one of them: correcting it is a change.
      this.#namedFiles = [...new Set([...this.#namedFiles, ...named])];
      throw thrown;
    } finally {
      this.#digests = new Map([...(await digestsOf(this.#namedFiles)), ...before]);
    }
  }

  /** What became of the file since it was loaded. */
  async compare(): Promise<"same" | "changed" | "gone"> {
    const digests = await digestsOf(this.files);
    const changed = this.files.filter((file) => digests.get(file) !== this.#digests.get(file));
    if (changed.length === 0) return "same";
    if (digests.get(this.file) !== NOT_THERE) return "changed";
    this.#digests = digests;
    return "gone";
  }
}

const digestsOf = async (files: readonly string[]): Promise<Map<string, string>> =>
  new Map(await Promise.all(files.map(async (file) => [file, await digestOf(file)] as const)));

async function digestOf(file: string): Promise<string> {
  if (!existsSync(file)) return NOT_THERE;
  // Why it cannot be read is told when it is loaded.
  const text = await readConfigFile(file).catch(String);
  return createHash("sha256").update(text).digest("hex");
}
