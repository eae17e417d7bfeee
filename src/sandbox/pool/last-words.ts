// What a sandbox process writes for people before it dies: V8 says there what was wrong.
import type { Readable } from "node:stream";

const KEPT_CHARS = 2000;
const HINT_CHARS = 200;

export class LastWords {
  #text = "";

  listen(stream: Readable | null): void {
    stream?.on("data", (chunk: Buffer) => {
      if (this.#text.length < KEPT_CHARS) this.#text += chunk.toString("latin1").slice(0, KEPT_CHARS);
    });
  }

  /** " (the line that looks like the cause)", or "". */
  get hint(): string {
    const line = this.#text.split("\n").find((text) => /fatal|error/i.test(text));
    return line === undefined ? "" : ` (${line.trim().slice(0, HINT_CHARS)})`;
  }
}
