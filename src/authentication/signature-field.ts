// The DKIM-Signature field (RFC 6376 §3.5) and its sister of ARC (RFC 8617 §4.1.2), which differ in little.
import { type HeaderForm, type RawField, canonicalField, selectFields } from "./canonical-header.ts";
import type { BodyForm } from "./canonical-body.ts";
import type { SigningKey } from "./signing-key.ts";

export interface Signature {
  readonly domain: string;
  readonly selector: string;
  readonly key: SigningKey;
  readonly headerForm: HeaderForm;
  readonly bodyForm: BodyForm;
  /** Names of the fields to sign, in lower case. */
  readonly fields: readonly string[];
  /** ms after which it is void (x=); undefined: never. */
  readonly validForMs?: number | undefined;
}

export type SignatureKind =
  | { readonly name: "DKIM-Signature" }
  | { readonly name: "ARC-Message-Signature"; readonly instance: number };

const LINE_LENGTH = 72;

export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** The whole field with its line end. `bodyHash` is that of the form that the signature wants. */
export async function signatureField(
  kind: SignatureKind,
  { domain, selector, key, headerForm, bodyForm, fields: wanted, validForMs }: Signature,
  fields: readonly RawField[],
  bodyHash: string,
  now: number,
): Promise<string> {
  const { names, fields: signed } = selectFields(fields, wanted);
  const lead = kind.name === "DKIM-Signature" ? "v=1" : `i=${kind.instance}`;
  const tags = [
    `${kind.name}: ${lead}; a=${key.algorithm}; c=${headerForm}/${bodyForm};`,
    `d=${domain}; s=${selector};`,
    `t=${seconds(now)};${validForMs === undefined ? "" : ` x=${seconds(now + validForMs)};`}`,
    ...foldNames(names),
    `bh=${bodyHash};`,
    "b=",
  ];
  const unsigned = tags.join("\r\n\t");
  const hashed = [...signed, unsigned].map((raw) => canonicalField(raw, headerForm));
  return unsigned + foldSignature(await key.sign(withoutLastBreak(hashed.join("")))) + "\r\n";
}

/** RFC 6376 §3.7: the field that holds the signature is hashed without its line end. */
export const withoutLastBreak = (text: string): string => text.slice(0, -2);

export function foldSignature(base64: string): string {
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, "g")) ?? [];
  return lines.join("\r\n\t");
}

/** RFC 6376 §3.5: blanks may stand around the colons of h=. */
function foldNames(names: readonly string[]): string[] {
  const lines: string[] = [];
  let line = "h=";
  for (const [index, name] of names.entries()) {
    const item = index === names.length - 1 ? `${name};` : `${name}:`;
    if (line.length + item.length > LINE_LENGTH) {
      lines.push(line);
      line = "";
    }
    line += item;
  }
  return [...lines, line];
}
