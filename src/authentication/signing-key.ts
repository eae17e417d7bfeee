// A private key that signs for a domain: checked when it is read, so that a bad one is told at once and not message by message.
import { type KeyObject, createHash, sign } from "node:crypto";
import { promisify } from "node:util";
import { OnArrivalError, describeError } from "../core/errors.ts";
import { parsePrivateKey } from "../core/private-key.ts";

export const SIGNING_ALGORITHMS = ["rsa-sha256", "ed25519-sha256"] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

// RFC 8301 §3.2: signers must use at least 1024 bits.
const MIN_RSA_BITS = 1024;

const signAside = promisify(sign);

export interface SigningKey {
  readonly algorithm: SigningAlgorithm;
  /** Base64, for b=. Computed aside: an RSA signature takes as long as the relay needs for a whole message. */
  sign(text: string): Promise<string>;
}

/** `name` says in the error which key it is. Without an algorithm the kind of the key decides. */
export function createSigningKey(pem: string, name: string, wanted?: SigningAlgorithm): SigningKey {
  const unusable = (why: string, cause?: unknown): OnArrivalError =>
    new OnArrivalError("SIGNING_KEY_UNUSABLE", `${name}: ${why}`, { cause });
  let key: KeyObject;
  try {
    key = parsePrivateKey(pem);
  } catch (thrown) {
    throw unusable(describeError(thrown), thrown);
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) throw unusable(`a key of type ${key.asymmetricKeyType ?? "?"} signs no mail`);
  if (wanted !== undefined && wanted !== algorithm)
    throw unusable(`the key is for ${algorithm}, not ${wanted}`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (algorithm === "rsa-sha256" && bits < MIN_RSA_BITS)
    throw unusable(`${bits} bits are too few: receivers ignore keys below ${MIN_RSA_BITS}`);
  return {
    algorithm,
    async sign(text) {
      const bytes = Buffer.from(text, "latin1");
      const signature =
        algorithm === "rsa-sha256"
          ? await signAside("sha256", bytes, key)
          : // RFC 8463 §3: Ed25519 signs the hash.
            await signAside(null, createHash("sha256").update(bytes).digest(), key);
      return signature.toString("base64");
    },
  };
}

function algorithmOf({ asymmetricKeyType }: KeyObject): SigningAlgorithm | undefined {
  if (asymmetricKeyType === "rsa") return "rsa-sha256";
  return asymmetricKeyType === "ed25519" ? "ed25519-sha256" : undefined;
}
