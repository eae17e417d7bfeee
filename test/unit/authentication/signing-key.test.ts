import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { createSigningKey } from "../../../src/authentication/signing-key.ts";
import { ed25519Key, rsaKey } from "../../support/signing-keys.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
});

test.each([
  ["too few bits", rsaKey(512).pem, undefined, /512 bits are too few/],
  [
    "another kind than asked for",
    rsaKey(1024).pem,
    "ed25519-sha256",
    /is for rsa-sha256, not ed25519-sha256/,
  ],
  ["a kind that signs no mail", ec, undefined, /type ec signs no mail/],
  ["no key at all", "hello", undefined, /no private key in PEM/],
] as const)("a key with %s is refused by name", (_name, pem, wanted, why) => {
  const create = (): unknown => createSigningKey(pem, "mail.pem", wanted);
  expect(create).toThrow(why);
  expect(create).toThrow(expect.objectContaining({ code: "SIGNING_KEY_UNUSABLE" }));
});

test("the kind of the key decides the algorithm", () => {
  expect(createSigningKey(rsaKey(1024).pem, "x").algorithm).toBe("rsa-sha256");
  expect(createSigningKey(ed25519Key().pem, "x", "ed25519-sha256").algorithm).toBe("ed25519-sha256");
});
