// A password hash as `onarrival password` makes it, at a cost that tests can pay by the hundred.
import { randomBytes, scryptSync } from "node:crypto";

const COST = 16;

export function quickHash(password: string): string {
  const salt = randomBytes(16);
  const key = scryptSync(password, salt, 32, { N: COST, r: 8, p: 1 });
  return `scrypt$${COST}$8$1$${salt.toString("base64")}$${key.toString("base64")}`;
}
