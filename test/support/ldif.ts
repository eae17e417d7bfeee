// Entries for a directory of tests, in LDIF (RFC 2849), all values in base64.
import { BASE } from "./slapd.ts";

/** An entry in LDIF, below the base. */
export function ldif(rdn: string, fields: Readonly<Record<string, string | readonly string[]>>): string {
  const lines = Object.entries(fields).flatMap(([name, values]) =>
    (typeof values === "string" ? [values] : values).map(
      (value) => `${name}:: ${Buffer.from(value).toString("base64")}`,
    ),
  );
  return `dn:: ${Buffer.from(`${rdn},${BASE}`).toString("base64")}\n${lines.join("\n")}\n\n`;
}

export const person = (
  uid: string,
  fields: Readonly<Record<string, string | readonly string[]>> = {},
): string =>
  ldif(`uid=${uid}`, {
    objectClass: "inetOrgPerson",
    sn: uid,
    cn: uid,
    mail: `${uid}@example.com`,
    ...fields,
  });

/** `members`: names below the base. */
export const group = (
  cn: string,
  members: readonly string[],
  fields: Readonly<Record<string, string | readonly string[]>> = {},
): string =>
  ldif(`cn=${cn}`, {
    objectClass: "group",
    cn,
    member: members.map((name) => `${name},${BASE}`),
    ...fields,
  });

/** Somebody whose mail goes elsewhere. */
export const PARTNER = ldif("cn=partner", {
  objectClass: "contact",
  sn: "Partner",
  cn: "partner",
  mail: "partner@example.com",
  targetAddress: "SMTP:partner@far.example",
});
