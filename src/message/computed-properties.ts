// The properties of a message that follow from its envelope, its origin and its content. Each is computed when it is read.
import { isMessageStatus } from "../core/status.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { decodeWords } from "../mime/encoded-words.ts";
import { decodeAddressList } from "../mime/header-value.ts";
import { type ParameterizedValue, parseParameters } from "../mime/parameters.ts";
import type { Content } from "./content.ts";
import type { MailMsg } from "./mail-msg.ts";
import type { AnyPropertyValue, MESSAGE_PROPERTIES, MessagePropertyName, ValueOf } from "./properties.ts";
import { propertyInvalid } from "./property-values.ts";

type Table = typeof MESSAGE_PROPERTIES;

/** The names that have something to be computed from: whoever adds one to the table has to say here how. */
type ComputedName = {
  [Name in MessagePropertyName]: Table[Name]["source"] extends "kept" | "" ? never : Name;
}[MessagePropertyName];

type Readers = { readonly [Name in ComputedName]: (msg: MailMsg) => ValueOf<Name, Table> | undefined };
type Reader = (msg: MailMsg) => AnyPropertyValue | undefined;

const END_OF_DATA = Buffer.from("\r\n.\r\n");
const messageClass = { deliveryReport: 3, nonDeliveryReport: 4 } as const;
const encryption = { none: 0, signed: 1, encrypted: 2 } as const;

const READERS: Readers = {
  MP_SENDER_ADDRESS_SMTP: (msg) => msg.sender,
  MP_PICKUP_FILE_NAME: ({ origin }) => origin.pickupFileName,
  MP_CONNECTION_IP_ADDRESS: ({ origin }) => origin.clientAddress,
  MP_HELO_DOMAIN: ({ origin }) => origin.heloDomain,
  MP_EIGHTBIT_MIME_OPTION: ({ envelope }) => envelope.body === "8BITMIME",
  MP_BINARYMIME_OPTION: ({ envelope }) => envelope.body === "BINARYMIME",
  MP_DSN_ENVID_VALUE: (msg) => msg.envelopeId,
  MP_DSN_RET_VALUE: (msg) => msg.returnContent,
  MP_ARRIVAL_TIME: (msg) => msg.arrivalTime,
  MP_ARRIVAL_FILETIME: (msg) => msg.arrivalTime,
  MP_MESSAGE_STATUS: (msg) => msg.status,
  MP_SCANNED_FOR_CRLF_DOT_CRLF: ({ content }) => content.inMemory,
  MP_FOUND_EMBEDDED_CRLF_DOT_CRLF: ({ content }) => memoryOf(content)?.includes(END_OF_DATA),
  MP_MSG_SIZE_HINT: ({ content }) => content.size,
  MP_RFC822_MSG_ID: (msg) => msg.headers.get("Message-ID"),
  MP_RFC822_MSG_SUBJECT: (msg) => mapped(msg.headers.get("Subject"), decodeWords),
  MP_RFC822_FROM_ADDRESS: (msg) => mapped(msg.headers.get("From"), decodeAddressList),
  MP_RFC822_TO_ADDRESS: (msg) => mapped(msg.headers.get("To"), decodeAddressList),
  MP_RFC822_CC_ADDRESS: (msg) => mapped(msg.headers.get("Cc"), decodeAddressList),
  MP_RFC822_BCC_ADDRESS: (msg) => mapped(msg.headers.get("Bcc"), decodeAddressList),
  MP_CONNECTION_SERVER_IP_ADDRESS: ({ origin }) => origin.serverAddress,
  MP_SERVER_NAME: ({ origin }) => origin.server,
  MP_SERVER_VERSION: (msg) => msg.surroundings.serverVersion,
  MP_NUM_RECIPIENTS: (msg) => msg.recipients.count,
  MP_X_PRIORITY: (msg) => priorityOf(msg.headers.get("X-Priority")),
  MP_FROM_ADDRESS: (msg) => typedAddress(msg.headers.get("From")),
  MP_SENDER_ADDRESS: (msg) => typedAddress(msg.headers.get("Sender")),
  MP_DEFERRED_DELIVERY_FILETIME: (msg) => msg.deferredDeliveryTime,
  MP_MSGCLASS: reportClass,
  MP_CONTENT_TYPE: (msg) => contentType(msg)?.value,
  MP_ENCRYPTION_TYPE: encryptionOf,
  MP_CONNECTION_SERVER_PORT: ({ origin }) => origin.serverPort,
  MP_CLIENT_AUTH_USER: ({ origin }) => origin.user,
  MP_CLIENT_AUTH_TYPE: ({ origin }) => origin.authMechanism,
  MP_INBOUND_MAIL_FROM_AUTH: ({ origin }) => origin.mailFromAuth,
};

