// Configurations that the end-to-end tests share, in the words of onarrival.yaml.

export interface ServerChoices {
  readonly smartHostPort?: number;
  readonly localDomains?: readonly string[];
  /** Further keys of the virtual server. */
  readonly server?: Record<string, unknown>;
  readonly delivery?: Record<string, unknown>;
  readonly bindings?: readonly Record<string, unknown>[];
  /** Further keys of the file. */
  readonly file?: Record<string, unknown>;
}

/** One virtual server that relays for loopback: to the smart host when a port is given, else everything to Drop. */
export function serviceConfig(choices: ServerChoices = {}): Record<string, unknown> {
  const smartHost =
    choices.smartHostPort === undefined ? {} : { smartHost: `127.0.0.1:${choices.smartHostPort}` };
  const delivery = { ...smartHost, ...choices.delivery };
  return {
    virtualServers: [
      {
        name: "default",
        domains: { local: choices.localDomains ?? ["localhost"] },
        relay: { networks: ["127.0.0.0/8"] },
        ...(Object.keys(delivery).length > 0 ? { delivery } : {}),
        ...choices.server,
      },
    ],
    ...(choices.bindings === undefined ? {} : { bindings: choices.bindings }),
    ...choices.file,
  };
}
