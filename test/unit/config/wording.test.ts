import { expect, test } from "vitest";
import { Document, isSeq } from "yaml";
import { knownSchema } from "../../../src/config/inheritance.ts";
import { checkConfig } from "../../../src/config/load.ts";
import { describeError, OnArrivalError } from "../../../src/core/errors.ts";

type JsonSchema = ReturnType<typeof knownSchema>;
type Path = readonly (string | number)[];

interface Key {
  readonly path: Path;
  /** The kinds of values that it takes. */
  readonly types: readonly string[];
  readonly hasKeys: boolean;
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every key that a file may have, of lists the first entry. */
function* keysOf(schema: JsonSchema, path: Path = []): Generator<Key> {
  const children = Object.entries(schema.properties ?? {});
  const below: [string | number, unknown][] = isSchema(schema.items) ? [[0, schema.items]] : children;
  if (path.length > 0) yield { path, types: typesOf(schema), hasKeys: below.length > 0 };
  for (const [step, child] of below) if (isSchema(child)) yield* keysOf(child, [...path, step]);
}

function typesOf({ type, anyOf, enum: words, const: word }: JsonSchema): string[] {
  if (anyOf !== undefined) return anyOf.flatMap((one) => (isSchema(one) ? typesOf(one) : []));
  if (type === "integer") return ["number"];
  return type === undefined ? (words ?? [word]).map((value) => typeof value) : [type].flat();
}

/** Groups of which one file can hold all: none is above another one, and nothing in them is inherited. */
function groupsOf(keys: readonly Key[]): Key[][] {
  const groups = Map.groupBy(
    keys,
    ({ path, hasKeys }) => `${path[0] === "virtualServers"} ${hasKeys ? path.length : "leaf"}`,
  );
  return [...groups.values()];
}

function fileWith(keys: readonly Key[], value: unknown): string {
  const document = new Document({});
  for (const { path } of keys) {
    // setIn would make a map of the 0.
    for (const [index, step] of path.entries()) {
      const above = path.slice(0, index);
      if (step === 0 && !isSeq(document.getIn(above, true))) document.setIn(above, document.createNode([]));
    }
    document.setIn(path, document.createNode(value));
  }
  return document.toString();
}

const nameOf = (path: Path): string =>
  path.reduce<string>((text, step) => (step === 0 ? `${text}[0]` : `${text}.${step}`), "").slice(1);

function problemsOf(text: string): string[] {
  try {
    checkConfig(text, "onarrival.yaml");
    return [];
  } catch (thrown) {
    return thrown instanceof OnArrivalError
      ? thrown.message.split("\n")
      : [`thrown: ${describeError(thrown)}`];
  }
}

const SCHEMA_WORDS =
  /invalid|expected|received|too (?:big|small)|unrecognized|undefined|\bnull\b|\bNaN\b|[<>≥≤]=?\d/i;
const isPlain = (problem: string): boolean =>
  /^\S+\.yaml:\d+:\d+ [^ ]+: \S/.test(problem) && !SCHEMA_WORDS.test(problem);

const KEYS = [...keysOf(knownSchema())];

test.each<readonly [name: string, type: string, value: unknown]>([
  ["nothing", "null", null],
  ["true", "boolean", true],
  ["a fraction", "number", 12.5],
  ["a negative number", "number", -7],
  ["a huge number", "number", 1e300],
  [".inf", "number", Infinity],
  [".nan", "number", Number.NaN],
  ["an empty text", "string", ""],
  ["a text", "string", "zz zz"],
  ["an empty list", "array", []],
  ["a list of lists", "array", [[1]]],
  ["an empty map", "object", {}],
  ["a map", "object", { zzzz: 1 }],
])(
  "%s is refused by line and key in plain words at every key that does not take it",
  (_name, type, value) => {
    const wrong: string[] = [];
    for (const keys of groupsOf(KEYS)) {
      const problems = problemsOf(fileWith(keys, value));
      wrong.push(...problems.filter((problem) => !isPlain(problem)));
      const told = new Set(problems.map((problem) => problem.split(" ")[1]));
      const passed = keys.filter(({ path, types }) => !types.includes(type) && !told.has(`${nameOf(path)}:`));
      wrong.push(...passed.map(({ path }) => `${nameOf(path)} is taken`));
    }
    expect(wrong).toEqual([]);
    expect(KEYS.length).toBeGreaterThan(400);
  },
);
