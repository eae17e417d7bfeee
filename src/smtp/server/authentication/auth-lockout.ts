// Keeps addresses that guess passwords away from AUTH (FAULTS S17): attempts are counted for all sessions of a listener.
import { isIPv6 } from "node:net";

export interface LockoutSettings {
  /** So many failed attempts within `minutes` lock the address; 0 is no limit. */
  readonly failures: number;
  /** How long they count, and how long the lock lasts. */
  readonly minutes: number;
}

interface Record {
  attempts: number;
  until: number;
}

const MINUTE_MS = 60_000;
/** Of an attacker with a botnet only so many addresses are remembered: the oldest are forgotten first. */
const MAX_ADDRESSES = 10_000;

export class AuthLockout {
  readonly #records = new Map<string, Record>();

  get size(): number {
    return this.#records.size;
  }

  /** Whether the address may try now. The attempt counts at once: many at a time are no way around. */
  begin(address: string, { failures, minutes }: LockoutSettings, now: number): boolean {
    if (failures === 0) return true;
    const key = networkOf(address);
    const record = this.#records.get(key);
    if (record === undefined || record.until <= now) {
      this.#remember(key, { attempts: 1, until: now + minutes * MINUTE_MS });
      return true;
    }
    if (record.attempts >= failures) return false;
    record.attempts += 1;
    // The attempt that fills the measure starts the lock.
    if (record.attempts === failures) record.until = now + minutes * MINUTE_MS;
    return true;
  }

  /** The attempt was no failure: the password was right, or could not be checked. */
  forgive(address: string): void {
    const key = networkOf(address);
    const record = this.#records.get(key);
    if (record === undefined) return;
    record.attempts -= 1;
    if (record.attempts === 0) this.#records.delete(key);
  }

  #remember(key: string, record: Record): void {
    this.#records.delete(key);
    this.#records.set(key, record);
    if (this.#records.size <= MAX_ADDRESSES) return;
    const [oldest] = this.#records.keys();
    if (oldest !== undefined) this.#records.delete(oldest);
  }
}

/** A host of IPv6 has a network of 2^64 addresses to itself. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1).split("::");
  const [before = "", after = ""] = groups;
  const first = before === "" ? [] : before.split(":");
  const last = after === "" ? [] : after.split(":");
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  return [...first, ...(groups.length > 1 ? zeros : []), ...last].slice(0, 4).join(":");
}
