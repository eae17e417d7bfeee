// Private keys in PEM, for TLS and for signatures; what is wrong with one is said in words.
import { type KeyObject, createPrivateKey } from "node:crypto";
import { describeError } from "./errors.ts";

/** PKCS #8 (RFC 5958 §3), and the older form (RFC 1421 §4.6.1.1). */
const ENCRYPTED = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m;

export function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const why = ENCRYPTED.test(pem)
      ? "it needs a passphrase, which nobody can type here: take it off with openssl pkey"
      : `no private key in PEM (${describeError(cause)})`;
    throw new Error(why, { cause });
  }
}
