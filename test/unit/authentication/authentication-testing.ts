// Signs and verifies messages with a zone in memory.
import { Lookup } from "../../../src/authentication/lookup.ts";
import { SIGNED_FIELDS } from "../../../src/authentication/canonical-header.ts";
import { type SignContent, type SigningEntry, createSigner } from "../../../src/authentication/signer.ts";
import { createSigningKey } from "../../../src/authentication/signing-key.ts";
import {
  type Conversation,
  type Verification,
  loadVerifier,
} from "../../../src/authentication/verification.ts";
import type { Clock } from "../../../src/core/clock.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Origin } from "../../../src/core/envelope.ts";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import type { PropertyValue } from "../../../src/message/properties.ts";
import { type Zone, zoneResolver } from "../../support/dns-zone.ts";

export const OWN: Origin = { via: "pickup", arrivalTime: 0, server: "default" };
export const FOREIGN: Origin = { via: "smtp", arrivalTime: 0, server: "default", clientAddress: "192.0.2.1" };

export const CONVERSATION: Conversation = {
  authservId: "mx.example.net",
  clientAddress: "192.0.2.1",
  heloDomain: "out.example.com",
  sender: "alice@example.com",
};

export const MESSAGE = [
  "Received: from somewhere",
  "From: Alice <alice@example.com>",
  "To: Bob <bob@example.org>",
  "Subject:  two  blanks,",
  "\tfolded ",
  "Date: Mon, 16 Nov 2026 10:00:00 +0000",
  "Message-ID: <1@example.com>",
  "",
  "Hello  \tthere. \t",
  ".dot",
  "",
  "last",
  "",
  "",
  "",
].join("\r\n");

export const contentOf = (text: string): Content => Content.fromBuffer(Buffer.from(text, "latin1"));

export function entryOf(pem: string, choices: Partial<SigningEntry> = {}): SigningEntry {
  return {
    domain: "example.com",
    subdomains: false,
    selector: "one",
    key: createSigningKey(pem, "test key"),
    headerForm: "relaxed",
    bodyForm: "relaxed",
    fields: SIGNED_FIELDS,
    arc: false,
    drop: false,
    ...choices,
  };
}

export const signerOf = (
  entries: readonly SigningEntry[],
  clock: Clock = systemClock,
  log: Logger = silentLogger,
): SignContent =>
  createSigner(
    new Map([["default", { entries, isOurClient: (address) => address.startsWith("127.") }]]),
    clock,
    log,
  );

/** Signs and answers the whole text. */
export async function signedText(
  entries: readonly SigningEntry[],
  content: Content = contentOf(MESSAGE),
  origin: Origin = OWN,
  properties: ReadonlyMap<string, PropertyValue> = new Map(),
): Promise<string> {
  const signed = await signerOf(entries)({ id: "ID", content, origin, properties }, "out");
  return (await signed.toBuffer()).toString("latin1");
}

export async function verifyText(
  text: string | Content,
  zone: Zone,
  conversation: Partial<Conversation> = {},
  clock: Clock = systemClock,
): Promise<Verification & { asked: string[] }> {
  const { resolve, asked } = zoneResolver(zone);
  const lookup = new Lookup(resolve, { cacheMs: 60_000, maxEntries: 100 }, clock);
  const verify = await loadVerifier(lookup, clock);
  const content = typeof text === "string" ? contentOf(text) : text;
  return { ...(await verify(content, { ...CONVERSATION, ...conversation }, 10_000)), asked };
}
