// What a configuration means for each virtual server, made whole before anything is changed: it may fail, taking it over may not.
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import { type ServerFolders, serverFolders } from "../../config/server-folders.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Firings } from "../../events/firings.ts";
import type { SmtpServerSettings } from "../../smtp/server/settings.ts";
import { createRetryPolicy } from "../../transport/retry-policy.ts";
import type { LiveTransportSettings } from "../../transport/transport.ts";
import type { Categorizers } from "./categorizer.ts";
import { createServerMxLookup } from "../next-hops/dns.ts";
import { waysOf } from "../next-hops/next-hop-ways.ts";
import type { Observation } from "../observation/observation.ts";
import type { ProtocolSinks } from "../bindings/protocol-sinks.ts";
import type { OutboundBudgets } from "../next-hops/outbound-budgets.ts";
import { createRemoteCouriers } from "../next-hops/remote-couriers.ts";
import { certificateWarning } from "./server-files.ts";
import { placesOfServer } from "./server-places.ts";
import { hostNameOf, masqueradeOf, retrySettings, routerSettings, smtpServerSettings } from "../settings.ts";
import { type Signers, loadSigners } from "../next-hops/signing.ts";
import type { TransportSinks } from "../bindings/transport-sinks.ts";

export interface ServerPlan {
  readonly settings: VirtualServerSettings;
  readonly folders: ServerFolders;
  readonly store: Config["store"];
  readonly smtp: SmtpServerSettings;
  readonly live: LiveTransportSettings;
}

export interface PlanParts {
  readonly categorizers: Categorizers;
  readonly protocolSinks: ProtocolSinks;
  readonly transportSinks: TransportSinks;
  readonly firings: Firings;
  readonly observation: Observation;
  readonly budgets: OutboundBudgets;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The plans of all virtual servers, or of the one named `only`. */
export async function planServers(config: Config, parts: PlanParts, only?: string): Promise<ServerPlan[]> {
  const wanted = config.virtualServers.filter(({ name }) => only === undefined || name === only);
  const signers = await loadSigners(config, parts.clock, parts.log);
  const inbound = await Promise.all(
    wanted.map(async (settings) => {
      const placeOf = placesOfServer(config, settings);
      const smtp = await smtpServerSettings(settings, placeOf);
      const problem = certificateWarning(settings, smtp.tls, placeOf, parts.clock.now());
      if (problem !== undefined)
        parts.log.warn({ problem }, "clients that look at the certificate refuse it");
      return { settings, smtp };
    }),
  );
  // What is made here has to be closed when the plan comes to nothing: nothing more may fail in between.
  return inbound.map(({ settings, smtp }) => ({
    settings,
    folders: serverFolders(config, settings),
    store: config.store,
    smtp,
    live: liveSettings(config, settings, signers, parts),
  }));
}

function liveSettings(
  config: Config,
  server: VirtualServerSettings,
  signers: Signers | undefined,
  { categorizers, protocolSinks, transportSinks, firings, observation, budgets, clock, log }: PlanParts,
): LiveTransportSettings {
  const flagsOf = transportSinks.domainFlags(server, firings).of;
  return {
    router: { ...routerSettings(server), flagsOf },
    retry: createRetryPolicy(retrySettings(server)),
    categorizer: categorizers.of(config, server),
    reports: {
      ...server.reports,
      reportingMta: hostNameOf(server),
      masquerade: masqueradeOf(server),
    },
    remoteCourier: createRemoteCouriers(server, {
      lookup: createServerMxLookup(server, config.dns, clock, (dns) =>
        transportSinks.resolver(dns, server, firings),
      ),
      protocol: protocolSinks.outbound(server),
      sign: signers?.out,
      wireLog: observation.protocolLog(server),
      flagsOf,
      budget: budgets.of(server),
      clock,
      log,
    }),
    wayOf: waysOf(config, server),
    signLocal: signers?.drop,
  };
}
