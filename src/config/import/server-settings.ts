// What one virtual server of an old metabase becomes: its properties one by one; its route, its masquerade, its limits of connections
// and its domains each as a whole.
import { type OldDomain, type OldServer, valueOf } from "./old-metabase.ts";
import { TOGETHER, meaningOf } from "./setting-map.ts";
import { type NewSetting, UNLIMITED, isTrue, numberOf, setting } from "./setting-readers.ts";

export interface TakenSetting extends NewSetting {
  /** The property that it comes from. */
  readonly from: string;
}

export interface LeftProperty {
  readonly name: string;
  readonly why: string;
}

export interface ServerMeaning {
  /** What people called it. */
  readonly comment: string | undefined;
  readonly settings: readonly TakenSetting[];
  readonly left: readonly LeftProperty[];
  /** Names of properties that are not of a mail service. */
  readonly unknown: readonly string[];
}

export function meaningOfServer(server: OldServer): ServerMeaning {
  const settings: TakenSetting[] = [];
  const left: LeftProperty[] = [];
  const unknown: string[] = [];
  for (const [name, value] of server.settings) {
    if (name.toLowerCase() === "servercomment") continue;
    const meaning = meaningOf(name, value);
    if (meaning === TOGETHER) continue;
    if (meaning === undefined) unknown.push(name);
    else if (typeof meaning === "string") left.push({ name, why: meaning });
    else settings.push(...meaning.map((one) => ({ ...one, from: name })));
  }
  for (const part of [routeOf(server), masqueradeOf(server), connectionsOf(server), domainsOf(server)]) {
    settings.push(...part.settings);
    left.push(...part.left);
  }
  return { comment: valueOf(server.settings, "ServerComment"), settings, left, unknown };
}

type Part = Pick<ServerMeaning, "settings" | "left">;

const taken = (from: string, key: string, value: unknown): TakenSetting => ({ ...setting(key, value), from });

/** The original asked DNS where no smart host was set; here a server without a route delivers all to Drop. */
function routeOf({ settings }: OldServer): Part {
  const host = valueOf(settings, "SmartHost")?.trim() ?? "";
  const kind = (valueOf(settings, "SmartHostType") ?? "2").trim();
  if (host === "" || kind === "0")
    return { settings: [taken("no SmartHost", "delivery.mx", true)], left: [] };
  const direct = kind === "1" ? [taken("SmartHostType", "delivery.directFirst", true)] : [];
  return { settings: [taken("SmartHost", "delivery.smartHost", host), ...direct], left: [] };
}

function masqueradeOf({ settings }: OldServer): Part {
  const domain = valueOf(settings, "MasqueradeDomain")?.trim() ?? "";
  const isOn = isTrue(valueOf(settings, "DoMasquerade") ?? "");
  if (domain === "") return { settings: [], left: [] };
  return isOn
    ? { settings: [taken("MasqueradeDomain", "delivery.masqueradeDomain", domain)], left: [] }
    : { settings: [], left: [{ name: "MasqueradeDomain", why: "DoMasquerade is off" }] };
}

/** MaxOutConnections only counts where LimitRemoteConnections says so, and neither has to be written. */
function connectionsOf({ settings }: OldServer): Part {
  const most = valueOf(settings, "MaxOutConnections");
  if (most === undefined) return { settings: [], left: [] };
  const isLimited = isTrue(valueOf(settings, "LimitRemoteConnections") ?? "true");
  const count = numberOf(most);
  if (!isLimited || UNLIMITED.has(most.trim().toLowerCase()))
    return { settings: [taken("LimitRemoteConnections", "outbound.maxConnections", 0)], left: [] };
  return count === undefined
    ? { settings: [], left: [{ name: "MaxOutConnections", why: `"${most}" is no number` }] }
    : { settings: [taken("MaxOutConnections", "outbound.maxConnections", count)], left: [] };
}

/** Bits of RouteAction. */
const ROUTE = {
  drop: 0x1,
  smartHost: 0x2,
  tls: 0x4,
  alias: 0x10,
  deliver: 0x20,
  default: 0x40,
  relay: 0x1000,
} as const;
const LOCAL = ROUTE.drop | ROUTE.alias | ROUTE.deliver | ROUTE.default;
/** What this program has no counterpart to, or what needs a person: passwords, ETRN, TURN. */
const KNOWN_BITS = LOCAL | ROUTE.smartHost | ROUTE.tls | ROUTE.relay;

function domainsOf({ settings, domains }: OldServer): Part {
  const standard = valueOf(settings, "DefaultDomain")?.trim().toLowerCase() ?? "";
  const read = domains.map((domain) => ({
    ...domain,
    name: domain.name.toLowerCase(),
    bits: bitsOf(domain),
  }));
  const ours = read.filter(({ bits }) => bits !== undefined && (bits & LOCAL) !== 0);
  const isAlias = ({ name, bits = 0 }: (typeof read)[number]): boolean =>
    (bits & ROUTE.alias) !== 0 && name !== standard;
  const alias = ours.filter(isAlias).map(({ name }) => name);
  const others = ours.filter((domain) => !isAlias(domain)).map(({ name }) => name);
  const local = [...new Set([standard, ...others])].filter((name) => name !== "");
  const remote = read.filter(({ name }) => !local.includes(name) && !alias.includes(name));
  return {
    settings: [
      ...(local.length === 0 ? [] : [taken("DefaultDomain and domains", "domains.local", local)]),
      ...(alias.length === 0 ? [] : [taken("alias domains", "domains.alias", alias)]),
      ...(remote.length === 0 ? [] : [taken("remote domains", "domains.remote", remote.map(remoteDomain))]),
    ],
    left: remote.flatMap(leftOf),
  };
}

const bitsOf = ({ routeAction }: OldDomain): number | undefined => numberOf(routeAction ?? "");

interface ReadDomain extends OldDomain {
  readonly bits: number | undefined;
}

function remoteDomain({ name, bits = 0, smartHost = "" }: ReadDomain): Record<string, unknown> {
  return {
    name,
    ...((bits & ROUTE.relay) === 0 ? {} : { relay: true }),
    ...((bits & ROUTE.smartHost) === 0 || smartHost.trim() === "" ? {} : { smartHost: smartHost.trim() }),
    ...((bits & ROUTE.tls) === 0 ? {} : { startTls: "required" }),
  };
}

function leftOf({ name, bits, routeAction, smartHost = "" }: ReadDomain): LeftProperty[] {
  const what = `Domain ${name}`;
  if (bits === undefined)
    return [
      {
        name: what,
        why: `its route (RouteAction ${routeAction ?? "absent"}) is not known: see domains.remote`,
      },
    ];
  if ((bits & ROUTE.smartHost) !== 0 && smartHost.trim() === "")
    return [{ name: what, why: "its smart host is missing: see domains.remote[].smartHost" }];
  const more = bits & ~KNOWN_BITS;
  return more === 0
    ? []
    : [
        {
          name: what,
          why: `of its route (RouteAction ${routeAction ?? ""}) the bits 0x${more.toString(16)} are left: passwords and ETRN are set by hand in domains.remote[].auth and etrn; TURN is not served, ETRN takes its place`,
        },
      ];
}
