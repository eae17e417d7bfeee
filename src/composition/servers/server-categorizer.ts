// The categorizer of a virtual server as sinks of protocol events see it in their server (REFERENCE 3.1, server property ids 2 to 12).
import type { VirtualServerSettings } from "../../config/schema.ts";
import type { ServerCategorizer } from "../../events/contexts/protocol-contexts.ts";

/** Undefined where none is configured. */
export function describeCategorizer({
  categorizer,
}: Pick<VirtualServerSettings, "categorizer">): ServerCategorizer | undefined {
  if (categorizer === undefined) return undefined;
  const { ldap, file } = categorizer;
  if (ldap === undefined) return { dsType: file === undefined ? undefined : "file" };
  const url = ldap.servers[0] === undefined ? undefined : new URL(ldap.servers[0]);
  return {
    dsType: "ldap",
    dsHost: url?.hostname,
    port: url && portOf(url),
    bindType: ldap.bind === undefined ? "anonymous" : "simple",
    user: ldap.bind?.dn,
    namingContext: ldap.base,
  };
}

/** RFC 4516 §2: 389 unless the URL says otherwise, 636 for TLS from the first byte. */
const portOf = ({ port, protocol }: URL): number =>
  port === "" ? (protocol === "ldaps:" ? 636 : 389) : Number(port);
