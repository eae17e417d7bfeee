// A script version that can run: what others see of it (LiveScript), and what only this folder needs to run it.
import type { Generation } from "./generations.ts";
import type { ScriptBinding } from "./script-binding.ts";
import type { ChangeNote } from "../../../runtime/contract.ts";
import { type SourcePosition, SourcePositions } from "./source-positions.ts";
import type { Bundle } from "../pool/tasks.ts";

/** One version of one script. Immutable: an edit makes a new one, and a message keeps the one that it started with. */
export interface LiveScript {
  /** File name in the script folder. */
  readonly name: string;
  readonly version: string;
  /** "default", "onArrival" or one of the original names. */
  readonly entryPoint: string;
  readonly binding: ScriptBinding;
  /** When it went live, ms since the epoch. */
  readonly since: number;
  /** Why a newer edit of the file is not live. */
  readonly broken?: string;
}

export class LoadedScript implements LiveScript {
  readonly name: string;
  readonly version: string;
  readonly entryPoint: string;
  readonly binding: ScriptBinding;
  readonly since: number;
  declare readonly broken?: string;
  readonly bundle: Bundle;
  readonly generation: Generation;
  #positions: SourcePositions | undefined;

  constructor(generation: Generation, broken?: string) {
    this.name = generation.name;
    this.version = generation.version;
    this.entryPoint = generation.entryPoint;
    this.binding = generation.binding;
    this.since = generation.since;
    if (broken !== undefined) this.broken = broken;
    this.generation = generation;
    this.bundle = {
      version: generation.version,
      scriptName: generation.name,
      code: Buffer.from(generation.code),
    };
  }

  /** Parsed at the first fault only: most versions never need it. */
  get positions(): SourcePositions {
    this.#positions ??= new SourcePositions(this.generation.sourceMap);
    return this.#positions;
  }

  /** Where in the author's files an edit was made; undefined when it has no place. For people, not for each message. */
  placeOf({ line, column }: ChangeNote): SourcePosition | undefined {
    return line === undefined ? undefined : this.positions.find(line, column ?? 1);
  }

  /** The same version beside an edit that is broken, or no longer is. */
  withBroken(broken: string | undefined): LoadedScript {
    return new LoadedScript(this.generation, broken);
  }
}
