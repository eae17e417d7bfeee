// What the parts of one document share: limits, the count of parts, the defects, the source of new boundaries.
import { createBoundary, randomToken, type TokenSource } from "./boundaries.ts";
import { DEFAULT_MIME_LIMITS, type MimeLimits } from "./limits.ts";
import type { MimePart } from "./part.ts";
import type { ByteSource } from "./source.ts";

export class PartContext {
  readonly limits: MimeLimits;
  readonly defects: string[] = [];
  partCount = 0;
  /** The part that stands for the whole message; detached parts have none. */
  root: MimePart | undefined;
  /** The original bytes; detached parts have none. */
  source: ByteSource | undefined;
  readonly #token: TokenSource;
  readonly #created = new Set<string>();

  constructor(limits: Partial<MimeLimits> = {}, token: TokenSource = randomToken) {
    this.limits = { ...DEFAULT_MIME_LIMITS, ...limits };
    this.#token = token;
  }

  /** Each kind of defect is told once: a hostile message repeats its own a million times. */
  note(defect: string): void {
    if (this.defects.length < this.limits.maxDefects && !this.defects.includes(defect))
      this.defects.push(defect);
  }

  createBoundary(): string {
    const boundary = createBoundary(this.#token);
    this.#created.add(boundary);
    return boundary;
  }

  /** A boundary that was drawn here, after the original was written: it cannot occur in that. */
  hasCreated(boundary: string): boolean {
    return this.#created.has(boundary);
  }
}
