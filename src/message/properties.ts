// The properties of a message and of its recipients by their numbers and names of the original (REFERENCE 4.6.2, 4.6.3): what
// type each has, where its value is found, and whether sinks may write it. docs/mailmsg.md is made from this table.

/** What a sink reads and writes. A FILETIME is a Date, a DWORD or HRESULT a whole number, a GUID a text in braces. */
export type PropertyType = "string" | "dword" | "bool" | "filetime" | "guid";

/** `obsolete`: the original kept the number and nothing behind it. */
export type PropertyAccess = "read" | "write" | "obsolete";

interface PropertyRow {
  readonly id: number;
  readonly type: PropertyType;
  readonly access: PropertyAccess;
  /** Where the value is: a member of `msg` or of a recipient, a header field, or `kept`: with the message, as it was written. */
  readonly source: string;
  readonly meaning: string;
}

type Rows = Readonly<Record<string, PropertyRow>>;

const text = { type: "string" } as const;
const number = { type: "dword" } as const;
const flag = { type: "bool" } as const;
const time = { type: "filetime" } as const;
const guid = { type: "guid" } as const;
const read = { access: "read" } as const;
const write = { access: "write" } as const;
const obsolete = { type: "string", access: "obsolete", source: "", meaning: "obsolete" } as const;
const kept = { access: "write", source: "kept" } as const;

