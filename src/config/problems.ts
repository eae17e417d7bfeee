// Says what is wrong with a configuration file, one line per problem, with line and column of the key in question.
import { isMap, isNode, isScalar, isSeq, type Document, type LineCounter, visit } from "yaml";
import type { z } from "zod";
import { suggest } from "./suggest.ts";

type Path = readonly PropertyKey[];

/** How many right places are named for a key in the wrong place. */
const MOST_HOMES = 3;
const OF_A_SERVER = "virtualServers[].";

/** Says where a setting stands, as "onarrival.yaml:12:5 bindings[0].sinkProperties", to begin a problem with. */
export type PlaceOf = (path: readonly PropertyKey[]) => string;

/** A file with what it says. */
export interface Source {
  readonly name: string;
  readonly document: Document.Parsed | Document;
  readonly lines: LineCounter;
}

interface Position {
  readonly line: number;
  readonly col: number;
}

export function formatPath(path: Path): string {
  let text = "";
  for (const step of path)
    text += typeof step === "number" ? `[${step}]` : `${text === "" ? "" : "."}${String(step)}`;
  return text;
}

/** Where the key of the path starts, else its value, else the nearest part of the path that is in the file. */
function position(source: Source, path: Path): Position | undefined {
  let value: unknown = source.document.contents;
  let offset = startOf(value);
  for (const [index, step] of path.entries()) {
    if (isMap(value)) {
      const pair = value.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      value = pair.value;
      // A wrong scalar is blamed where it stands, all else at its key.
      const blamed = isScalar(value) && index === path.length - 1 && value.range ? value : pair.key;
      offset = startOf(blamed) ?? offset;
    } else if (isSeq(value) && typeof step === "number") {
      value = value.items[step];
      offset = startOf(value) ?? offset;
    } else {
      break;
    }
  }
  return offset === undefined ? undefined : source.lines.linePos(offset);
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);

/** The same, always at the key: for keys that should not be there. */
function keyPosition(source: Source, path: Path): Position | undefined {
  const parent: unknown = source.document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(path.at(-1)))
    : undefined;
  const offset = startOf(pair?.key);
  return offset === undefined ? position(source, path) : source.lines.linePos(offset);
}

function where(source: Source, at: Position | undefined): string {
  return at === undefined || at.line === 0 ? `${source.name} ` : `${source.name}:${at.line}:${at.col} `;
}

export const describePlace = (source: Source, path: Path): string =>
  `${where(source, position(source, path))}${formatPath(path) || "file"}`;

/** Keys that the schema knows at this path. */
function knownKeys(schema: z.core.JSONSchema.JSONSchema, path: Path): string[] {
  let node: z.core.JSONSchema.JSONSchema | undefined = schema;
  for (const step of path) {
    const next: unknown =
      typeof step === "number"
        ? node?.items
        : (node?.properties?.[String(step)] ?? node?.additionalProperties);
    node = isSchema(next) ? next : undefined;
  }
  return Object.keys(node?.properties ?? {});
}

/** Where a key that is written in the wrong place is at home. */
function elsewhere(key: string, schema: z.core.JSONSchema.JSONSchema): string | undefined {
  const found = new Set(homesOf(key, schema, ""));
  // What servers inherit is shown once.
  const homes = [...found].filter(
    (home) => !(home.startsWith(OF_A_SERVER) && found.has(home.slice(OF_A_SERVER.length))),
  );
  const nearest = homes.toSorted((left, right) => depthOf(left) - depthOf(right)).slice(0, MOST_HOMES);
  return nearest.length === 0 ? undefined : nearest.join('" or "');
}

const depthOf = (home: string): number => home.split(".").length;

function* homesOf(key: string, node: unknown, place: string): Generator<string> {
  if (!isSchema(node)) return;
  const { properties = {}, items, anyOf = [] } = node;
  const names = Object.keys(properties);
  const near = suggest(key, names);
  const prefix = place === "" ? "" : `${place}.`;
  if (near !== undefined) yield prefix + near;
  for (const name of names) yield* homesOf(key, properties[name], prefix + name);
  yield* homesOf(key, items, `${place}[]`);
  for (const one of anyOf) yield* homesOf(key, one, place);
}

const isSchema = (value: unknown): value is z.core.JSONSchema.JSONSchema =>
  typeof value === "object" && value !== null;

/** One line per problem of the checked value. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: () => z.core.JSONSchema.JSONSchema,
  source: Source,
): string[] {
  const lines: string[] = [];
  let made: z.core.JSONSchema.JSONSchema | undefined;
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys((made ??= schema()), issue.path);
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        const near = suggest(key, known) ?? elsewhere(key, made);
        const hint = near === undefined ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`;
        lines.push(`${where(source, keyPosition(source, path))}${formatPath(path)}: unknown key (${hint})`);
      }
    } else {
      lines.push(`${describePlace(source, issue.path)}: ${issue.message}`);
    }
  }
  return lines;
}

/** Names of events and the like stay as they are. */
const lowerFirst = (text: string): string =>
  /^[A-Z][a-z]* /.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/** What the YAML parser found, one line each. */
export function describeSyntax(
  source: Source,
  errors: readonly { readonly pos: readonly [number, number]; readonly message: string }[],
): string[] {
  return errors.map((error) => {
    const first = (error.message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
    return `${where(source, source.lines.linePos(error.pos[0]))}${lowerFirst(first)}`;
  });
}

/** Aliases that stand for nothing, which the parser finds only when it resolves them, and then without their place. */
export function describeLoneAliases(source: Source): string[] {
  const anchors = new Set<string>();
  const lines: string[] = [];
  visit(source.document, {
    Value: (_, { anchor }) => {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias: (_, alias) => {
      const { source: name, range } = alias;
      if (anchors.has(name)) return;
      const at = range ? source.lines.linePos(range[0]) : undefined;
      lines.push(
        `${where(source, at)}*${name}: an alias without its anchor: no &${name} stands before it (a text that begins with * stands in quotes)`,
      );
    },
  });
  return lines;
}
