// What was found out about a message when it arrived, as private properties: for later sinks, and for the seal when it leaves.
import type { PropertyValue } from "../message/properties.ts";
import type { SealedFinding } from "./arc-seal.ts";

const RESULTS = "auth.results";
const ARC = "auth.arc";

export interface Finding {
  /** The value of the Authentication-Results field. */
  readonly results: string;
  readonly spf: string;
  /** "pass" when one signature passes. */
  readonly dkim: string;
  /** Domains whose signatures pass. */
  readonly dkimDomains: readonly string[];
  readonly dmarc: string;
  /** What the author's domain asks for: "none", "quarantine", "reject"; "" without a record. */
  readonly dmarcPolicy: string;
  readonly arc: string;
}

export function keepFinding(properties: Map<string, PropertyValue>, finding: Finding): void {
  properties.set(RESULTS, finding.results);
  properties.set("auth.spf", finding.spf);
  properties.set("auth.dkim", finding.dkim);
  properties.set("auth.dkim.domains", finding.dkimDomains.join(" "));
  properties.set("auth.dmarc", finding.dmarc);
  properties.set("auth.dmarc.policy", finding.dmarcPolicy);
  properties.set(ARC, finding.arc);
}

/** What a seal says; undefined for a message that was not looked at, or whose chain is broken: such a chain ends here. */
export function foundProperties(properties: ReadonlyMap<string, PropertyValue>): SealedFinding | undefined {
  const results = properties.get(RESULTS);
  const chain = properties.get(ARC);
  if (typeof results !== "string" || (chain !== "none" && chain !== "pass")) return undefined;
  return { results, chain };
}
