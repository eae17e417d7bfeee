// How the service calls itself before others.
import { readFileSync } from "node:fs";

/** Product and version (RFC 9110 §10.1.5). */
export const userAgent = (): string => `OnArrival/${productVersion()}`;

export function productVersion(): string {
  const packageFile = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version }: { version: string } = JSON.parse(packageFile);
  return version;
}
