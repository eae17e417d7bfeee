// What is kept by domain: "example.com", "*.example.com" for its subdomains, "*" for all. The most special name counts.
import { domainToASCII } from "node:url";
import { isAscii } from "./address.ts";

export class DomainTable<T> {
  readonly #exact = new Map<string, T>();
  /** By what stands behind "*."; "" is "*". */
  readonly #below = new Map<string, T>();

  /** Of two entries of one name the first stays. */
  constructor(entries: Iterable<readonly [name: string, value: T]>) {
    for (const [name, value] of entries) {
      const isPattern = name === "*" || name.startsWith("*.");
      const key = canonicalDomain(isPattern ? name.slice(2) : name);
      const kept = isPattern ? this.#below : this.#exact;
      if (!kept.has(key)) kept.set(key, value);
    }
  }

  find(domain: string): T | undefined {
    const name = canonicalDomain(domain);
    const found = this.#exact.get(name);
    if (found !== undefined || this.#below.size === 0) return found;
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const below = this.#below.get(name.slice(dot + 1));
      if (below !== undefined) return below;
    }
    return this.#below.get("");
  }
}

/** Look-alikes of other scripts stay what they are; one name in Unicode and in punycode is the same domain. */
export function canonicalDomain(domain: string): string {
  const lower = domain.toLowerCase();
  const plain = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  return isAscii(plain) ? plain : domainToASCII(plain);
}
