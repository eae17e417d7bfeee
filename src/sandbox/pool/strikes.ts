// The circuit breaker: a version that ends its process or runs out of time or memory again and again is suspended.
import type { Clock } from "../../core/clock.ts";
import { SandboxCounts } from "./sandbox-counts.ts";

interface Record {
  inARow: number;
  /** What the last of them was. */
  cause: string;
  /** Set while suspended: when the next probe may run. */
  probeAt: number | undefined;
}

export type Admission = "run" | "probe" | "suspended";

export class Strikes {
  #limit: number;
  #probeMs: number;
  #clock: Clock;
  #counts: SandboxCounts;
  #records = new Map<string, Record>();

  constructor(limit: number, probeMs: number, clock: Clock, counts = new SandboxCounts()) {
    this.#limit = limit;
    this.#probeMs = probeMs;
    this.#clock = clock;
    this.#counts = counts;
  }

  isSuspended(version: string): boolean {
    return this.#records.get(version)?.probeAt !== undefined;
  }

  /** Why the version is suspended, for people. */
  reasonOf(version: string): string {
    const { inARow = 0, cause = "unknown" } = this.#records.get(version) ?? {};
    return `suspended after ${inARow} timeouts or crashes in a row, the last one: ${cause}`;
  }

  /** After `probeMs` one message is let through; the next probe waits as long again. */
  admit(version: string): Admission {
    const record = this.#records.get(version);
    if (record?.probeAt === undefined) return "run";
    const now = this.#clock.now();
    if (now < record.probeAt) return "suspended";
    record.probeAt = now + this.#probeMs;
    return "probe";
  }

  /** Whether this strike suspended the version. */
  strike(version: string, cause: string): boolean {
    const record = this.#records.get(version) ?? { inARow: 0, cause, probeAt: undefined };
    this.#records.set(version, record);
    record.inARow += 1;
    record.cause = cause;
    this.#counts.strikes += 1;
    const isNew = record.inARow >= this.#limit && record.probeAt === undefined;
    if (isNew) this.#counts.suspensions += 1;
    if (record.inARow >= this.#limit) record.probeAt = this.#clock.now() + this.#probeMs;
    return isNew;
  }

  /** Whether this success ended a suspension. */
  clear(version: string): boolean {
    if (this.#records.size === 0) return false;
    const wasSuspended = this.isSuspended(version);
    this.#records.delete(version);
    return wasSuspended;
  }
}
