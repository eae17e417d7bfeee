// LDAP directories for tests: settings with their defaults, and what is told of them.
import { readFileSync } from "node:fs";
import { type LdapEntrySettings, ldapSchema } from "../../../../src/config/ldap-schema.ts";
import { type Clock, systemClock } from "../../../../src/core/clock.ts";
import type { LogFields, Logger } from "../../../../src/core/logger.ts";
import type {
  DirectoryAnswer,
  DirectoryEntry,
  DirectoryQuery,
} from "../../../../src/events/contexts/directory-entries.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import { createLdapDirectory } from "../../../../src/transport/categorizer/ldap-directory.ts";
import { ADMIN, BASE, CERTIFICATE_NAME } from "../../../support/slapd.ts";

export const authorities = readFileSync(
  new URL("../../../fixtures/tls/certificate.pem", import.meta.url),
  "utf8",
);

export const byAddress = (value: string): DirectoryQuery => ({ by: "address", value });
export const byKey = (value: string): DirectoryQuery => ({ by: "key", value });

/** With the bind of the administrator over StartTLS, unless told otherwise. */
const ldapSettings = (more: Record<string, unknown>): LdapEntrySettings =>
  ldapSchema.parse({
    base: BASE,
    bind: ADMIN,
    tls: { authorities, name: CERTIFICATE_NAME },
    ...more,
  });

export interface House extends AsyncDisposable {
  readonly directory: Directory;
  readonly lines: readonly { readonly message: string; readonly fields: LogFields }[];
  /** One answer for each address. */
  ask(...addresses: readonly string[]): Promise<readonly DirectoryAnswer[]>;
  find(address: string): Promise<DirectoryEntry>;
}

export function houseOf(
  more: Record<string, unknown>,
  { clock = systemClock, domains = ["example.com"] }: { clock?: Clock; domains?: readonly string[] } = {},
): House {
  const lines: { message: string; fields: LogFields }[] = [];
  const write = (fields: LogFields, message: string): void => {
    lines.push({ message, fields });
  };
  const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };
  const directory = createLdapDirectory({
    settings: ldapSettings(more),
    domains,
    clock,
    log,
    random: () => 0,
  });
  const ask = (...addresses: readonly string[]): Promise<readonly DirectoryAnswer[]> =>
    directory.resolve(
      addresses.map((address) => byAddress(address)),
      [],
    );
  return {
    directory,
    lines,
    ask,
    async find(address) {
      const [answer] = await ask(address);
      if (answer?.kind !== "found") throw new Error(`${address} is ${answer?.kind}`);
      return answer.entry;
    },
    [Symbol.asyncDispose]: () => directory.close(),
  };
}

export async function pagesOf(entry: DirectoryEntry): Promise<(readonly DirectoryQuery[])[]> {
  const pages: (readonly DirectoryQuery[])[] = [];
  for await (const page of entry.members?.() ?? []) pages.push(page);
  return pages;
}
