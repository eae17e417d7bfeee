// Where in the author's source an edit of a script was made.
import { type LiveScript, LoadedScript } from "./loaded-script.ts";
import { formatPosition } from "./source-positions.ts";

/** A script edits in few places; a worker that claims more of them than this has each looked up anew. */
const MAX_REMEMBERED = 1000;
/** Longer lines than this number of columns are those of no bundle. */
const COLUMNS = 2 ** 20;

export class ChangePlaces {
  readonly #known = new WeakMap<LiveScript, Map<number, string>>();

  /** As file:line:column; undefined where the position is unknown. */
  find(
    script: LiveScript | undefined,
    line: number | undefined,
    column: number | undefined,
  ): string | undefined {
    if (!(script instanceof LoadedScript) || line === undefined) return undefined;
    const known = this.#known.get(script) ?? new Map<number, string>();
    if (known.size === 0) this.#known.set(script, known);
    const key = line * COLUMNS + (column ?? 1);
    const place = known.get(key);
    if (place !== undefined) return place === "" ? undefined : place;
    const found = script.positions.find(line, column ?? 1);
    const text = found === undefined ? "" : formatPosition(found);
    if (known.size < MAX_REMEMBERED) known.set(key, text);
    return text === "" ? undefined : text;
  }
}
