// The table of the original's settings against the list of them (REFERENCE 6.1, 6.2), and against our own schema.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { meaningOfServer } from "../../../../src/config/import/server-settings.ts";
import { ORIGINAL_SETTINGS } from "../../../../src/config/import/setting-map.ts";
import { configSchema } from "../../../../src/config/schema.ts";

const listed = z
  .array(
    z.strictObject({
      row: z.union([z.int(), z.string()]),
      property: z.string(),
      id: z.int().optional(),
      /** What administrators saw, in our unit. */
      default: z.unknown().optional(),
      /** A value, and what becomes of it; byHand: the report of the import says what to do. */
      sample: z.string().optional(),
      sets: z.record(z.string(), z.unknown()).optional(),
      byHand: z.boolean().optional(),
    }),
  )
  .parse(
    JSON.parse(readFileSync(new URL("../../../fixtures/original-settings.json", import.meta.url), "utf8")),
  );
type Listed = (typeof listed)[number];

const entryOf = ({ property }: Listed): (typeof ORIGINAL_SETTINGS)[number] => {
  const entry = ORIGINAL_SETTINGS.find((original) => original.property === property);
  if (entry === undefined) throw new Error(`${property} is not in the table`);
  return entry;
};

type Schema = z.core.JSONSchema.JSONSchema;
const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
const isSchema = (value: unknown): value is Schema => typeof value === "object" && value !== null;

/** The schema of a key of a virtual server, or with "/" in front of the service. */
function schemaOf(key: string): Schema | undefined {
  const path = key.startsWith("/") ? key.slice(1) : `virtualServers[].${key}`;
  let at: unknown = schema;
  for (const step of path.replaceAll("[]", ".[]").split(".")) {
    if (!isSchema(at)) return undefined;
    at = step === "[]" ? at.items : at.properties?.[step];
  }
  return isSchema(at) ? at : undefined;
}

const server = (settings: Record<string, string>): Parameters<typeof meaningOfServer>[0] => ({
  instance: 1,
  settings: new Map(Object.entries(settings)),
  domains: [],
});

/** What some properties mean only beside others. */
const BESIDE: Readonly<Record<string, Record<string, string>>> = {
  SmartHostType: { SmartHost: "hub.example" },
  MasqueradeDomain: { DoMasquerade: "1" },
  DoMasquerade: { MasqueradeDomain: "shown.example" },
  LimitRemoteConnections: { MaxOutConnections: "1000" },
};

test("the table has every setting of the list with its number and row, and no other", () => {
  const names = (all: readonly { property: string; id?: number | undefined; row: unknown }[]): string[] =>
    all.map(({ property, id, row }) => `${property} ${id ?? "-"} ${String(row)}`).toSorted();
  expect(names(ORIGINAL_SETTINGS)).toEqual(names(listed));
});

describe.each(listed.map((one): [string, Listed] => [one.property, one]))("%s", (_, one) => {
  const entry = entryOf(one);

  test("is a setting of ours, or it is said why it is none", () => {
    if (entry.keys === undefined) expect(entry.note?.length).toBeGreaterThan(30);
    for (const key of entry.keys ?? [])
      expect([key, schemaOf(key)?.description]).toEqual([key, expect.any(String)]);
  });

  test("has the default that administrators saw, or it is said why it has another", () => {
    const ours = (entry.keys ?? []).map((key) => schemaOf(key)?.default);
    const wanted = entry.note === undefined && one.default !== undefined ? [one.default] : [];
    expect(ours).toEqual(expect.arrayContaining(wanted));
  });

  test("is taken over by the import, or its report says what to do by hand", () => {
    const { settings, left, unknown } = meaningOfServer(
      server({ ...BESIDE[one.property], [one.property]: one.sample ?? "1" }),
    );
    expect(unknown).toEqual([]);
    if (one.sets === undefined) {
      expect(left).toEqual([{ name: one.property, why: expect.stringMatching(/.{15}/) }]);
      return;
    }
    const set = Object.fromEntries(settings.map(({ path, value }) => [path.join("."), value]));
    expect(set).toMatchObject(
      Object.fromEntries(Object.entries(one.sets).map(([key, value]) => [key, value])),
    );
    expect(Object.keys(one.sets).filter((key) => entry.keys?.includes(key) !== true)).toEqual([]);
  });
});
