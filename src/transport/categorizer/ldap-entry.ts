// What an entry of an LDAP directory means to the categorizer: kinds, addresses, forwards and limits out of attributes.
import { isMailbox } from "../../core/address.ts";
import type {
  DirectoryEntry,
  DirectoryQuery,
  EntryLimits,
  SenderList,
} from "../../events/contexts/directory-entries.ts";
import { normalizeDn } from "./distinguished-name.ts";
import type { LdapMatching } from "./ldap-matching.ts";
import type { LdapEntry } from "./ldap-result.ts";
import type { LdapSettings } from "./ldap-settings.ts";

/** "SMTP:" in front of the primary address, "smtp:" of the others; "X400:" and the like are no mail addresses. */
const TYPED = /^([A-Za-z][\w-]*):(.*)$/su;

/** What sendmail's aliases may hold beside names: programs, files, ":include:". Nothing of the kind is run or written here. */
const PROGRAM_OR_FILE = /^"?[|/:]/;

/** An address, a DN, or the bare name of a mailbox in our own domain; undefined is none of them. */
export function queryOf(value: string, ownDomain: string | undefined): DirectoryQuery | undefined {
  const text = withoutType(value);
  if (text === undefined) return undefined;
  if (text.includes("@") && isMailbox(text)) return { by: "address", value: text };
  if (text.includes("=")) return { by: "key", value: normalizeDn(text) };
  if (PROGRAM_OR_FILE.test(text)) return undefined;
  const completed = `${text}@${ownDomain ?? ""}`;
  return isMailbox(completed) ? { by: "address", value: completed } : undefined;
}

function withoutType(value: string): string | undefined {
  const [, type, rest] = TYPED.exec(value.trim()) ?? [];
  if (type === undefined) return value.trim();
  return type.toLowerCase() === "smtp" ? rest : undefined;
}

/** Attributes that a search for entries has to bring. Members do not come with it: they may be very many. */
export function wantedAttributes(settings: LdapSettings, asserted: readonly string[]): readonly string[] {
  const { member: _, ...attributes } = settings.attributes;
  return [...new Set(["objectClass", ...asserted, ...Object.values(attributes).flat()])];
}

export class EntryReader {
  readonly #settings: LdapSettings;
  readonly #ownDomain: string | undefined;
  readonly #matching: Pick<LdapMatching, "matches">;

  constructor(
    settings: LdapSettings,
    ownDomain: string | undefined,
    matching: Pick<LdapMatching, "matches">,
  ) {
    this.#settings = settings;
    this.#ownDomain = ownDomain;
    this.#matching = matching;
  }

  read(entry: LdapEntry, members: NonNullable<DirectoryEntry["members"]>): DirectoryEntry {
    const { attributes: names } = this.#settings;
    const kind = this.#kindOf(entry);
    const address = this.#externalAddress(entry) ?? this.#primaryAddress(entry);
    const targets = this.#queries(entry, names.forwardTo);
    const forwardTo = targets.filter((target) => !this.#isItself(entry, target));
    // A mail route that names the entry itself is a delivery.
    const keepsCopy = forwardTo.length < targets.length || flag(entry, names.deliverAndForward) === true;
    return {
      key: normalizeDn(entry.dn),
      kind,
      address,
      displayName: first(entry, names.displayName),
      ...(kind === "group" && {
        members,
        owner: this.#queries(entry, names.owner)[0],
        reportTo: this.#reportTo(entry),
      }),
      ...(forwardTo.length > 0 && { forwardTo, deliverAndForward: keepsCopy }),
      limits: this.#limits(entry),
      attributes: entry.attributes,
    };
  }

  #kindOf({ attributes }: LdapEntry): DirectoryEntry["kind"] {
    const classes = (attributes.get("objectclass") ?? []).map((name) => name.toLowerCase());
    const isOneOf = (wanted: readonly string[]): boolean =>
      wanted.some((name) => classes.includes(name.toLowerCase()));
    if (isOneOf(this.#settings.groupClasses)) return "group";
    return isOneOf(this.#settings.contactClasses) ? "contact" : "user";
  }

  #externalAddress(entry: LdapEntry): string | undefined {
    const query = this.#queries(entry, this.#settings.attributes.externalAddress)[0];
    return query?.by === "address" ? query.value : undefined;
  }

  #primaryAddress(entry: LdapEntry): string | undefined {
    const addresses = this.#settings.attributes.address.flatMap((name) => valuesOf(entry, name));
    const primary = addresses.find((value) => value.startsWith("SMTP:"))?.slice("SMTP:".length);
    const candidates = primary === undefined ? addresses.filter((value) => !TYPED.test(value)) : [primary];
    return candidates.find((value) => value.includes("@") && isMailbox(value));
  }

  #isItself(entry: LdapEntry, target: DirectoryQuery): boolean {
    if (this.#matching.matches(target, entry)) return true;
    const wanted = target.value.toLowerCase();
    return this.#settings.attributes.address
      .flatMap((name) => valuesOf(entry, name))
      .some((value) => withoutType(value)?.toLowerCase() === wanted);
  }

  #reportTo(entry: LdapEntry): DirectoryEntry["reportTo"] {
    const { reportToOwner, reportToSender } = this.#settings.attributes;
    if (flag(entry, reportToOwner) === true) return "owner";
    return flag(entry, reportToSender) === false ? "nobody" : undefined;
  }

  #limits(entry: LdapEntry): EntryLimits | undefined {
    const { attributes: names, sizeUnit } = this.#settings;
    const limits: EntryLimits = {
      maxIncomingBytes: bytes(number(entry, names.maxIncoming), sizeUnit),
      maxOutgoingBytes: bytes(number(entry, names.maxOutgoing), sizeUnit),
      maxRecipients: number(entry, names.maxRecipients),
      acceptOnlyFrom: this.#senders(entry, names.acceptOnlyFrom, names.acceptOnlyFromMembers),
      rejectFrom: this.#senders(entry, names.rejectFrom, names.rejectFromMembers),
      requireAuthenticatedSender: flag(entry, names.requireAuthentication) === true ? true : undefined,
    };
    // Most entries have none, and nothing is looked at for them.
    return Object.values(limits).every((limit) => limit === undefined) ? undefined : limits;
  }

  #senders(entry: LdapEntry, single: readonly string[], groups: readonly string[]): SenderList | undefined {
    const senders = this.#queries(entry, single);
    const membersOf = this.#queries(entry, groups);
    return senders.length + membersOf.length === 0 ? undefined : { senders, membersOf };
  }

  #queries(entry: LdapEntry, names: readonly string[]): DirectoryQuery[] {
    return names
      .flatMap((name) => valuesOf(entry, name))
      .flatMap((value) => queryOf(value, this.#ownDomain) ?? []);
  }
}

const valuesOf = ({ attributes }: LdapEntry, name: string): readonly string[] =>
  attributes.get(name.toLowerCase()) ?? [];

const first = (entry: LdapEntry, names: readonly string[]): string | undefined =>
  names.flatMap((name) => valuesOf(entry, name))[0];

/** RFC 4517 §3.3.3. */
function flag(entry: LdapEntry, names: readonly string[]): boolean | undefined {
  const text = first(entry, names);
  return text === undefined ? undefined : text.toUpperCase() === "TRUE";
}

/** What is no number, or below zero, is no limit: directories write -1 or "unlimited". */
function number(entry: LdapEntry, names: readonly string[]): number | undefined {
  const text = first(entry, names);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const bytes = (units: number | undefined, unit: number): number | undefined =>
  units === undefined ? undefined : units * unit;
