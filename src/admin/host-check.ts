// Under which names the admin listener answers. A page of a stranger that a browser on this machine shows can let its own name lead to
// 127.0.0.1 (DNS rebinding), and then read what is answered to that name: to the browser it is the page's own host.
import { isLoopback } from "../config/observe-schema.ts";

export interface AnsweredHosts {
  /** As the listener was given it: a name, or an address without brackets. */
  readonly host: string;
  /** Further names. */
  readonly hosts: readonly string[];
}

/** `localAddress`: where the connection arrived; of a listener on all addresses that is one of many. */
export function isAnswered(
  header: string | undefined,
  { host, hosts }: AnsweredHosts,
  localAddress: string | undefined,
): boolean {
  // HTTP/1.0, as simple probes speak it: no browser does.
  if (header === undefined) return true;
  const named = hostOf(header);
  if (named === undefined) return false;
  return (
    isLoopback(named) ||
    named === localAddress?.replace(/^::ffff:/, "") ||
    [host, ...hosts].some((known) => known.toLowerCase() === named)
  );
}

/** RFC 9110 §7.2: name or address, without the port. */
function hostOf(header: string): string | undefined {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([^\s:[\]]+))(?::\d*)?$/i.exec(header) ?? [];
  return (address ?? name)?.toLowerCase().replace(/\.$/, "");
}
