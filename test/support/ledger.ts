// Double-entry book-keeping of a test run: what was promised with a 250 against where it was found.
import { createHash } from "node:crypto";

export const TOKEN_HEADER = "X-Ledger-Token";

export interface LedgerBalance {
  readonly acknowledged: number;
  /** Acknowledged and found nowhere. */
  readonly lost: readonly string[];
  /** Found more often than once at the same place; the number of surplus copies. */
  readonly duplicates: number;
  /** Found with other bytes than were sent. */
  readonly corrupt: readonly string[];
  /** Found although never acknowledged: allowed, the client was not told. */
  readonly unacknowledged: number;
}

interface Entry {
  readonly hash: string;
  acknowledged: boolean;
}

const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export class Ledger {
  #sent = new Map<string, Entry>();
  #found = new Map<string, { place: string; hash: string }[]>();
  #next = 0;

  /** A message with a token of its own; its bytes from the token's header on are what has to arrive. */
  write(body = "ledger"): { token: string; data: Buffer } {
    this.#next += 1;
    const token = `t${String(this.#next).padStart(6, "0")}`;
    const data = Buffer.from(
      `${TOKEN_HEADER}: ${token}\r\nFrom: <sender@example.com>\r\nTo: <recipient@example.org>\r\n` +
        `Subject: ledger ${token}\r\n\r\n${body} ${token}\r\n`,
    );
    this.#sent.set(token, { hash: hashOf(data), acknowledged: false });
    return { token, data };
  }

  acknowledge(token: string): void {
    const entry = this.#sent.get(token);
    if (entry !== undefined) entry.acknowledged = true;
  }

  /** A message found at `place`. Trace fields in front of the token are not compared. */
  find(place: string, content: Buffer): string | undefined {
    const at = content.indexOf(`${TOKEN_HEADER}:`);
    if (at < 0) return undefined;
    const bytes = content.subarray(at);
    const token = /^[^:]+: (\S+)/.exec(bytes.toString("latin1", 0, 100))?.[1];
    if (token === undefined) return undefined;
    const list = this.#found.get(token);
    const found = { place, hash: hashOf(bytes) };
    if (list === undefined) this.#found.set(token, [found]);
    else list.push(found);
    return token;
  }

  /** Messages that were acknowledged and not yet found. */
  missing(): string[] {
    const missing: string[] = [];
    for (const [token, entry] of this.#sent)
      if (entry.acknowledged && !this.#found.has(token)) missing.push(token);
    return missing;
  }

  balance(): LedgerBalance {
    let acknowledged = 0;
    let duplicates = 0;
    let unacknowledged = 0;
    const corrupt: string[] = [];
    for (const [token, entry] of this.#sent) {
      const found = this.#found.get(token) ?? [];
      if (entry.acknowledged) acknowledged += 1;
      else if (found.length > 0) unacknowledged += 1;
      const places = new Set(found.map((one) => one.place));
      duplicates += found.length - places.size;
      if (found.some((one) => one.hash !== entry.hash)) corrupt.push(token);
    }
    return { acknowledged, lost: this.missing(), duplicates, corrupt, unacknowledged };
  }
}
