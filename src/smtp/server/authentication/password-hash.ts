// Password hashes of the users that may authenticate: `scrypt$N$r$p$saltBase64$hashBase64`.
import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from "node:crypto";

const DEFAULT_COST = { N: 16_384, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A hash that would need more is refused: the settings must not be able to stall the service. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

interface ParsedHash {
  readonly options: ScryptOptions;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export async function hashPassword(
  password: string,
  salt: Buffer = randomBytes(SALT_BYTES),
): Promise<string> {
  const { N, r, p } = DEFAULT_COST;
  const hash = await derive(password, salt, HASH_BYTES, { N, r, p });
  return ["scrypt", N, r, p, salt.toString("base64"), hash.toString("base64")].join("$");
}

/** A hash nobody has the password of: checking it makes an unknown user cost what a known one costs. */
export const createDecoyHash = (): string => {
  const { N, r, p } = DEFAULT_COST;
  return [
    "scrypt",
    N,
    r,
    p,
    randomBytes(SALT_BYTES).toString("base64"),
    randomBytes(HASH_BYTES).toString("base64"),
  ].join("$");
};

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parsed = parsePasswordHash(stored);
  if (parsed === undefined) return false;
  const hash = await derive(password, parsed.salt, parsed.hash.length, parsed.options);
  return timingSafeEqual(hash, parsed.hash);
}

/** Undefined when the text is no hash we can check. */
export function parsePasswordHash(stored: string): ParsedHash | undefined {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w+/=-]+)\$([\w+/=-]+)$/.exec(stored);
  if (match === null) return undefined;
  const [, n = "", rText = "", pText = "", saltText = "", hashText = ""] = match;
  const [N, r, p] = [Number(n), Number(rText), Number(pText)];
  const salt = Buffer.from(saltText, "base64");
  const hash = Buffer.from(hashText, "base64");
  const isPowerOfTwo = N > 1 && (N & (N - 1)) === 0;
  if (!isPowerOfTwo || r < 1 || p < 1 || 128 * N * r > MAX_MEMORY_BYTES || hash.length < 16) return undefined;
  return { options: { N, r, p }, salt, hash };
}

function derive(password: string, salt: Buffer, length: number, cost: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(
      password.normalize("NFC"),
      salt,
      length,
      { ...cost, maxmem: MAX_MEMORY_BYTES * 2 },
      (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      },
    );
  });
}
