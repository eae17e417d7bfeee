// The directory of a file of aliases, users and lists: all in memory, read anew with the configuration.
import { domainOf, localPartOf } from "../../core/address.ts";
import { DomainTable } from "../../core/domain-table.ts";
import type {
  DirectoryAnswer,
  DirectoryEntry,
  DirectoryQuery,
  EntryLimits,
  SenderList,
} from "../../events/contexts/directory-entries.ts";
import type { Directory } from "./directory.ts";

/** Addresses are complete. Senders may also be `*@example.com`, the address of a list for its members, or `members` of the list itself. */
export interface FileEntryRules {
  readonly maxReceive?: number | undefined;
  readonly acceptFrom?: readonly string[] | undefined;
  readonly rejectFrom?: readonly string[] | undefined;
  readonly requireAuthentication?: boolean | undefined;
}

export interface FileUser extends FileEntryRules {
  readonly aliases: readonly string[];
  readonly displayName?: string | undefined;
  readonly forwardTo: readonly string[];
  readonly keepCopy: boolean;
  readonly maxSend?: number | undefined;
  readonly maxRecipients?: number | undefined;
}

export interface FileList extends FileEntryRules {
  readonly aliases: readonly string[];
  readonly displayName?: string | undefined;
  readonly members: readonly string[];
  readonly owner?: string | undefined;
  readonly reportTo?: "sender" | "owner" | "nobody" | undefined;
}

/** By address. */
export interface FileDirectoryContent {
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly users: Readonly<Record<string, FileUser>>;
  readonly lists: Readonly<Record<string, FileList>>;
}

/** Domains that are further names of another one. */
export interface AliasDomains {
  readonly alias: readonly string[];
  readonly standsFor: string;
}

const NO_ALIAS_DOMAINS: AliasDomains = { alias: [], standsFor: "" };
const UNKNOWN: DirectoryAnswer = { kind: "unknown" };
const NOT_MINE: DirectoryAnswer = { kind: "not-mine" };

export class FileDirectory implements Directory {
  readonly #entries = new Map<string, DirectoryEntry>();
  readonly #lists: ReadonlySet<string>;
  readonly #domains: DomainTable<true>;
  /** What a domain stands for. */
  readonly #aliasDomains: DomainTable<string>;

  /** `domains`: those whose addresses are all in the file. */
  constructor(
    { aliases, users, lists }: FileDirectoryContent,
    domains: readonly string[],
    { alias, standsFor }: AliasDomains = NO_ALIAS_DOMAINS,
  ) {
    this.#domains = new DomainTable(domains.map((domain) => [domain, true]));
    this.#aliasDomains = new DomainTable(alias.map((domain) => [domain, standsFor]));
    this.#lists = new Set(
      Object.entries(lists).flatMap(([address, list]) => [address, ...list.aliases].map(keyOf)),
    );
    for (const [address, targets] of Object.entries(aliases))
      this.#add(address, [], forward(address, targets));
    for (const [address, user] of Object.entries(users))
      this.#add(address, user.aliases, this.#user(address, user));
    for (const [address, list] of Object.entries(lists))
      this.#add(address, list.aliases, this.#list(address, list));
    for (const [name, entry] of this.#entries) this.#entries.set(name, this.#keepingCopy(entry));
  }

  resolve(queries: readonly DirectoryQuery[]): Promise<readonly DirectoryAnswer[]> {
    return Promise.resolve(queries.map((query) => this.#find(query)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #find({ value }: DirectoryQuery): DirectoryAnswer {
    const entry = this.#entryOf(value);
    if (entry !== undefined) return { kind: "found", entry };
    return this.#domains.find(domainOf(value)) === undefined ? NOT_MINE : UNKNOWN;
  }

  #entryOf(address: string): DirectoryEntry | undefined {
    const known = this.#entries.get(keyOf(address));
    if (known !== undefined) return known;
    const standsFor = this.#aliasDomains.find(domainOf(address));
    return standsFor === undefined
      ? undefined
      : this.#entries.get(keyOf(`${localPartOf(address)}@${standsFor}`));
  }

  #add(address: string, aliases: readonly string[], entry: DirectoryEntry): void {
    for (const name of [address, ...aliases]) this.#entries.set(keyOf(name), entry);
  }

  /** An entry that names itself among those it forwards to, by any of its addresses, keeps a copy. */
  #keepingCopy(entry: DirectoryEntry): DirectoryEntry {
    const { key, forwardTo = [] } = entry;
    const others = forwardTo.filter(({ value }) => this.#entryOf(value)?.key !== key);
    return others.length === forwardTo.length
      ? entry
      : { ...entry, forwardTo: others, deliverAndForward: true };
  }

  #user(address: string, user: FileUser): DirectoryEntry {
    return {
      key: keyOf(address),
      kind: "user",
      address,
      displayName: user.displayName,
      forwardTo: user.forwardTo.map(byAddress),
      deliverAndForward: user.keepCopy,
      limits: {
        ...this.#limits(address, user),
        maxOutgoingBytes: user.maxSend,
        maxRecipients: user.maxRecipients,
      },
    };
  }

  #list(address: string, list: FileList): DirectoryEntry {
    const members = list.members.map(byAddress);
    return {
      key: keyOf(address),
      kind: "group",
      address,
      displayName: list.displayName,
      members: () => onePage(members),
      owner: list.owner === undefined ? undefined : byAddress(list.owner),
      reportTo: list.reportTo ?? (list.owner === undefined ? "sender" : "owner"),
      limits: this.#limits(address, list),
    };
  }

  #limits(address: string, rules: FileEntryRules): EntryLimits {
    return {
      maxIncomingBytes: rules.maxReceive,
      acceptOnlyFrom: rules.acceptFrom && this.#senders(address, rules.acceptFrom),
      rejectFrom: rules.rejectFrom && this.#senders(address, rules.rejectFrom),
      requireAuthenticatedSender: rules.requireAuthentication,
    };
  }

  #senders(address: string, named: readonly string[]): SenderList {
    const all = named.map((name) => (name === "members" ? address : name));
    const isList = (name: string): boolean => this.#lists.has(keyOf(name));
    return {
      senders: all.filter((name) => !isList(name)).map(byAddress),
      membersOf: all.filter(isList).map(byAddress),
    };
  }
}

/** An alias stands for others, and gets nothing itself unless it names itself. */
const forward = (address: string, targets: readonly string[]): DirectoryEntry => ({
  key: keyOf(address),
  kind: "contact",
  address,
  forwardTo: targets.map(byAddress),
});

const keyOf = (address: string): string => address.toLowerCase();

const byAddress = (value: string): DirectoryQuery => ({ by: "address", value });

// oxlint-disable-next-line typescript/require-await -- other directories have to ask for their pages
async function* onePage(members: readonly DirectoryQuery[]): AsyncIterable<readonly DirectoryQuery[]> {
  if (members.length > 0) yield members;
}
