// AUTH PLAIN and LOGIN (RFC 4954, RFC 4616): decoding what the client sends and checking it against the configured users.
import type { TokenCredentials } from "./access-token.ts";
import { createDecoyHash, verifyPassword } from "./password-hash.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export type CheckCredentials = (credentials: Credentials) => Promise<boolean>;

export function createCredentialCheck(users: Readonly<Record<string, string>>): CheckCredentials {
  const hashes = new Map(Object.entries(users));
  const decoy = createDecoyHash();
  return async ({ user, password }) => {
    const known = hashes.get(user);
    // An unknown user costs the same time: names cannot be guessed by the clock.
    const isRight = await verifyPassword(password, known ?? decoy);
    return isRight && known !== undefined;
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** User names go to logs and scripts. */
const UNSAFE = /[\p{Cc}\ufffd]/u;

/** The text behind a base64 token; "=" stands for the empty one (RFC 4954 §4). */
export function decodeToken(token: string): string | undefined {
  if (token === "=") return "";
  return BASE64.test(token) ? Buffer.from(token, "base64").toString("utf8") : undefined;
}

/** `user=NAME ^A auth=Bearer TOKEN ^A ^A`, as the providers of XOAUTH2 define it. */
export function decodeAccessToken(token: string): TokenCredentials | undefined {
  // oxlint-disable-next-line no-control-regex -- ^A separates the fields
  const match = /^user=([^\x01]+)\x01auth=Bearer ([\w.~+/=-]+)\x01\x01$/i.exec(decodeToken(token) ?? "");
  const [, user = "", bearer = ""] = match ?? [];
  return match === null || UNSAFE.test(user) ? undefined : { user, token: bearer };
}

/** `authzid NUL authcid NUL passwd`. Acting for somebody else is not offered. */
export function decodePlain(token: string): Credentials | undefined {
  const parts = decodeToken(token)?.split("\0");
  if (parts?.length !== 3) return undefined;
  const [authorization = "", user = "", password = ""] = parts;
  if (user === "" || password === "" || UNSAFE.test(user) || (authorization !== "" && authorization !== user))
    return undefined;
  return { user, password };
}

export function decodeUserName(token: string): string | undefined {
  const user = decodeToken(token);
  return user === undefined || user === "" || UNSAFE.test(user) ? undefined : user;
}
