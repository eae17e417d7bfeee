// Which next hops an entry of delivery.destinations means.
import { domainToASCII } from "node:url";

/** `to`: a name, "*." and a domain for what is under it, or "*". */
export function meansDestination(to: string, name: string): boolean {
  const pattern = canonical(to);
  const wanted = canonical(name);
  if (pattern === "*" || pattern === wanted) return true;
  return pattern.startsWith("*.") && wanted.endsWith(pattern.slice(1));
}

/** A domain has two spellings: whoever writes the other one must not get round its policy. Addresses with a port have none. */
const canonical = (name: string): string => domainToASCII(name) || name.toLowerCase();
