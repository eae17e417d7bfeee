// What a sandbox process writes for people before it dies: V8 says there what was wrong.
import type { Readable } from "node:stream";
import { oneLine } from "../../core/printable.ts";

const KEPT_CHARS = 4000;
const HINT_CHARS = 200;
/** From one answer to the next. V8 needs some thousand for all that it has to say. */
const MAX_BYTES = 64 * 1024;

export class LastWords {
  #text = "";
  #bytes = 0;

  listen(stream: Readable | null, tooMany: (reason: string) => void): void {
    stream?.on("data", (chunk: Buffer) => {
      if (this.#text.length < KEPT_CHARS) this.#text += chunk.toString("latin1").slice(0, KEPT_CHARS);
      this.#bytes += chunk.length;
      if (this.#bytes > MAX_BYTES) tooMany(`it wrote more than ${MAX_BYTES} bytes to stderr`);
    });
  }

  /** The process is alive, and may write as much again. */
  answered(): void {
    this.#bytes = 0;
  }

  /** " (the line that looks like the cause)", or "". */
  get hint(): string {
    const lines = this.#text.split("\n");
    const cause = lines.find((text) => /fatal|error/i.test(text));
    if (cause === undefined) return "";
    // What the process may not read, under the permission model of Node.
    const denied = lines.find((text) => /^ *resource: '/.test(text));
    return ` (${[cause, ...(denied === undefined ? [] : [denied])].map(shown).join(" ")})`;
  }
}

const shown = (line: string): string => oneLine(line.trim()).slice(0, HINT_CHARS);
