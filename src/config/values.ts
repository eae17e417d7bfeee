// The kinds of values that settings have: sizes, addresses to listen on, networks, names of hosts.
import { isIP } from "node:net";
import { z } from "zod";
import { isMailbox } from "../core/address.ts";

/** When a changed setting takes effect: `live` at the next reload, `restart` when the service starts again. */
export type Applies = "live" | "restart";

export interface SettingMeta {
  readonly description: string;
  readonly applies: Applies;
  readonly unit?: string;
  /** Said in the documents where the schema itself fills in nothing. */
  readonly default?: unknown;
  /** The same for a default that is no fixed value. */
  readonly defaultText?: string;
  readonly [key: string]: unknown;
}

/** Describes a setting that a reload takes over. */
export const live = (description: string, more: Partial<SettingMeta> = {}): SettingMeta => ({
  description,
  applies: "live",
  ...more,
});

/** Describes a setting that counts from the next start. */
export const restart = (description: string, more: Partial<SettingMeta> = {}): SettingMeta => ({
  description,
  applies: "restart",
  ...more,
});

const SIZE_PATTERN = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)$/i;
const SIZE_FACTORS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Bytes of "32MiB", "10MB" or a plain number; undefined when it is none of them. */
export function parseSize(value: string | number): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const match = SIZE_PATTERN.exec(value.trim());
  const factor = SIZE_FACTORS[match?.[2]?.toLowerCase() ?? ""];
  if (match?.[1] === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** "127.0.0.1:25", "[::1]:25", "mail.example.com:587"; without a port the default one, when there is one. */
export function parseHostPort(text: string, defaultPort?: number): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port === undefined || port > 65_535) return undefined;
  return { host, port };
}

/** Whether only one can listen where both addresses say. Port 0 is another one each time. */
export function isSameAddress(address: string, another: string): boolean {
  const [one, other] = [parseHostPort(address), parseHostPort(another)];
  if (one === undefined || one.port === 0 || one.port !== other?.port) return false;
  return one.host === other.host || isWithin(one.host, other.host) || isWithin(other.host, one.host);
}

/** All IPv6 addresses of a machine mean the IPv4 ones too. */
const isWithin = (host: string, all: string): boolean =>
  all === "::" || (all === "0.0.0.0" && isIP(host) === 4);

/** Where mail goes: a host, or the socket of a program on this machine. */
export type NextHopAddress = { readonly scheme: "smtp" | "smtps" | "lmtp" } & (
  | { readonly host: string; readonly port: number; readonly socketPath?: undefined }
  | { readonly socketPath: string }
);

const SMTP_PORT = 25;
/** By custom; RFC 2033 §5 only says that it is not 25. */
export const LMTP_PORT = 24;

/** A host with or without its port; "smtps://" and "lmtp://" may stand in front, and behind the latter a path. */
export function parseNextHop(
  text: string,
  defaultPort: number,
  defaultSecurePort = 465,
): NextHopAddress | undefined {
  const [, named = "smtp", rest = ""] = /^(?:(smtps?|lmtp):\/\/)?(.+)$/.exec(text.trim()) ?? [];
  const scheme = named === "smtps" || named === "lmtp" ? named : "smtp";
  if (rest.startsWith("/")) return scheme === "lmtp" ? { scheme, socketPath: rest } : undefined;
  const clearPort = scheme === "lmtp" && defaultPort === SMTP_PORT ? LMTP_PORT : defaultPort;
  const address = parseHostPort(rest, scheme === "smtps" ? defaultSecurePort : clearPort);
  return address === undefined ? undefined : { scheme, ...address };
}

/** "sha256:" may stand in front; hex may have colons. Lower-case hex comes out. */
export function parseFingerprint(text: string): string | undefined {
  const digest = text.trim().replace(/^sha256[:/]/i, "");
  const hex = digest.replaceAll(":", "").toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  return /^[\w+/-]{43}=?$/.test(digest) ? Buffer.from(digest, "base64").toString("hex") : undefined;
}

export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** "10.0.0.0/8", "2001:db8::/32", or one address. */
export function parseNetwork(text: string): Network | undefined {
  const [address = "", prefixText, ...more] = text.trim().split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return undefined;
  const widest = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? widest : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (prefix < 0 || prefix > widest) return undefined;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}

// The return types of the builders below are what zod infers: they are long, and naming them would say nothing.
/* oxlint-disable typescript/explicit-module-boundary-types */

const SIZE_PROBLEM = 'must be a size such as "32MiB", "10MB" or a number of bytes';

/** A number of bytes, written as a number or as "32MiB". */
export const size = (min = 0, max: number = Number.MAX_SAFE_INTEGER) =>
  z
    .union([z.int(SIZE_PROBLEM).min(0, SIZE_PROBLEM), z.string().regex(SIZE_PATTERN, SIZE_PROBLEM)], {
      error: SIZE_PROBLEM,
    })
    .transform((value, context) => {
      const bytes = parseSize(value);
      if (bytes !== undefined && bytes >= min && bytes <= max) return bytes;
      context.issues.push({
        code: "custom",
        input: value,
        message: `must be a size from ${min} to ${max} bytes`,
      });
      return z.NEVER;
    });

export const count = (min: number, max: number = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);

/** A timer of Node holds at most 2^31-1 ms. */
export const milliseconds = (min = 0) => z.int().min(min).max(0x7fff_ffff);

export const minutes = () => z.number().positive().max(525_600);

export const listenAddress = () =>
  z
    .string()
    .refine(
      (text) => parseHostPort(text) !== undefined,
      'must be HOST:PORT, as "127.0.0.1:2525" or "[::1]:2525"',
    );

export const hostAddress = () =>
  z
    .string()
    .refine(
      (text) => parseNextHop(text, 25) !== undefined,
      'must be HOST or HOST:PORT, as "mail.example.com:25"',
    );

export const network = () =>
  z
    .string()
    .refine((text) => parseNetwork(text) !== undefined, 'must be an address or a network, as "10.0.0.0/8"');

export const domainName = () =>
  z
    .string()
    .regex(/^[^\s@:/\\]+$/u, 'must be a domain name, as "example.com"')
    .transform((name) => name.toLowerCase());

export const mailbox = () =>
  z
    .string()
    .refine(
      (text) => isMailbox(text) && text.includes("@"),
      'must be an address, as "postmaster@example.com"',
    );

const GUID = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;

/** In the one form that is stored and compared: upper case in braces, as the original prints it. */
export function normalizeGuid(text: string): string | undefined {
  const match = GUID.exec(text.trim());
  return match?.[1] === undefined ? undefined : `{${match[1].toUpperCase()}}`;
}

export const guid = () =>
  z
    .string()
    .regex(GUID, 'must be a GUID, as "{1B3C0666-E470-11D1-AA67-00C04FA345F6}"')
    .transform((text) => normalizeGuid(text) ?? text);

/** Keys of a section that says whose certificates count; named-files.ts reads the file. */
export const trustedAuthorities = {
  authorities: z
    .string()
    .min(1)
    .optional()
    .meta(live("PEM of the authorities to trust. Prefer authoritiesFile.")),
  authoritiesFile: z
    .string()
    .min(1)
    .optional()
    .meta(
      live("PEM file of the authorities to trust, relative to this file.", {
        defaultText: "those of Node.js",
      }),
    ),
};
