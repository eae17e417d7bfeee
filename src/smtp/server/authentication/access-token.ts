// AUTH XOAUTH2: an access token of an identity provider in place of a password. The token is a signed JWT (RFC 7519, RFC 9068),
// checked with the provider's keys; nobody is asked over the network.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { OnArrivalError, describeError } from "../../../core/errors.ts";

export interface AccessTokenSettings {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** `aud` has to hold it. */
  readonly audience: string;
  /** The claim that holds the user name. */
  readonly userClaim: string;
  /** Text of a JWK set (RFC 7517 §5). */
  readonly keys: string;
  /** How far the provider's clock may be off. */
  readonly clockSkewMs: number;
}

export interface TokenCredentials {
  readonly user: string;
  readonly token: string;
}

/** Whether the token is a valid one of this very user. */
export type CheckAccessToken = (credentials: TokenCredentials, now: number) => boolean;

interface Key {
  readonly id: string | undefined;
  readonly key: KeyObject;
  readonly algorithm: string;
}

const MAX_TOKEN_CHARS = 12_000;
/** RFC 7518 §3.1; "none" and shared secrets are no proof of an issuer. */
const HASHES: Readonly<Record<string, string | undefined>> = {
  RS256: "sha256",
  RS512: "sha512",
  ES256: "sha256",
  EdDSA: undefined,
};

/** Throws CONFIG_INVALID for keys that cannot be used. */
export function createAccessTokenCheck(settings: AccessTokenSettings): CheckAccessToken {
  const keys = readKeys(settings.keys);
  return ({ user, token }, now) => {
    const claims = verifiedClaims(token, keys);
    if (claims === undefined) return false;
    const { iss, aud, exp, nbf } = claims;
    const isFor = Array.isArray(aud) ? aud.includes(settings.audience) : aud === settings.audience;
    const isCurrent =
      typeof exp === "number" &&
      exp * 1000 + settings.clockSkewMs > now &&
      (nbf === undefined || (typeof nbf === "number" && nbf * 1000 - settings.clockSkewMs <= now));
    return iss === settings.issuer && isFor && isCurrent && claims[settings.userClaim] === user;
  };
}

function readKeys(text: string): readonly Key[] {
  try {
    const set: unknown = JSON.parse(text);
    const found = isObject(set) && Array.isArray(set["keys"]) ? set["keys"].flatMap(readKey) : [];
    if (found.length > 0) return found;
  } catch (cause) {
    throw new OnArrivalError("CONFIG_INVALID", `no JWK set (${describeError(cause)})`, { cause });
  }
  throw new OnArrivalError("CONFIG_INVALID", `no public key for ${Object.keys(HASHES).join(", ")}`);
}

function readKey(jwk: unknown): Key[] {
  if (!isObject(jwk) || (jwk["use"] !== undefined && jwk["use"] !== "sig")) return [];
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined) return [];
  const id = typeof jwk["kid"] === "string" ? jwk["kid"] : undefined;
  return [{ id, algorithm, key: createPublicKey({ key: jwk, format: "jwk" }) }];
}

/** What the key is for, not what a token says: else a token could choose how it is checked. */
function algorithmOf({ alg, kty, crv }: Readonly<Record<string, unknown>>): string | undefined {
  if (kty === "RSA")
    return alg === "RS512" ? "RS512" : alg === undefined || alg === "RS256" ? "RS256" : undefined;
  if (kty === "EC") return crv === "P-256" ? "ES256" : undefined;
  return kty === "OKP" && crv === "Ed25519" ? "EdDSA" : undefined;
}

function verifiedClaims(token: string, keys: readonly Key[]): Record<string, unknown> | undefined {
  const parts = token.length <= MAX_TOKEN_CHARS ? token.split(".") : [];
  const [head = "", body = "", signature = ""] = parts;
  const header = parseSegment(head);
  if (parts.length !== 3 || header === undefined) return undefined;
  const signed = Buffer.from(`${head}.${body}`, "latin1");
  const bytes = Buffer.from(signature, "base64url");
  const isSigned = keys.some(
    ({ id, key, algorithm }) =>
      algorithm === header["alg"] &&
      (header["kid"] === undefined || id === undefined || id === header["kid"]) &&
      verify(HASHES[algorithm], signed, { key, dsaEncoding: "ieee-p1363" }, bytes),
  );
  return isSigned ? parseSegment(body) : undefined;
}

function parseSegment(segment: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, "base64url").toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
