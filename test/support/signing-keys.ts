// Keys for tests of signatures, with the DNS record that publishes each.
import { type KeyObject, generateKeyPairSync } from "node:crypto";

export interface TestKey {
  readonly pem: string;
  /** The TXT record at SELECTOR._domainkey.DOMAIN. */
  readonly record: string;
  readonly publicKey: KeyObject;
}

export function rsaKey(bits = 2048): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const der = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return {
    pem: privateKey.export({ type: "pkcs8", format: "pem" }),
    record: `v=DKIM1; k=rsa; p=${der}`,
    publicKey,
  };
}

export function ed25519Key(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
  return {
    pem: privateKey.export({ type: "pkcs8", format: "pem" }),
    record: `v=DKIM1; k=ed25519; p=${raw}`,
    publicKey,
  };
}
