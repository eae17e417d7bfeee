// The header that a load balancer puts before the session to name its client: PROXY protocol, version 1 (a line) and 2 (binary).
import { isIP } from "node:net";
import { canonicalAddress } from "./networks.ts";

/** Version 1: 107 bytes, CRLF included. */
const MAX_LINE_BYTES = 107;
/** Version 2: the addresses of the longest family we read, and room for a few TLVs. */
const MAX_BINARY_BYTES = 536;
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const BINARY_START_BYTES = 16;
const LF = 0x0a;

/** Where the client really is; undefined addresses: the balancer speaks for itself (UNKNOWN, LOCAL). */
export interface ProxiedClient {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
}

export type ProxyHeader =
  | { readonly kind: "more" }
  | { readonly kind: "invalid" }
  | { readonly kind: "client"; readonly client: ProxiedClient; readonly length: number };

const MORE: ProxyHeader = { kind: "more" };
const INVALID: ProxyHeader = { kind: "invalid" };
const ITSELF: ProxiedClient = { remoteAddress: undefined, remotePort: undefined, localAddress: undefined };

/** Reads the header at the start of `bytes`, all that has come so far. FAULTS S20: bounded, and nothing but it is taken. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const signed = Math.min(bytes.length, SIGNATURE.length);
  if (bytes.subarray(0, signed).equals(SIGNATURE.subarray(0, signed)))
    return bytes.length < BINARY_START_BYTES ? MORE : readBinary(bytes);
  return readLine(bytes);
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(LF);
  if (end < 0) return bytes.length < MAX_LINE_BYTES && couldBeLine(bytes) ? MORE : INVALID;
  const line = bytes.toString("latin1", 0, end + 1);
  if (/^PROXY UNKNOWN(?: [ -~]*)?\r\n$/.test(line)) return found(ITSELF, end + 1);
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})\r\n$/.exec(line);
  if (match === null) return INVALID;
  const [, family, source = "", target = "", port] = match;
  if (isIP(source) !== Number(family) || isIP(target) !== Number(family)) return INVALID;
  return found(
    {
      remoteAddress: canonicalAddress(source),
      remotePort: Number(port),
      localAddress: canonicalAddress(target),
    },
    end + 1,
  );
}

function couldBeLine(bytes: Buffer): boolean {
  const start = "PROXY ";
  return bytes.toString("latin1", 0, Math.min(bytes.length, start.length)) === start.slice(0, bytes.length);
}

function readBinary(bytes: Buffer): ProxyHeader {
  const [version = 0, family = 0] = bytes.subarray(SIGNATURE.length);
  const length = BINARY_START_BYTES + bytes.readUInt16BE(14);
  const command = version & 0x0f;
  if (version >> 4 !== 2 || command > 1 || length > MAX_BINARY_BYTES) return INVALID;
  if (bytes.length < length) return MORE;
  if (command === 0) return found(ITSELF, length);
  switch (family >> 4) {
    case 0:
      return found(ITSELF, length);
    case 1:
      return readAddresses(bytes, length, 4);
    case 2:
      return readAddresses(bytes, length, 16);
    default:
      return INVALID;
  }
}

function readAddresses(bytes: Buffer, length: number, size: 4 | 16): ProxyHeader {
  const start = BINARY_START_BYTES;
  if (length < start + 2 * size + 4) return INVALID;
  return found(
    {
      remoteAddress: formatAddress(bytes.subarray(start, start + size)),
      localAddress: formatAddress(bytes.subarray(start + size, start + 2 * size)),
      remotePort: bytes.readUInt16BE(start + 2 * size),
    },
    length,
  );
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return canonicalAddress(groups.join(":"));
}

const found = (client: ProxiedClient, length: number): ProxyHeader => ({ kind: "client", client, length });
