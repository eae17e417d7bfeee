// Settings that virtual servers inherit (REFERENCE 6): almost every key of a virtual server may stand at the top of the file, for
// the service as a whole. A server overrides it key by key, lists as a whole; `null` takes an inherited key away.
import { z } from "zod";
import { configSchema } from "./schema.ts";
import { virtualServerSchema } from "./server-schema.ts";
import { wording } from "./wording.ts";

type Issue = z.core.$ZodIssue;
type Entries = Readonly<Record<string, unknown>>;
type JsonSchema = z.core.JSONSchema.JSONSchema;

const SERVERS = "virtualServers";
/** They say which virtual server it is and where its files are; its mailroot is excepted too, because the service has one of its own. */
const OWN_KEYS: readonly string[] = ["name", "listen", "folders", ...Object.keys(configSchema.shape)];

export const INHERITED_KEYS: readonly string[] = Object.keys(virtualServerSchema.shape).filter(
  (key) => !OWN_KEYS.includes(key),
);

/** Settings of a virtual server that single domains may override, and the key that does it. */
export const DOMAIN_KEYS: Readonly<Record<string, string>> = {
  "delivery.smartHost": "domains.remote[].smartHost",
  "delivery.mx": "domains.remote[].mx",
  "delivery.port": "domains.remote[].port",
  "delivery.auth": "domains.remote[].auth",
  "delivery.startTls": "delivery.destinations[].tls",
  "delivery.chunking": "delivery.destinations[].chunking",
  "outbound.maxConnectionsPerDestination": "delivery.destinations[].maxConnections",
  "outbound.messagesPerConnection": "delivery.destinations[].messagesPerConnection",
};

const isEntries = (value: unknown): value is Entries =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The content of a file as if each virtual server said everything itself. */
export function inherit(file: unknown): unknown {
  const inherited = inheritedOf(file);
  if (!isEntries(file) || inherited === undefined) return file;
  const own = Object.entries(file).filter(([key]) => !INHERITED_KEYS.includes(key));
  const servers: unknown = file[SERVERS] === undefined ? [{}] : file[SERVERS];
  const merged: unknown = Array.isArray(servers)
    ? servers.map((server: unknown) => (isEntries(server) ? merge(inherited, server) : server))
    : servers;
  return Object.fromEntries([...own, [SERVERS, merged]]);
}

function inheritedOf(file: unknown): Entries | undefined {
  if (!isEntries(file)) return undefined;
  const entries = Object.entries(file).filter(([key]) => INHERITED_KEYS.includes(key));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function merge(inherited: Entries, own: Entries): Entries {
  const merged = new Map(Object.entries(inherited));
  for (const [key, value] of Object.entries(own)) {
    const above = merged.get(key);
    if (value === null && above !== undefined) merged.delete(key);
    else merged.set(key, isEntries(above) && isEntries(value) ? merge(above, value) : value);
  }
  return Object.fromEntries(merged);
}

/** Of the inherited keys themselves: every server may override a wrong one, and it is wrong all the same. */
export function checkInherited(file: unknown): Issue[] {
  return Object.entries(inheritedOf(file) ?? {}).flatMap(([key, value]) => {
    const schema = Object.entries(virtualServerSchema.shape).find(([known]) => known === key)?.[1];
    const issues = schema?.safeParse(value, { error: wording }).error?.issues ?? [];
    return issues.map((issue) => ({ ...issue, path: [key, ...issue.path] }));
  });
}

/** Puts each issue of a virtual server to the place in the file that it comes from. */
export function placeIssues(issues: readonly Issue[], file: unknown): Issue[] {
  return issues.flatMap((issue): Issue[] => {
    if (issue.code !== "unrecognized_keys") return [{ ...issue, path: origin(issue.path, file) }];
    return issue.keys.map((key) => ({
      ...issue,
      keys: [key],
      path: origin([...issue.path, key], file).slice(0, -1),
    }));
  });
}

/** Where the file says it: at the server itself or, where the server inherits, at the top. The longer match counts. */
export function origin(path: readonly PropertyKey[], file: unknown): PropertyKey[] {
  const [first, index, ...rest] = path;
  if (first !== SERVERS || index === undefined || !INHERITED_KEYS.includes(String(rest[0]))) return [...path];
  const own =
    isEntries(file) && Array.isArray(file[SERVERS]) ? depth(file[SERVERS], [index, ...rest]) - 1 : 0;
  return own < depth(file, rest) ? rest : [...path];
}

/** How many steps of the path exist in the value. */
function depth(value: unknown, path: readonly PropertyKey[]): number {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== "object" || value === null || !Object.hasOwn(value, step))
    return 0;
  const child: unknown = Reflect.get(value, step);
  return 1 + depth(child, rest);
}

/** What a file may hold: the schema of all settings, its inherited keys at the top as well. */
export function fileSchema(settings: JsonSchema): JsonSchema {
  const servers = settings.properties?.[SERVERS];
  const items = typeof servers === "object" ? servers.items : undefined;
  const server = typeof items === "object" && !Array.isArray(items) ? (items.properties ?? {}) : {};
  const inherited = Object.entries(server).filter(([key]) => INHERITED_KEYS.includes(key));
  return { ...settings, properties: { ...settings.properties, ...Object.fromEntries(inherited) } };
}

export const knownSchema = (): JsonSchema => fileSchema(z.toJSONSchema(configSchema, { io: "input" }));
