// What the parts of one document share: limits, the count of parts, the defects, the source of new boundaries.
import { createBoundary, randomToken, type TokenSource } from "./boundaries.ts";
import { DEFAULT_MIME_LIMITS, type MimeLimits } from "./limits.ts";
import type { MimePart } from "./part.ts";

export class PartContext {
  readonly limits: MimeLimits;
  readonly defects: string[] = [];
  partCount = 0;
  /** The part that stands for the whole message; detached parts have none. */
  root: MimePart | undefined;
  readonly #token: TokenSource;

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
    return createBoundary(this.#token);
  }
}