// oxfmt-ignore
export const MESSAGE_PROPERTIES = {
  MP_RECIPIENT_LIST: { id: 0x1000, ...obsolete },
  MP_CONTENT_FILE_NAME: { id: 0x1001, ...obsolete },
  MP_SENDER_ADDRESS_SMTP: { id: 0x1002, ...text, ...write, source: "sender", meaning: "reverse path; the null sender is \"\"" },
  MP_SENDER_ADDRESS_X500: { id: 0x1003, ...text, ...kept, meaning: "sender, X.500 form" },
  MP_SENDER_ADDRESS_X400: { id: 0x1004, ...text, ...kept, meaning: "sender, X.400 form" },
  MP_SENDER_ADDRESS_LEGACY_EX_DN: { id: 0x1005, ...text, ...kept, meaning: "sender, Exchange 5.5 distinguished name" },
  MP_DOMAIN_LIST: { id: 0x1006, ...obsolete },
  MP_PICKUP_FILE_NAME: { id: 0x1007, ...text, ...read, source: "origin.pickupFileName", meaning: "name of the Pickup file" },
  MP_AUTHENTICATED_USER_NAME: { id: 0x1008, ...obsolete },
  MP_CONNECTION_IP_ADDRESS: { id: 0x1009, ...text, ...read, source: "origin.clientAddress", meaning: "address of the client; absent for Pickup and reports" },
  MP_HELO_DOMAIN: { id: 0x100a, ...text, ...read, source: "origin.heloDomain", meaning: "argument of HELO or EHLO" },
  MP_EIGHTBIT_MIME_OPTION: { id: 0x100b, ...flag, ...read, source: "envelope.body", meaning: "BODY=8BITMIME" },
  MP_CHUNKING_OPTION: { id: 0x100c, ...obsolete },
  MP_BINARYMIME_OPTION: { id: 0x100d, ...flag, ...read, source: "envelope.body", meaning: "BODY=BINARYMIME" },
  MP_REMOTE_AUTHENTICATION_TYPE: { id: 0x100e, ...obsolete },
  MP_ERROR_CODE: { id: 0x100f, ...obsolete },
  MP_DSN_ENVID_VALUE: { id: 0x1010, ...text, ...write, source: "envelopeId", meaning: "ENVID, decoded" },
  MP_DSN_RET_VALUE: { id: 0x1011, ...text, ...write, source: "returnContent", meaning: "RET: FULL or HDRS" },
  MP_REMOTE_SERVER_DSN_CAPABLE: { id: 0x1012, ...obsolete },
  MP_ARRIVAL_TIME: { id: 0x1013, ...time, ...read, source: "arrivalTime", meaning: "arrival at the service" },
  MP_MESSAGE_STATUS: { id: 0x1014, ...number, ...write, source: "status", meaning: "MP_STATUS_*, 0 to 6" },
  MP_EXPIRE_DELAY: { id: 0x1015, ...time, ...kept, meaning: "when the delay notice for remote recipients is due; absent: the settings decide" },
  MP_EXPIRE_NDR: { id: 0x1016, ...time, ...kept, meaning: "when it expires for remote recipients; absent: the settings decide" },
  MP_LOCAL_EXPIRE_DELAY: { id: 0x1017, ...time, ...kept, meaning: "the same notice for local recipients" },
  MP_LOCAL_EXPIRE_NDR: { id: 0x1018, ...time, ...kept, meaning: "the same end for local recipients" },
  MP_ARRIVAL_FILETIME: { id: 0x1019, ...time, ...read, source: "arrivalTime", meaning: "submission to the queue, which is the arrival" },
  MP_HR_CAT_STATUS: { id: 0x101a, ...number, ...kept, meaning: "HRESULT of the categorization: 0 when the categorizer is through with it, absent before" },
  MP_MSG_GUID: { id: 0x101b, ...text, ...kept, meaning: "id of a message that may be superseded" },
  MP_SUPERSEDES_MSG_GUID: { id: 0x101c, ...text, ...kept, meaning: "id of the message that this one replaces: those of that id which came before it and wait for delivery are discarded, without a report" },
  MP_SCANNED_FOR_CRLF_DOT_CRLF: { id: 0x101d, ...flag, ...read, source: "content", meaning: "whether the next one can be told: the content is in memory" },
  MP_FOUND_EMBEDDED_CRLF_DOT_CRLF: { id: 0x101e, ...flag, ...read, source: "content", meaning: "the content has a line with a single dot" },
  MP_MSG_SIZE_HINT: { id: 0x101f, ...number, ...read, source: "content.size", meaning: "size in bytes" },
  MP_RFC822_MSG_ID: { id: 0x1020, ...text, ...read, source: "Message-ID", meaning: "header field" },
  MP_RFC822_MSG_SUBJECT: { id: 0x1021, ...text, ...read, source: "Subject", meaning: "header field, decoded" },
  MP_RFC822_FROM_ADDRESS: { id: 0x1022, ...text, ...read, source: "From", meaning: "header field, decoded" },
  MP_RFC822_TO_ADDRESS: { id: 0x1023, ...text, ...read, source: "To", meaning: "header field, decoded" },
  MP_RFC822_CC_ADDRESS: { id: 0x1024, ...text, ...read, source: "Cc", meaning: "header field, decoded" },
  MP_RFC822_BCC_ADDRESS: { id: 0x1025, ...text, ...read, source: "Bcc", meaning: "header field, decoded" },
  MP_CONNECTION_SERVER_IP_ADDRESS: { id: 0x1026, ...text, ...read, source: "origin.serverAddress", meaning: "our address that accepted it" },
  MP_SERVER_NAME: { id: 0x1027, ...text, ...read, source: "origin.server", meaning: "the virtual server" },
  MP_SERVER_VERSION: { id: 0x1028, ...text, ...read, source: "the service", meaning: "our version" },
  MP_NUM_RECIPIENTS: { id: 0x1029, ...number, ...read, source: "recipients.count", meaning: "recipients" },
  MP_X_PRIORITY: { id: 0x102a, ...number, ...write, source: "kept, else X-Priority", meaning: "priority: 1 highest, 3 normal, 5 lowest" },
  MP_FROM_ADDRESS: { id: 0x102b, ...text, ...read, source: "From", meaning: "first address, as SMTP:address" },
  MP_SENDER_ADDRESS: { id: 0x102c, ...text, ...read, source: "Sender", meaning: "the address, as SMTP:address" },
  MP_DEFERRED_DELIVERY_FILETIME: { id: 0x102d, ...time, ...write, source: "deferredDeliveryTime", meaning: "not delivered before" },
  MP_SENDER_ADDRESS_OTHER: { id: 0x102e, ...text, ...kept, meaning: "sender, type:address" },
  MP_ORIGINAL_ARRIVAL_TIME: { id: 0x102f, ...time, ...kept, meaning: "arrival at the first server of the organization" },
  MP_MSGCLASS: { id: 0x1030, ...number, ...write, source: "kept, else Content-Type", meaning: "MP_MSGCLASS_*: 1 system, 2 replication, 3 delivery report, 4 non-delivery report" },
  MP_CONTENT_TYPE: { id: 0x1031, ...text, ...read, source: "Content-Type", meaning: "media type, in lower case" },
  MP_ENCRYPTION_TYPE: { id: 0x1032, ...number, ...read, source: "Content-Type", meaning: "0 none, 1 signed, 2 encrypted" },
  MP_CONNECTION_SERVER_PORT: { id: 0x1033, ...number, ...read, source: "origin.serverPort", meaning: "our port that it was submitted on" },
  MP_CLIENT_AUTH_USER: { id: 0x1034, ...text, ...read, source: "origin.user", meaning: "authenticated user" },
  MP_CLIENT_AUTH_TYPE: { id: 0x1035, ...text, ...read, source: "origin.authMechanism", meaning: "mechanism of AUTH" },
  MP_CRC_GLOBAL: { id: 0x1036, ...number, ...kept, meaning: "checksum of sinks" },
  MP_CRC_RECIPS: { id: 0x1037, ...number, ...kept, meaning: "checksum of sinks" },
  MP_INBOUND_MAIL_FROM_AUTH: { id: 0x1038, ...text, ...read, source: "origin.mailFromAuth", meaning: "AUTH= of MAIL, decoded; said by the client, not proved" },
} as const satisfies Rows;

