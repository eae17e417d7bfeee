// Reads the SMTP part of a MetaBase.xml: keys by Location, properties as attributes or as Custom elements (REFERENCE 5.2, 6).
import { OnArrivalError } from "../../core/errors.ts";
import {
  type OldBinding,
  type OldDomain,
  type OldMetabase,
  type OldServer,
  valueOf,
} from "./old-metabase.ts";
import { nameOfId } from "./setting-map.ts";
import { readXml } from "./xml-reader.ts";

/** A key below /LM/SmtpSvc. */
interface Key {
  /** Without LM and SmtpSvc. */
  readonly path: readonly string[];
  readonly properties: Map<string, string>;
}

type Properties = Map<string, string>;

export function readMetabaseXml(text: string): OldMetabase {
  const keys = readKeys(text);
  if (keys.length === 0)
    throw new OnArrivalError("IMPORT_INVALID", "it has no SMTP service: no Location begins with /LM/SmtpSvc");
  const service = keys.find(({ path }) => path.length === 0)?.properties ?? new Map<string, string>();
  return {
    servers: serversOf(keys, service).toSorted((a, b) => a.instance - b.instance),
    bindings: bindingsOf(keys),
  };
}

function readKeys(text: string): Key[] {
  const keys: Key[] = [];
  /** The key of each open element; that of a Custom element is the one around it. */
  const open: (Key | undefined)[] = [];
  readXml(text, {
    open(name, attributes) {
      const location = attributes.get("Location");
      const around = open.at(-1);
      if (location === undefined) {
        if (name === "Custom" && around !== undefined) addCustom(around.properties, attributes);
        open.push(around);
        return;
      }
      const key = keyOf(location, attributes);
      if (key !== undefined) keys.push(key);
      open.push(key);
    },
    close: () => void open.pop(),
  });
  return keys;
}

function keyOf(location: string, attributes: ReadonlyMap<string, string>): Key | undefined {
  const [machine, service, ...path] = location.split("/").filter((step) => step !== "");
  if (machine?.toUpperCase() !== "LM" || service?.toUpperCase() !== "SMTPSVC") return undefined;
  const properties = new Map(attributes);
  properties.delete("Location");
  return { path, properties };
}

/** A property that the schema of the metabase did not know when it was written has its number for a name. */
function addCustom(properties: Properties, attributes: ReadonlyMap<string, string>): void {
  const id = attributes.get("ID") ?? "";
  const name = attributes.get("Name") ?? `UnknownName_${id}`;
  const known = name === `UnknownName_${id}` ? nameOfId(Number(id)) : undefined;
  properties.set(known ?? name, attributes.get("Value") ?? "");
}

const INSTANCE = /^[1-9]\d{0,5}$/;

function serversOf(keys: readonly Key[], service: Properties): OldServer[] {
  const domains = new Map<string, OldDomain[]>();
  for (const { path, properties } of keys) {
    const [instance = "", kind, name] = path;
    if (path.length !== 3 || kind?.toLowerCase() !== "domain" || name === undefined) continue;
    const known = domains.get(instance) ?? [];
    const smartHost = valueOf(properties, "RouteActionString");
    known.push({ name, routeAction: valueOf(properties, "RouteAction"), smartHost });
    domains.set(instance, known);
  }
  return keys.flatMap(({ path: [instance = "", ...below], properties }): OldServer[] => {
    if (below.length > 0 || !INSTANCE.test(instance)) return [];
    const settings = new Map([...service, ...properties]);
    return [{ instance: Number(instance), settings, domains: domains.get(instance) ?? [] }];
  });
}

interface Draft {
  readonly instance: number;
  readonly event: string;
  readonly id: string;
  readonly own: Properties;
  readonly source: Properties;
  readonly sink: Properties;
}

/** n/EventManager/EventTypes/{event}/Bindings/{binding}, and the keys below: its bags, or single values as keys. */
function bindingsOf(keys: readonly Key[]): OldBinding[] {
  const drafts = new Map<string, Draft>();
  for (const { path, properties } of keys) {
    const [instance = "", manager, types, event, bindings, id, ...rest] = path;
    const words = [manager, types, bindings].map((word) => word?.toLowerCase()).join("/");
    if (words !== "eventmanager/eventtypes/bindings" || event === undefined || id === undefined) continue;
    if (!INSTANCE.test(instance)) continue;
    const name = path.slice(0, 6).join("/").toLowerCase();
    const draft = drafts.get(name) ?? {
      instance: Number(instance),
      event,
      id,
      own: new Map<string, string>(),
      source: new Map<string, string>(),
      sink: new Map<string, string>(),
    };
    drafts.set(name, draft);
    place(draft, rest, properties);
  }
  return [...drafts.values()].filter(({ own }) => own.size > 0).map(toBinding);
}

function place(draft: Draft, rest: readonly string[], properties: Properties): void {
  const [first, second] = rest;
  const bag = bagOf(draft, first);
  const name = bag === draft.own ? first : second;
  if (name === undefined) {
    for (const [key, value] of properties) bag.set(key, value);
    return;
  }
  // A key that stands for one property holds its value, under whatever name.
  const value = valueOf(properties, name) ?? [...properties.values()].at(0);
  if (value !== undefined) bag.set(name, value);
}

function bagOf(draft: Draft, step: string | undefined): Properties {
  if (step?.toLowerCase() === "sourceproperties") return draft.source;
  return step?.toLowerCase() === "sinkproperties" ? draft.sink : draft.own;
}

const toBinding = ({ instance, event, id, own, source, sink }: Draft): OldBinding => ({
  instance,
  event,
  id,
  displayName: valueOf(own, "DisplayName"),
  sinkClass: valueOf(own, "SinkClass") ?? "",
  enabled: !/^(?:false|0)$/i.test(valueOf(own, "Enabled") ?? ""),
  expiration: valueOf(own, "Expiration"),
  maxFirings: valueOf(own, "MaxFirings"),
  source,
  sink,
});
