// What one virtual server of an old metabase becomes: its properties one by one, its route and its domains as a whole.
import type { OldDomain, OldServer } from "./old-metabase.ts";
import { valueOf } from "./old-metabase.ts";
import { type NewSetting, meaningOf } from "./setting-map.ts";

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

const TOGETHER = new Set(["smarthost", "smarthosttype", "defaultdomain", "servercomment"]);

export function meaningOfServer(server: OldServer): ServerMeaning {
  const settings: TakenSetting[] = [];
  const left: LeftProperty[] = [];
  const unknown: string[] = [];
  for (const [name, value] of server.settings) {
    if (TOGETHER.has(name.toLowerCase())) continue;
    const meaning = meaningOf(name, value);
    if (meaning === undefined) unknown.push(name);
    else if (typeof meaning === "string") left.push({ name, why: meaning });
    else settings.push(...meaning.map((setting) => ({ ...setting, from: name })));
  }
  const route = routeOf(server);
  const domains = domainsOf(server);
  return {
    comment: valueOf(server.settings, "ServerComment"),
    settings: [...settings, ...route.settings, ...domains.settings],
    left: [...left, ...route.left, ...domains.left],
    unknown,
  };
}

type Part = Pick<ServerMeaning, "settings" | "left">;

/** The original asked DNS where no smart host was set; here a server without a route delivers all to Drop. */
function routeOf({ settings }: OldServer): Part {
  const host = valueOf(settings, "SmartHost")?.trim() ?? "";
  const kind = (valueOf(settings, "SmartHostType") ?? "2").trim();
  if (host === "" || kind === "0")
    return { settings: [{ path: ["delivery", "mx"], value: true, from: "no SmartHost" }], left: [] };
  const why = "direct delivery is not tried before the smart host";
  return {
    settings: [{ path: ["delivery", "smartHost"], value: host, from: "SmartHost" }],
    left: kind === "1" ? [{ name: "SmartHostType", why }] : [],
  };
}

/** RouteAction of domains whose mail goes to the Drop folder. */
const DROP_BIT = 16;

function domainsOf({ settings, domains }: OldServer): Part {
  const standard = valueOf(settings, "DefaultDomain")?.trim() ?? "";
  const local = domains.filter((domain) => isLocal(domain)).map(({ name }) => name);
  const all = [
    ...new Set([standard, ...local].filter((name) => name !== "").map((name) => name.toLowerCase())),
  ];
  const from = local.length === 0 ? "DefaultDomain" : "DefaultDomain and the local domains";
  return {
    settings: all.length === 0 ? [] : [{ path: ["domains", "local"], value: all, from }],
    left: domains
      .filter((domain) => !isLocal(domain))
      .map(({ name, routeAction }) => ({
        name: `Domain ${name}`,
        why: `its route (RouteAction ${routeAction ?? "absent"}) has to be chosen: domains.local, relay.networks or delivery`,
      })),
  };
}

const isLocal = ({ routeAction }: OldDomain): boolean =>
  /^\d{1,9}$/.test(routeAction ?? "") && (Number(routeAction) & DROP_BIT) !== 0;
