// The contents of fresh messages, kept in memory within a budget: most are delivered before anyone has to read them back.
import { TurnoverMap } from "../../core/turnover-map.ts";
import type { Content } from "../../message/content.ts";
import { isInMemory } from "./content-layout.ts";
import type { Entry } from "./message-index.ts";

export class ContentCache {
  readonly #budgetBytes: () => number;
  readonly #entries = new TurnoverMap<Entry, true>();
  #bytes = 0;

  constructor(budgetBytes: () => number) {
    this.#budgetBytes = budgetBytes;
  }

  keep(entry: Entry, content: Content): void {
    this.drop(entry);
    entry.fresh = content;
    this.#bytes += memoryOf(content);
    this.#entries.set(entry, true);
    const budgetBytes = this.#budgetBytes();
    if (this.#bytes > budgetBytes) this.#evict(budgetBytes);
  }

  drop(entry: Entry): void {
    const { fresh } = entry;
    if (fresh === undefined) return;
    this.#bytes -= memoryOf(fresh);
    entry.fresh = undefined;
    this.#entries.delete(entry);
  }

  /** Oldest first. What is not on disk yet stays: there is nowhere else to read it from. */
  #evict(budgetBytes: number): void {
    for (const entry of this.#entries.keys()) {
      if (this.#bytes <= budgetBytes || entry.unlanded > 0) return;
      this.drop(entry);
    }
  }
}

function memoryOf(content: Content): number {
  if (isInMemory(content.pieces)) return content.size;
  let bytes = 0;
  for (const piece of content.pieces) if (Buffer.isBuffer(piece)) bytes += piece.length;
  return bytes;
}
