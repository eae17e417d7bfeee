// The last step before a message leaves: DKIM signatures of its author's domain (RFC 6376) and a seal of ARC (RFC 8617) over
// exactly what goes out (decision 0024).
import { domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Origin } from "../core/envelope.ts";
import type { Logger } from "../core/logger.ts";
import type { Content } from "../message/content.ts";
import type { PropertyValue } from "../message/properties.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { Headers } from "../mime/headers.ts";
import { type SealedFinding, arcSet } from "./arc-seal.ts";
import { type BodyForm, CanonicalBody } from "./canonical-body.ts";
import type { RawField } from "./canonical-header.ts";
import { foundProperties } from "./finding.ts";
import { type Signature, signatureField } from "./signature-field.ts";

export interface SigningEntry extends Signature {
  /** Whether mail of its subdomains is signed as well. */
  readonly subdomains: boolean;
  /** Whether what Authenticate has looked at is sealed with this key. */
  readonly arc: boolean;
  /** Whether what goes to Drop is signed as well. */
  readonly drop: boolean;
}

/** The entries of one virtual server, and the clients whose mail is ours. */
export interface ServerSigning {
  readonly entries: readonly SigningEntry[];
  readonly isOurClient: (address: string) => boolean;
}

export interface SignedMessage {
  readonly id: string;
  readonly content: Content;
  readonly origin?: Origin | undefined;
  readonly properties?: ReadonlyMap<string, PropertyValue> | undefined;
}

/** The content with its signatures, or the same content when it gets none. */
export type SignContent = (message: SignedMessage, where: "out" | "drop") => Content | Promise<Content>;

/** `servers` by name of the virtual server that took the message. */
export function createSigner(
  servers: ReadonlyMap<string, ServerSigning>,
  clock: Clock,
  log: Logger,
): SignContent {
  /** One message may go to many hosts, and be tried again: it is signed once as long as it is in memory. */
  const kept = {
    out: new WeakMap<Content, Promise<Content>>(),
    drop: new WeakMap<Content, Promise<Content>>(),
  };
  return (message, where) => {
    const { content, origin } = message;
    const server = origin && servers.get(origin.server);
    if (origin === undefined || server === undefined) return content;
    const signed = kept[where];
    const known = signed.get(content);
    if (known !== undefined) return known;
    const plan = planFor(server, origin, message, where);
    if (plan === undefined) return content;
    const unsigned = (why: string): void =>
      log.warn({ message: message.id, why }, "message leaves without a signature");
    if (plan === UNCERTAIN) {
      unsigned("its header has no end, or a CR or LF that stands alone");
      return content;
    }
    const result = signAll(content, plan, clock.now()).then(({ signatures, why }) => {
      if (why !== undefined) unsigned(why);
      if (signatures === "") return content;
      return content.splice([{ start: 0, end: 0, bytes: Buffer.from(signatures, "latin1") }]);
    });
    signed.set(content, result);
    // A failed one is tried again with the next attempt.
    result.catch(() => signed.delete(content));
    return result;
  };
}

interface Plan {
  readonly fields: readonly RawField[];
  readonly entries: readonly SigningEntry[];
  readonly seal: { readonly entry: SigningEntry; readonly finding: SealedFinding } | undefined;
}

/** The receiver may take something else for the header than we do. */
const UNCERTAIN = Symbol("uncertain");

function planFor(
  server: ServerSigning,
  origin: Origin,
  { content, properties }: SignedMessage,
  where: "out" | "drop",
): Plan | typeof UNCERTAIN | undefined {
  const entries = where === "drop" ? server.entries.filter((entry) => entry.drop) : server.entries;
  const seal = sealOf(entries, properties);
  const isOurs = isOwnMail(origin, server);
  if (entries.length === 0 || (!isOurs && seal === undefined)) return undefined;
  const chosen = isOurs ? entriesOf(entries, authorDomain(content.header)) : [];
  if (chosen.length === 0 && seal === undefined) return undefined;
  const fields = readFields(content);
  return fields === undefined ? UNCERTAIN : { fields, entries: chosen, seal };
}

