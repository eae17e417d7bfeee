// One set of ARC fields on top of those that a message has (RFC 8617 §5.1): what we found, a signature, and a seal on the chain.
import { foldField } from "../mime/header-field.ts";
import { type RawField, canonicalField } from "./canonical-header.ts";
import {
  type Signature,
  foldSignature,
  seconds,
  signatureField,
  withoutLastBreak,
} from "./signature-field.ts";

/** What the message was found to be when it arrived. */
export interface SealedFinding {
  /** The value of the Authentication-Results field. */
  readonly results: string;
  /** Of the chain that it came with. */
  readonly chain: "none" | "pass";
}

/** RFC 8617 §5.1: no more instances than these. */
const MAX_INSTANCES = 50;
const SET: readonly string[] = ["arc-authentication-results", "arc-message-signature", "arc-seal"];

/** The three fields, top first; undefined for a chain that cannot be continued. */
export async function arcSet(
  signature: Signature,
  finding: SealedFinding,
  fields: readonly RawField[],
  bodyHash: string,
  now: number,
): Promise<string | undefined> {
  const chain = readChain(fields);
  // The sinks may have touched the chain since it was looked at.
  const isAsFound = chain !== undefined && chain.length > 0 === (finding.chain === "pass");
  if (!isAsFound || chain.length >= MAX_INSTANCES) return undefined;
  const instance = chain.length + 1;
  const results = foldField("ARC-Authentication-Results", `i=${instance}; ${finding.results}`, "\r\n");
  const arc = { ...signature, headerForm: "relaxed", bodyForm: "relaxed" } as const;
  const message = await signatureField(
    { name: "ARC-Message-Signature", instance },
    arc,
    fields,
    bodyHash,
    now,
  );
  const { domain, selector, key } = signature;
  const unsealed = [
    `ARC-Seal: i=${instance}; a=${key.algorithm}; t=${seconds(now)}; cv=${finding.chain};`,
    `d=${domain}; s=${selector};`,
    "b=",
  ].join("\r\n\t");
  const sealed = [...chain.flat(), results, message, unsealed].map((raw) => canonicalField(raw, "relaxed"));
  const seal = unsealed + foldSignature(await key.sign(withoutLastBreak(sealed.join("")))) + "\r\n";
  return seal + message + results;
}

/** The sets by instance, each in the order of SET; undefined unless they are complete and numbered 1, 2, 3… */
function readChain(fields: readonly RawField[]): string[][] | undefined {
  const sets: string[][] = [];
  const ofChain = fields.filter(({ name }) => SET.includes(name));
  for (const [position, wanted] of SET.entries()) {
    for (const { name, raw } of ofChain) {
      if (name !== wanted) continue;
      const instance = Number(/[:;]\s*i\s*=\s*(\d{1,2})\s*(?:;|$)/.exec(raw)?.[1] ?? 0);
      if (instance < 1) return undefined;
      const set = (sets[instance - 1] ??= []);
      if (set[position] !== undefined) return undefined;
      set[position] = raw;
    }
  }
  return ofChain.length === sets.length * SET.length ? sets : undefined;
}