const readers = new Map<string, Reader>(Object.entries(READERS));

export const readComputed = (msg: MailMsg, name: MessagePropertyName): AnyPropertyValue | undefined =>
  readers.get(name)?.(msg);

type Writers = { readonly [Name in MessagePropertyName]?: (msg: MailMsg, value: AnyPropertyValue) => void };

/** `value` is of the property's type. */
const WRITERS: Writers = {
  MP_SENDER_ADDRESS_SMTP(msg, value) {
    msg.sender = String(value);
  },
  MP_DSN_ENVID_VALUE(msg, value) {
    msg.envelopeId = String(value);
  },
  MP_DSN_RET_VALUE(msg, value) {
    if (value !== "FULL" && value !== "HDRS")
      throw propertyInvalid("MP_DSN_RET_VALUE", "has to be FULL or HDRS");
    msg.returnContent = value;
  },
  MP_MESSAGE_STATUS(msg, value) {
    if (!isMessageStatus(value)) throw propertyInvalid("MP_MESSAGE_STATUS", "has to be 0 to 6");
    msg.status = value;
  },
  MP_DEFERRED_DELIVERY_FILETIME(msg, value) {
    if (value instanceof Date) msg.deferredDeliveryTime = value;
  },
};

/** Writes a property that is a member of the message; answers false for the others, which are kept. */
export function writeComputed(msg: MailMsg, name: MessagePropertyName, value: AnyPropertyValue): boolean {
  const write = WRITERS[name];
  if (write === undefined) return false;
  try {
    write(msg, value);
  } catch (thrown) {
    // The members of the message have their own words for what they do not take.
    throw thrown instanceof RangeError ? propertyInvalid(name, `cannot be set: ${thrown.message}`) : thrown;
  }
  return true;
}

const mapped = (value: string | undefined, decode: (raw: string) => string): string | undefined =>
  value === undefined ? undefined : decode(value);

function typedAddress(field: string | undefined): string | undefined {
  const address = field === undefined ? undefined : parseAddressList(field)[0]?.address;
  return address === undefined ? undefined : `SMTP:${address}`;
}

/** "1 (Highest)": the number counts. */
function priorityOf(field: string | undefined): number | undefined {
  const digit = /^\s*([1-5])(?!\d)/.exec(field ?? "")?.[1];
  return digit === undefined ? undefined : Number(digit);
}

function contentType(msg: MailMsg): ParameterizedValue | undefined {
  const field = msg.headers.get("Content-Type");
  return field === undefined ? undefined : parseParameters(field);
}

/** RFC 1847 and RFC 8551 §3: what the outermost part says. */
function encryptionOf(msg: MailMsg): number {
  const type = contentType(msg);
  if (type?.value === "multipart/signed") return encryption.signed;
  if (type?.value === "multipart/encrypted") return encryption.encrypted;
  if (type === undefined || !/^application\/(?:x-)?pkcs7-mime$/.test(type.value)) return encryption.none;
  const kind = type.parameters.get("smime-type")?.toLowerCase();
  return kind === "signed-data" || kind === "certs-only" ? encryption.signed : encryption.encrypted;
}

/** RFC 3464 §2.3.3, RFC 6533 §4: a report on a failure says so of a recipient. Undefined for what is no report, or is not in memory. */
function reportClass(msg: MailMsg): number | undefined {
  const type = contentType(msg);
  if (type?.value !== "multipart/report") return undefined;
  if (!/^(?:global-)?delivery-status$/i.test(type.parameters.get("report-type") ?? "")) return undefined;
  const bytes = memoryOf(msg.content);
  if (bytes === undefined) return undefined;
  const isFailure = /^Action:[ \t]*failed/im.test(bytes.toString("latin1"));
  return isFailure ? messageClass.nonDeliveryReport : messageClass.deliveryReport;
}

/** All bytes when none of them has to be read from disk. */
function memoryOf(content: Content): Buffer | undefined {
  const pieces = content.pieces.filter((piece) => Buffer.isBuffer(piece));
  if (pieces.length !== content.pieces.length) return undefined;
  return content.buffer ?? Buffer.concat(pieces);
}
