// The other end of an attempt as reports name it (RFC 3464 §2.3.5): an Internet domain or a literal address, without a port.
import { isIPv4, isIPv6 } from "node:net";

/** What attempts call local delivery, where no other system takes part. */
export const DROP_NAME = "Drop";

const WITH_ADDRESS = /^(\S+) \[[^\]]*\]:\d+$/;
const WITH_PORT = /^(.+):\d+$/;

/** `remote`: "mx.example.net [192.0.2.1]:25", "192.0.2.1:25", a domain or the path of a socket, which is no such name. */
export function mtaName(remote: string): string | undefined {
  const host = (WITH_ADDRESS.exec(remote) ?? WITH_PORT.exec(remote))?.[1] ?? remote;
  if (isIPv4(host)) return `[${host}]`;
  if (isIPv6(host)) return `[IPv6:${host}]`;
  return /[\s/\\]/.test(host) ? undefined : host;
}