// oxfmt-ignore
export const RECIPIENT_PROPERTIES = {
  RP_DSN_NOTIFY_SUCCESS: { id: 0x2000, ...obsolete },
  RP_DSN_NOTIFY_INVALID: { id: 0x2001, ...obsolete },
  RP_ADDRESS_TYPE: { id: 0x2002, ...obsolete },
  RP_ADDRESS: { id: 0x2003, ...obsolete },
  RP_ADDRESS_TYPE_SMTP: { id: 0x2004, ...obsolete },
  RP_ERROR_CODE: { id: 0x2005, ...number, ...kept, meaning: "HRESULT of the failure" },
  RP_ERROR_STRING: { id: 0x2006, ...obsolete },
  RP_DSN_NOTIFY_VALUE: { id: 0x2007, ...obsolete },
  RP_DSN_ORCPT_VALUE: { id: 0x2008, ...text, ...write, source: "originalRecipient", meaning: "ORCPT as type;address" },
  RP_ADDRESS_SMTP: { id: 0x2009, ...text, ...write, source: "address", meaning: "the mailbox" },
  RP_ADDRESS_X400: { id: 0x200a, ...text, ...kept, meaning: "X.400 address" },
  RP_ADDRESS_X500: { id: 0x200b, ...text, ...kept, meaning: "X.500 address" },
  RP_LEGACY_EX_DN: { id: 0x200c, ...text, ...kept, meaning: "Exchange 5.5 distinguished name" },
  RP_RECIPIENT_FLAGS: { id: 0x200d, ...number, ...write, source: "flags, notify", meaning: "RP_* flags" },
  RP_SMTP_STATUS_STRING: { id: 0x200e, ...text, ...kept, meaning: "status text that begins with a reply code: what the report on a failed recipient says" },
  RP_DSN_PRE_CAT_ADDRESS: { id: 0x200f, ...text, ...kept, meaning: "address before categorization, type;address; absent where it is still that" },
  RP_MDB_GUID: { id: 0x2010, ...guid, ...kept, meaning: "mailbox database" },
  RP_USER_GUID: { id: 0x2011, ...guid, ...kept, meaning: "object in the directory" },
  RP_DOMAIN: { id: 0x2012, ...text, ...kept, meaning: "domain that decides the route instead of that of the address" },
  RP_ADDRESS_OTHER: { id: 0x2013, ...text, ...kept, meaning: "address of another type" },
  RP_DISPLAY_NAME: { id: 0x2014, ...text, ...kept, meaning: "display name in the directory" },
  RPV_DONT_DELIVER: { id: 0x4000, ...flag, ...write, source: "new list", meaning: "writeList leaves the entry out" },
  RPV_NO_NAME_COLLISIONS: { id: 0x4001, ...flag, ...write, source: "new list", meaning: "the entry is no duplicate of another, nor another of it" },
} as const satisfies Rows;

/** IMMPID_CP_START: from here on the numbers are private. */
export const FIRST_PRIVATE_ID = 0x8000;
export const LAST_PRIVATE_ID = 0xffff_ffff;

export type MessagePropertyName = keyof typeof MESSAGE_PROPERTIES;
export type RecipientPropertyName = keyof typeof RECIPIENT_PROPERTIES;

type AllRows = typeof MESSAGE_PROPERTIES & typeof RECIPIENT_PROPERTIES;

/** The numbers by name: IMMPID.MP_HELO_DOMAIN is the original's IMMPID_MP_HELO_DOMAIN. */
export type PropertyIds = { readonly [Name in keyof AllRows]: AllRows[Name]["id"] };

const idsOf = (rows: Rows): Record<string, number> =>
  Object.fromEntries(Object.entries(rows).map(([name, { id }]) => [name, id]));

// The names and numbers of the two tables above, which is what the type says.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
export const IMMPID = Object.freeze({
  ...idsOf(MESSAGE_PROPERTIES),
  ...idsOf(RECIPIENT_PROPERTIES),
}) as PropertyIds;

interface ValueTypes {
  readonly string: string;
  readonly dword: number;
  readonly bool: boolean;
  readonly filetime: Date;
  readonly guid: string;
}

/** What a private property holds. */
export type PropertyValue = string | number | boolean;
/** What any property holds. */
export type AnyPropertyValue = PropertyValue | Date;

/** The type of a property by its number or name. */
export type ValueOf<Key extends number | string, Table = AllRows> = {
  [Name in keyof Table]: Table[Name] extends { id: infer Id; type: infer Type extends PropertyType }
    ? Key extends Id | Name
      ? ValueTypes[Type]
      : never
    : never;
}[keyof Table];

export interface KnownProperty<Name extends string = string> extends PropertyRow {
  readonly name: Name;
}

/** Finds the rows of one table by number and by name. */
export class PropertyTable<Name extends string> {
  readonly #byId = new Map<number, KnownProperty<Name>>();
  readonly #byName = new Map<string, KnownProperty<Name>>();

  constructor(rows: Readonly<Record<Name, PropertyRow>>) {
    for (const name in rows) {
      const property = { name, ...rows[name] };
      this.#byId.set(property.id, property);
      this.#byName.set(name, property);
    }
  }

  find(key: number | string): KnownProperty<Name> | undefined {
    return typeof key === "number" ? this.#byId.get(key) : this.#byName.get(key);
  }
}

export const messagePropertyTable = new PropertyTable<MessagePropertyName>(MESSAGE_PROPERTIES);
export const recipientPropertyTable = new PropertyTable<RecipientPropertyName>(RECIPIENT_PROPERTIES);
