// Signatures as the configuration wants them: the keys are read here, at start and at each reload.
import { open } from "node:fs/promises";
import { SIGNED_FIELDS } from "../../authentication/canonical-header.ts";
import {
  type ServerSigning,
  type SignContent,
  type SigningEntry,
  createSigner,
} from "../../authentication/signer.ts";
import { createSigningKey } from "../../authentication/signing-key.ts";
import type { SigningEntrySettings } from "../../config/authentication-schema.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { SignOutbound } from "../../smtp/client/destination.ts";
import { networkCheck } from "../../smtp/server/networks.ts";
import { type ServerPlace, placesOfServer } from "../servers/server-places.ts";

const DAY_MS = 86_400_000;
const MAX_KEY_BYTES = 64 * 1024;
const OF_OTHERS = 0o007;

export interface Signers {
  readonly out: SignOutbound;
  /** Absent: nothing that goes to Drop is signed. */
  readonly drop: SignOutbound | undefined;
}

/** Undefined when no server has a key. Throws SIGNING_KEY_UNUSABLE. */
export async function loadSigners(config: Config, clock: Clock, log: Logger): Promise<Signers | undefined> {
  const servers = new Map<string, ServerSigning>();
  for (const server of config.virtualServers) {
    // oxlint-disable-next-line no-await-in-loop -- a handful of files at start
    if (server.signing.length > 0)
      servers.set(server.name, await serverSigning(server, placesOfServer(config, server)));
  }
  if (servers.size === 0) return undefined;
  const sign: SignContent = createSigner(servers, clock, log);
  const signsDrop = [...servers.values()].some(({ entries }) => entries.some(({ drop }) => drop));
  return {
    out: (message) => sign(message, "out"),
    drop: signsDrop ? (message) => sign(message, "drop") : undefined,
  };
}

async function serverSigning(
  { signing, relay }: VirtualServerSettings,
  placeOf: ServerPlace,
): Promise<ServerSigning> {
  return {
    entries: await Promise.all(
      signing.map((entry, index) => loadSigningEntry(entry, () => placeOf("signing", index, "keyFile"))),
    ),
    // A list of those who may not relay says of nobody that he is one of us.
    isOurClient: relay.mode === "only" ? networkCheck(relay.networks, "relay.networks") : () => false,
  };
}

/** `place` says where the key is named. Throws SIGNING_KEY_UNUSABLE. */
export async function loadSigningEntry(
  entry: SigningEntrySettings,
  place: () => string,
): Promise<SigningEntry> {
  try {
    return await loadEntry(entry);
  } catch (cause) {
    throw new OnArrivalError("SIGNING_KEY_UNUSABLE", `${place()}: ${describeError(cause)}`, { cause });
  }
}

async function loadEntry(entry: SigningEntrySettings): Promise<SigningEntry> {
  const { domain, subdomains, selector, keyFile, algorithm, headers, validDays, arc, drop } = entry;
  const key = createSigningKey(await readKey(keyFile), keyFile, algorithm);
  if (arc && key.algorithm !== "rsa-sha256")
    throw new OnArrivalError("SIGNING_KEY_UNUSABLE", `${keyFile}: arc takes an RSA key`);
  const [headerForm, bodyForm] = formsOf(entry.canonicalization);
  const fields = headers?.map((name) => name.toLowerCase()) ?? SIGNED_FIELDS;
  const validForMs = validDays === undefined ? undefined : validDays * DAY_MS;
  return { domain, subdomains, selector, key, headerForm, bodyForm, fields, validForMs, arc, drop };
}

type Form = SigningEntry["bodyForm"];

const formsOf = (canonicalization: SigningEntrySettings["canonicalization"]): [Form, Form] => [
  canonicalization.startsWith("relaxed") ? "relaxed" : "simple",
  canonicalization.endsWith("relaxed") ? "relaxed" : "simple",
];

async function readKey(file: string): Promise<string> {
  let why: string | undefined;
  try {
    await using handle = await open(file, "r");
    const { mode, size } = await handle.stat();
    if (process.platform !== "win32" && (mode & OF_OTHERS) !== 0)
      why = `everybody may use it (mode ${(mode & 0o777).toString(8)}): chmod o= it`;
    else if (size > MAX_KEY_BYTES) why = "too large for a key";
    else return await handle.readFile("utf8");
  } catch (thrown) {
    why = describeError(thrown);
  }
  throw new OnArrivalError("SIGNING_KEY_UNUSABLE", `${file}: ${why}`);
}
