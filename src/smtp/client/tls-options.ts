// A TLS policy as node:tls wants it, and whether the host at the other end is the one meant.
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate, type TLSSocket } from "node:tls";
import type { TlsPolicy } from "./destination.ts";

export function tlsOptions(policy: TlsPolicy, host: string): ConnectionOptions {
  const { names, pins } = policy;
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(policy.authorities === undefined ? {} : { ca: policy.authorities }),
    ...(policy.minVersion === undefined ? {} : { minVersion: policy.minVersion }),
    ...(names === undefined ? {} : { checkServerIdentity: (_host, shown) => checkNames(names, shown) }),
    // A pinned certificate may be of nobody's making: identityProblem() looks at it.
    rejectUnauthorized: policy.verify && pins === undefined,
  };
}

/** Where the route says who is meant, the host's own name counts for nothing: DNS may have been forged. */
function checkNames(names: readonly string[], shown: PeerCertificate): Error | undefined {
  const problems = names.map((name) => checkServerIdentity(name, shown));
  return problems.includes(undefined) ? undefined : problems[0];
}

/** What speaks against the host after the negotiation; undefined: it is proven to be the one meant. */
export function identityProblem(socket: TLSSocket, policy: TlsPolicy): string | undefined {
  const { pins } = policy;
  if (pins === undefined)
    return socket.authorized
      ? undefined
      : String(socket.authorizationError ?? "the certificate is not trusted");
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return "the host shows no certificate";
  const shown = [certificate.raw, certificate.publicKey.export({ type: "spki", format: "der" })].map((der) =>
    createHash("sha256").update(der).digest("hex"),
  );
  return shown.some((fingerprint) => pins.includes(fingerprint))
    ? undefined
    : "neither the certificate nor its public key is pinned";
}
