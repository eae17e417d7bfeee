// Files that settings name and that are read with them: passwords and certificates. What is wrong is told, and nothing thrown.
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describeError } from "../core/errors.ts";
import type { LdapEntrySettings } from "./ldap-schema.ts";

export async function readPassword(file: string, report: (why: string) => void): Promise<string> {
  const text = await readText(file, report);
  const first = text?.split(/\r?\n/, 1)[0] ?? "";
  if (text !== undefined && first === "") report(`${file} has an empty first line`);
  return first;
}

async function readText(file: string, report: (why: string) => void): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    report(describeError(error));
    return undefined;
  }
}

const CERTIFICATES = /(?=-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----)/;

/** PEM. OpenSSL would pass over what it cannot read, and trust nobody. */
export async function readAuthorities(
  file: string,
  report: (why: string) => void,
): Promise<string | undefined> {
  const text = await readText(file, report);
  if (text === undefined) return undefined;
  const certificates = text.split(CERTIFICATES).filter((part) => part.startsWith("-----BEGIN"));
  if (certificates.length === 0) report(`${file} has no certificate in PEM`);
  for (const [index, pem] of certificates.entries()) {
    const why = certificateFault(pem);
    if (why !== undefined) report(`${file}: certificate ${index + 1} does not load (${why})`);
  }
  return text;
}

function certificateFault(pem: string): string | undefined {
  try {
    void new X509Certificate(pem);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

/** The password of the bind and the authorities of its servers, relative to `base`. `where` is below the settings of LDAP. */
export async function resolveLdap(
  { bind, tls }: LdapEntrySettings,
  base: string,
  report: (where: readonly string[], why: string) => void,
): Promise<void> {
  if (tls.authoritiesFile !== undefined) {
    tls.authoritiesFile = path.resolve(base, tls.authoritiesFile);
    tls.authorities = await readAuthorities(tls.authoritiesFile, (why) =>
      report(["tls", "authoritiesFile"], why),
    );
  }
  if (bind?.passwordFile !== undefined) {
    bind.passwordFile = path.resolve(base, bind.passwordFile);
    bind.password = await readPassword(bind.passwordFile, (why) => report(["bind", "passwordFile"], why));
  }
  if (bind?.passwordVariable !== undefined) {
    bind.password = process.env[bind.passwordVariable];
    // RFC 4513 §5.1.2: with an empty password the bind succeeds, and is anonymous.
    if (bind.password === undefined || bind.password === "")
      report(["bind", "passwordVariable"], `the environment has no ${bind.passwordVariable}`);
  }
}
