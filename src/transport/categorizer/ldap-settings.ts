// What the LDAP directory has to be told. The schema of src/config/ldap-schema.ts has the defaults and says what each means.

export interface LdapSettings {
  /** ldap:// and ldaps:// in the order in which they are tried. */
  readonly servers: readonly string[];
  readonly tls: LdapTls;
  /** Absent: anonymous. */
  readonly bind?: { readonly dn: string; readonly password?: string | undefined } | undefined;
  readonly base: string;
  /** What every entry has to match as well (RFC 4515). */
  readonly filter?: string | undefined;
  /** How an address is looked for, as "mail=%a" (parseAssertion). */
  readonly addresses: readonly string[];
  readonly attributes: LdapAttributes;
  readonly groupClasses: readonly string[];
  readonly contactClasses: readonly string[];
  readonly sizeUnit: number;
  /** The attribute that a DN is searched by. Absent: as the server is. */
  readonly dnAttribute?: string | undefined;
  readonly foreignDomains: "skip" | "ask";
  readonly ambiguous: "wait" | "fail";
  readonly batchSize: number;
  readonly pageSize: number;
  readonly maxSearches: number;
  readonly maxAnswerSize: number;
  readonly timeouts: { readonly connectMs: number; readonly bindMs: number; readonly searchMs: number };
  readonly idleMs: number;
  readonly retry: { readonly minMs: number; readonly maxMs: number; readonly refusedMs: number };
  readonly cache: { readonly foundMs: number; readonly unknownMs: number; readonly maxEntries: number };
}

export interface LdapTls {
  /** On ldap://. */
  readonly startTls: "required" | "never";
  readonly authorities?: string | undefined;
  /** That certificates must carry; absent: the host of the server. */
  readonly name?: string | undefined;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** Names of attributes; of several the first that an entry has counts. */
export interface LdapAttributes {
  readonly address: readonly string[];
  readonly displayName: readonly string[];
  /** Of a contact: where its mail really goes. */
  readonly externalAddress: readonly string[];
  readonly forwardTo: readonly string[];
  readonly deliverAndForward: readonly string[];
  /** All of them count. */
  readonly member: readonly string[];
  readonly owner: readonly string[];
  readonly reportToOwner: readonly string[];
  readonly reportToSender: readonly string[];
  readonly maxIncoming: readonly string[];
  readonly maxOutgoing: readonly string[];
  readonly maxRecipients: readonly string[];
  readonly acceptOnlyFrom: readonly string[];
  readonly acceptOnlyFromMembers: readonly string[];
  readonly rejectFrom: readonly string[];
  readonly rejectFromMembers: readonly string[];
  readonly requireAuthentication: readonly string[];
}
