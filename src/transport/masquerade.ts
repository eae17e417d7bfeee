// The masquerade domain (REFERENCE 6.5): local domains do not show in MAIL FROM and From of mail that begins its way here, and
// what comes back goes to the domain that shows instead. Bodies keep every byte.
import { domainOf, isNullSender, localPartOf } from "../core/address.ts";
import { DomainTable } from "../core/domain-table.ts";
import type { Origin } from "../core/envelope.ts";
import type { Splice } from "../core/splice.ts";
import type { Content } from "../message/content.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./queues/destination-queue.ts";

export interface Masquerade {
  /** The reverse path as others see it. */
  senderOf(sender: string, content: Content, origin: Origin | undefined): string;
  /** The message as other hosts get it. */
  messageOf(message: OutboundMessage): OutboundMessage;
}

export interface MasqueradeSettings {
  readonly domain: string;
  readonly localDomains: readonly string[];
}

export function createMasquerade({ domain, localDomains }: MasqueradeSettings): Masquerade {
  const local = new DomainTable(localDomains.map((name) => [name, true]));
  const isLocal = (name: string): boolean => local.find(name) === true;
  const senderOf = (sender: string): string =>
    isNullSender(sender) || !isLocal(domainOf(sender)) ? sender : `${localPartOf(sender)}@${domain}`;
  return {
    senderOf: (sender, content, origin) => (isFirstHop(content, origin) ? senderOf(sender) : sender),
    messageOf(message) {
      if (!isFirstHop(message.content, message.origin)) return message;
      const content = message.content.splice(fromEdits(message.content.header, domain, isLocal));
      const sender = senderOf(message.sender);
      return { ...message, sender, content, envelope: { ...message.envelope, sender } };
    },
  };
}

/** Takes mail to other hosts under the masquerade. */
export class MasqueradeCourier implements Courier {
  readonly #inner: Courier;
  readonly #masquerade: Masquerade;

  constructor(inner: Courier, masquerade: Masquerade) {
    this.#inner = inner;
    this.#masquerade = masquerade;
  }

  get capacity(): number {
    return this.#inner.capacity;
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    return this.#inner.deliver(this.#masquerade.messageOf(message));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** No host before us has signed the way of the message: what clients or Pickup brought has our own Received field. */
function isFirstHop({ header }: Content, origin: Origin | undefined): boolean {
  const ours = origin === undefined || origin.via === "smtp" || origin.pickupFileName !== undefined ? 1 : 0;
  return (header.toString("latin1").match(/^received[ \t]*:/gim)?.length ?? 0) <= ours;
}

/** A field with its folded lines; one letter is one byte. */
const FROM_FIELD = /^from[ \t]*:(?:[^\r\n]|\r?\n[ \t])*/gim;

function fromEdits(header: Buffer, domain: string, isLocal: (domain: string) => boolean): Splice[] {
  const bytes = Buffer.from(domain);
  const edits: Splice[] = [];
  for (const field of header.toString("latin1").matchAll(FROM_FIELD)) {
    for (const [start, end] of domainsIn(field[0])) {
      const at = field.index + start;
      const to = field.index + end;
      if (to - at <= MAX_DOMAIN_BYTES && isLocal(header.toString("utf8", at, to)))
        edits.push({ start: at, end: to, bytes });
    }
  }
  return edits;
}

/** RFC 5321 §4.5.3.1.2. */
const MAX_DOMAIN_BYTES = 255;
/** What a domain is written in, UTF-8 included (RFC 6532 §3.2). */
const DOMAIN = /[\w.\x80-\xff-]+/y;
/** Quoted strings, comments without nesting, encoded words: an @ in them begins no domain. */
const NO_ADDRESS = /"(?:[^"\\]|\\.)*"?|\((?:[^()\\]|\\.)*\)?|=\?[^\s?]*\?[bq]\?[^\s?]*\?=/isy;

/** Where the domains of the addresses of a field are (RFC 5322 §3.4.1). */
function* domainsIn(field: string): Generator<[start: number, end: number]> {
  for (let at = 0; at < field.length;) {
    const skipped = matchAt(NO_ADDRESS, field, at);
    if (skipped > 0) {
      at += skipped;
      continue;
    }
    const length = field[at] === "@" ? matchAt(DOMAIN, field, at + 1) : 0;
    if (length > 0) yield [at + 1, at + 1 + length];
    at += length + 1;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}
