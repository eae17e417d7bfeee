// Where the configuration comes from: a file and the flags over it, read again for each reload.
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
  /** Of the text that was last loaded, whether it was valid or not. */
  #digest: string | undefined;

  constructor(named: string | undefined, overrides: ConfigOverrides) {
    this.#named = named;
    this.#overrides = overrides;
  }

  /** The file that is read, or would be if it were there. */
  get file(): string {
    return findConfigFile(this.#named) ?? path.resolve(DEFAULT_CONFIG_FILE);
  }

  async load(): Promise<Config> {
    // Taken before the text is read: what is written in between is a change once more.
    this.#digest = await digestOf(this.file);
    return loadConfig(findConfigFile(this.#named), this.#overrides);
  }

  /** What became of the file since it was loaded. */
  async compare(): Promise<"same" | "changed" | "gone"> {
    const digest = await digestOf(this.file);
    if (digest === this.#digest) return "same";
    if (digest !== NOT_THERE) return "changed";
    this.#digest = digest;
    return "gone";
  }
}

async function digestOf(file: string): Promise<string> {
  if (!existsSync(file)) return NOT_THERE;
  return createHash("sha256")
    .update(await readConfigFile(file))
    .digest("hex");
}
