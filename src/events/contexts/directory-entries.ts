// What a directory knows of senders and recipients, as the categorizer and its sinks see it (REFERENCE 4.3).

/**
 * Whom to look for: by any of its mail addresses, or by the key that an entry of this directory named (a DN, a name).
 * Where a sender is compared, the address `*@example.com` is everybody of the domain.
 */
export interface DirectoryQuery {
  readonly by: "address" | "key";
  readonly value: string;
  /** In the directory's own language, where a sink of buildQuery wrote one: asked in place of `value`. */
  readonly filter?: string | undefined;
}

export type DirectoryAnswer =
  | { readonly kind: "found"; readonly entry: DirectoryEntry }
  /** The directory is the authority for the domain, and there is no such entry. */
  | { readonly kind: "unknown" }
  /** Not a domain of this directory: the address goes on as it is. */
  | { readonly kind: "not-mine" }
  /** Several entries claim it, and the directory's settings say that it is to fail. `text` is for the report and the log. */
  | { readonly kind: "ambiguous"; readonly text: string };

export interface DirectoryEntry {
  /** The same for the same entry, however it was found: loops and duplicates are seen by it. */
  readonly key: string;
  readonly kind: "user" | "contact" | "group";
  /** The primary mail address, where mail for the entry goes. A group may have none. */
  readonly address?: string | undefined;
  readonly displayName?: string | undefined;
  /** Of a group, page by page: a group may be too large to be held at once. Asked anew at each call. */
  readonly members?: (() => AsyncIterable<readonly DirectoryQuery[]>) | undefined;
  /** Of a group: who answers for it. */
  readonly owner?: DirectoryQuery | undefined;
  /** Of a group: who gets the reports on its members. Absent: the sender of the message. */
  readonly reportTo?: "sender" | "owner" | "nobody" | undefined;
  /** Where mail goes instead. */
  readonly forwardTo?: readonly DirectoryQuery[] | undefined;
  /** With forwardTo: the entry gets its own copy as well. */
  readonly deliverAndForward?: boolean | undefined;
  readonly limits?: EntryLimits | undefined;
  /** Further values, for sinks: at least those that one of them asked for, names in lower case. */
  readonly attributes?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** What the entry may send and get. Absent is no limit. */
export interface EntryLimits {
  readonly maxIncomingBytes?: number | undefined;
  readonly maxOutgoingBytes?: number | undefined;
  /** Recipients of one message that the entry sends. */
  readonly maxRecipients?: number | undefined;
  /** Only these may send to it: entries and addresses, and the members of groups. */
  readonly acceptOnlyFrom?: SenderList | undefined;
  readonly rejectFrom?: SenderList | undefined;
  readonly requireAuthenticatedSender?: boolean | undefined;
}

export interface SenderList {
  readonly senders: readonly DirectoryQuery[];
  /** Groups whose members, at any depth, count. */
  readonly membersOf: readonly DirectoryQuery[];
}
