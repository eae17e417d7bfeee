// An entry as a search brings it: attributes by name, and their values as text.

export interface LdapEntry {
  readonly dn: string;
  /** Names in lower case, without options such as ";lang-en", except for ";range=". */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

/** What the library makes of an entry: one value alone, or a list; text, or octets where not all is UTF-8. */
type RawEntry = Readonly<Record<string, string | string[] | Buffer | Buffer[]>> & { readonly dn: string };

export function readEntry({ dn, ...attributes }: RawEntry): LdapEntry {
  const values = new Map<string, readonly string[]>();
  for (const [description, value] of Object.entries(attributes)) {
    const name = nameOf(description);
    const texts = (Array.isArray(value) ? value : [value]).flatMap((one) => textOf(one) ?? []);
    if (texts.length > 0) values.set(name, [...(values.get(name) ?? []), ...texts]);
  }
  return { dn, attributes: values };
}

/** RFC 4512 §2.5: "mail;lang-en" is a kind of mail. */
function nameOf(description: string): string {
  const lower = description.toLowerCase();
  return lower.includes(";range=") ? lower : (lower.split(";", 1)[0] ?? lower);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Addresses, names and numbers are UTF-8 (RFC 4517); what is not is none of them. */
function textOf(value: string | Buffer): string | undefined {
  if (typeof value === "string") return value;
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}
