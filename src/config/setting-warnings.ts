// Settings that are valid and have no effect, because another one stands against them: an extension is configured whose keyword is
// switched off, or listed without what it needs. For `onarrival check` and the log of the service.
import { meansDestination } from "./destination-names.ts";
import type { Config, VirtualServerSettings } from "./schema.ts";
import { parseNextHop } from "./values.ts";

interface Warning {
  /** Below the virtual server. */
  readonly path: readonly (string | number)[];
  readonly why: string;
}

/** One line for each, with its place in the file. */
export function settingWarnings({ virtualServers, bindings, placeOf }: Config): string[] {
  const hasSinks = (name: string, wanted: string): boolean =>
    bindings.some(
      ({ event, enabled, server }) =>
        event === wanted && enabled !== false && (server === undefined || server === name),
    );
  const lines = virtualServers.flatMap((server, index) => {
    const found = [
      ...etrn(server, hasSinks(server.name, "GetAuxDomainInfoFlags")),
      ...authentication(server),
      ...tls(server),
      ...sizes(server),
      ...chunks(server),
      // Routers send mail wherever they want.
      ...(hasSinks(server.name, "OnGetMessageRouter") ? [] : unmet(server)),
    ];
    return found.map(({ path, why }) => `${placeOf(["virtualServers", index, ...path])}: ${why}`);
  });
  // What servers inherit is told once.
  return [...new Set(lines)];
}

/** `hasFlagSinks`: sinks may name further domains for ETRN (GetAuxDomainInfoFlags). */
function* etrn(server: VirtualServerSettings, hasFlagSinks: boolean): Generator<Warning> {
  const { keywords, domains } = server;
  yield* dropped(server);
  const waiting = domains.remote.findIndex((domain) => domain.etrn);
  if (keywords.includes("ETRN")) {
    if (waiting < 0 && domains.etrn.length === 0 && !hasFlagSinks)
      yield {
        path: ["keywords", keywords.indexOf("ETRN")],
        why: "ETRN is listed, and no domain may ask by it: name them in domains.etrn, or give those of domains.remote `etrn: true`",
      };
    return;
  }
  const remedy = "keywords does not list ETRN, so the command is refused";
  if (waiting >= 0)
    yield {
      path: ["domains", "remote", waiting, "etrn"],
      why: `${remedy}: mail of the domain leaves by \`onarrival queue retry\` only`,
    };
  if (domains.etrn.length > 0) yield { path: ["domains", "etrn"], why: remedy };
}

/** Where nothing leaves the machine, nothing waits to be fetched either. */
function* dropped({ domains, delivery }: VirtualServerSettings): Generator<Warning> {
  if (delivery.mx || delivery.directFirst || delivery.smartHost !== undefined) return;
  const at = domains.remote.findIndex(
    ({ etrn: waits, mx, smartHost }) => waits && !mx && smartHost === undefined,
  );
  if (at >= 0)
    yield {
      path: ["domains", "remote", at, "etrn"],
      why: "mail of the domain goes to Drop at once, as delivery names no other way: give the domain mx or smartHost, or set delivery.mx or delivery.smartHost",
    };
}

function* authentication(server: VirtualServerSettings): Generator<Warning> {
  const { auth, keywords } = server;
  const known = auth.users.length > 0 ? "users" : auth.accessTokens && "accessTokens";
  const nobody = auth.anonymous ? "" : ", and auth.anonymous is false: no mail is taken";
  if (known === undefined) {
    if (!auth.anonymous)
      yield {
        path: ["auth", "anonymous"],
        why: "mail is taken from users only, and neither auth.users nor auth.accessTokens names any",
      };
  } else if (!keywords.includes("AUTH")) {
    yield { path: ["auth", known], why: `keywords does not list AUTH, so nobody can authenticate${nobody}` };
  } else if (!auth.allowPlaintext && !canSecure(server)) {
    const why = `AUTH is offered inside TLS only, and there is none: set tls, or auth.allowPlaintext${nobody}`;
    yield { path: ["auth", known], why };
  }
}

/** Whether a client can come to TLS at all. */
const canSecure = ({ tls: settings, keywords }: VirtualServerSettings): boolean =>
  settings !== undefined && (keywords.includes("STARTTLS") || settings.implicit.length > 0);

function* tls(server: VirtualServerSettings): Generator<Warning> {
  const { tls: settings, keywords, listen } = server;
  if (settings === undefined || keywords.includes("STARTTLS")) return;
  const open = listen.filter((address) => !settings.implicit.includes(address));
  if (settings.required && open.length > 0)
    yield {
      path: ["tls", "required"],
      why: `keywords does not list STARTTLS, so at ${open.join(", ")} no mail is taken`,
    };
  else if (!canSecure(server))
    yield {
      path: ["tls"],
      why: "keywords does not list STARTTLS, and no address of listen is in tls.implicit: there is no TLS",
    };
}

/** REFERENCE 6.3: who meets the limit of the session is not told that the message is too large, and tries again until it expires. */
function* sizes({ limits: { maxMessageSize, maxSessionSize } }: VirtualServerSettings): Generator<Warning> {
  if (maxSessionSize >= maxMessageSize) return;
  yield {
    path: ["limits", "maxMessageSize"],
    why: `limits.maxSessionSize is less (${maxSessionSize} bytes): a message between the two ends its connection with 421, and its sender tries again and again`,
  };
}

/** RFC 3030 §3: binary content travels in chunks. */
function* chunks({ keywords, outbound, delivery }: VirtualServerSettings): Generator<Warning> {
  for (const [path, list] of [
    [["keywords"], keywords],
    [["outbound", "keywords"], outbound.keywords],
  ] as const) {
    const binary = list.findIndex((keyword) => keyword === "BINARYMIME");
    const hasChunks = list.some((keyword) => keyword === "CHUNKING");
    if (binary >= 0 && !hasChunks)
      yield { path: [...path, binary], why: "BINARYMIME has no effect without CHUNKING" };
  }
  if (outbound.keywords.includes("CHUNKING")) return;
  const why = "outbound.keywords does not list CHUNKING, so no mail goes in chunks";
  if (delivery.chunking === "always") yield { path: ["delivery", "chunking"], why };
  const at = delivery.destinations.findIndex(({ chunking }) => chunking === "always");
  if (at >= 0) yield { path: ["delivery", "destinations", at, "chunking"], why };
}

/** What an entry asks for a domain whose mail goes to the smart host of all is asked of nobody, its TLS included. */
function* unmet({ delivery, domains }: VirtualServerSettings): Generator<Warning> {
  if (delivery.mx || delivery.directFirst) return;
  const ways = domains.remote.filter(({ mx, smartHost }) => mx || smartHost !== undefined);
  const hosts = [delivery.smartHost, delivery.lmtp, ...ways.map(({ smartHost }) => smartHost)];
  const names = [...ways.map(({ name }) => name), ...hosts.flatMap((host) => namesOf(host, delivery.port))];
  for (const [at, { to }] of delivery.destinations.entries()) {
    if (to === "*" || names.some((name) => meansDestination(to, name) || meansDestination(name, to)))
      continue;
    yield {
      path: ["delivery", "destinations", at, "to"],
      why: `no mail goes to ${to} itself, so the entry counts for none: name the smart host, or give the domain mx or smartHost in domains.remote`,
    };
  }
}

function namesOf(address: string | undefined, defaultPort: number): string[] {
  const hop = address === undefined ? undefined : parseNextHop(address, defaultPort);
  if (hop === undefined) return [];
  return hop.socketPath === undefined ? [hop.host, `${hop.host}:${hop.port}`] : [hop.socketPath];
}
