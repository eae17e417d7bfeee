// Maps positions of a bundle to the lines that the author wrote.
import { SourceMap } from "node:module";
import type { ScriptFault } from "../../../runtime/contract.ts";

export interface SourcePosition {
  readonly file: string;
  /** 1-based */
  readonly line: number;
  /** 1-based */
  readonly column: number;
}

const MAX_FRAMES = 5;
const FRAME_POSITION = /:(\d+):(\d+)\)?$/;

export class SourcePositions {
  #map: SourceMap | undefined;

  constructor(sourceMapJson: string) {
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a map of esbuild; anything else throws or finds nothing
      this.#map = new SourceMap(JSON.parse(sourceMapJson) as ConstructorParameters<typeof SourceMap>[0]);
    } catch {
      // A damaged map of an old generation: errors are then told without a position.
      this.#map = undefined;
    }
  }

  /** Line and column 1-based, as V8 tells them. */
  find(line: number, column: number): SourcePosition | undefined {
    const entry = this.#map?.findEntry(line - 1, Math.max(0, column - 1));
    if (entry === undefined || !("originalSource" in entry) || entry.originalSource === undefined)
      return undefined;
    return {
      file: entry.originalSource.replace(/^(?:\.\.\/)+/, ""),
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1,
    };
  }

  /** The positions of a stack of the bundle, innermost first. */
  mapStack(stack: string): SourcePosition[] {
    const found: SourcePosition[] = [];
    for (const frame of stack.split("\n")) {
      const match = FRAME_POSITION.exec(frame.trim());
      const position = match === null ? undefined : this.find(Number(match[1]), Number(match[2]));
      if (position !== undefined) found.push(position);
      if (found.length === MAX_FRAMES) break;
    }
    return found;
  }
}

export function formatPosition({ file, line, column }: SourcePosition): string {
  return `${file}:${line}:${column}`;
}

/** The message of a fault, led by the line of the source where it happened. */
export function locateFault(fault: ScriptFault, name: string, positions: SourcePositions): string {
  const { line, column, stack } = fault;
  const direct = line === undefined ? undefined : positions.find(line, column ?? 1);
  const position = direct ?? (stack === undefined ? undefined : positions.mapStack(stack)[0]);
  return `${position === undefined ? name : formatPosition(position)}: ${fault.message}`;
}