/** Anybody can write our domain into From: only what our own clients send, or we ourselves, is vouched for. */
const isOwnMail = ({ via, user, clientAddress }: Origin, { isOurClient }: ServerSigning): boolean =>
  via !== "smtp" || user !== undefined || (clientAddress !== undefined && isOurClient(clientAddress));

function sealOf(
  entries: readonly SigningEntry[],
  properties: ReadonlyMap<string, PropertyValue> | undefined,
): Plan["seal"] {
  const entry = entries.find(({ arc }) => arc);
  const finding = entry && properties && foundProperties(properties);
  return entry && finding && { entry, finding };
}

/** Signatures of several authors' domains would be guessing. */
function authorDomain(header: Buffer): string | undefined {
  const authors = new Headers(header).getAll("From").flatMap((value) => parseAddressList(value));
  const domains = new Set(authors.map(({ address }) => domainOf(address).toLowerCase()));
  return domains.size === 1 ? [...domains][0] : undefined;
}

/** The entries of the domain itself, else those of the nearest domain above it that signs for its subdomains. */
function entriesOf(entries: readonly SigningEntry[], domain: string | undefined): readonly SigningEntry[] {
  if (domain === undefined) return [];
  for (let name = domain; name !== ""; name = name.slice(name.indexOf(".") + 1)) {
    const found = entries.filter((entry) => entry.domain === name && (name === domain || entry.subdomains));
    if (found.length > 0) return found;
    if (!name.includes(".")) break;
  }
  return [];
}

/**
 * As the receiver will see them; undefined for a block that is another one to the receiver: it is not complete, or a stray CR
 * or LF in it becomes a line end on the way.
 */
function readFields({ header, size }: Content): RawField[] | undefined {
  const text = header.toString("latin1");
  // A message may end with its header: its body is empty.
  const isComplete = text.endsWith("\r\n\r\n") || (header.length === size && text.endsWith("\r\n"));
  if (!isComplete || /\r(?!\n)|(?<!\r)\n/.test(text)) return undefined;
  return new Headers(header)
    .rawFields(() => true)
    .map((raw) => ({ name: raw.slice(0, raw.indexOf(":")).trim().toLowerCase(), raw }));
}

async function signAll(
  content: Content,
  { fields, entries, seal }: Plan,
  now: number,
): Promise<{ signatures: string; why?: string }> {
  const hashes = await bodyHashes(content, [
    ...entries.map((entry) => entry.bodyForm),
    ...(seal === undefined ? [] : (["relaxed"] as const)),
  ]);
  const hashOf = (form: BodyForm): string => hashes.get(form) ?? "";
  const signatures = await Promise.all(
    entries.map((entry) =>
      signatureField({ name: "DKIM-Signature" }, entry, fields, hashOf(entry.bodyForm), now),
    ),
  );
  const dkim = signatures.join("");
  if (seal === undefined) return { signatures: dkim };
  const below = [...signatures.map((raw) => ({ name: "dkim-signature", raw })), ...fields];
  const { entry, finding } = seal;
  const sealable = { ...entry, fields: [...entry.fields, "dkim-signature"] };
  const set = await arcSet(sealable, finding, below, hashOf("relaxed"), now);
  if (set === undefined) return { signatures: dkim, why: "its ARC chain is not the one that was verified" };
  return { signatures: set + dkim };
}

/** One pass over the body, whatever the number of signatures. */
async function bodyHashes(content: Content, forms: readonly BodyForm[]): Promise<Map<BodyForm, string>> {
  const bodies = [...new Set(forms)].map((form) => ({ form, body: new CanonicalBody(form) }));
  let skip = content.header.length;
  for await (const chunk of content.chunks()) {
    const rest = skip === 0 ? chunk : chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
    for (const { body } of bodies) if (rest.length > 0) body.update(rest);
  }
  return new Map(bodies.map(({ form, body }) => [form, body.digest()]));
}
