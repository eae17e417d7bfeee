// The sink OnArrival.Authenticate as the configuration wants it. Its library is loaded when a binding names it.
import { loadVerifier } from "../../authentication/verification.ts";
import type { Config } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import type { AnyNativeSink } from "../../events/sink.ts";
import { createAuthenticateSink } from "../../sinks/authenticate.ts";
import { createLookup } from "../next-hops/dns.ts";
import { AUTHENTICATE_CLASS } from "../bindings/native-sinks.ts";
import { hostNameOf } from "../settings.ts";

/** Sinks by class name in lower case. */
export async function authenticateSinks(
  config: Config,
  clock: Clock,
): Promise<Readonly<Record<string, AnyNativeSink>>> {
  const isBound = config.bindings.some(({ sinkClass }) => sinkClass.toLowerCase() === AUTHENTICATE_CLASS);
  if (!isBound) return {};
  const names = new Map(config.virtualServers.map((server) => [server.name, hostNameOf(server)]));
  const verify = await loadVerifier(createLookup(config.dns, clock), clock);
  // The virtual server of the message may be gone: its own name then stands for its host name.
  const hostNameOfServer = (server: string): string => names.get(server) ?? server;
  return { [AUTHENTICATE_CLASS]: createAuthenticateSink({ verify, hostNameOf: hostNameOfServer }) };
}
