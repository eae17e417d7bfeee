// The part of docs/settings.md on the settings of the original: made from the table that `onarrival import` reads with.
import type { OriginalSetting } from "../src/config/import/original-settings.ts";
import { ORIGINAL_SETTINGS } from "../src/config/import/setting-map.ts";

/** The default of a key as the documents write it. */
export type DefaultOf = (key: string) => string | undefined;

const SERVER_PREFIX = "virtualServers[].";
const INTRODUCTION =
  "What the properties of the IIS SMTP service and of Exchange 2000 and 2003 are here, in the order of their tables; `onarrival import` takes over their values from a MetaBase.xml. Keys are those of a virtual server. The default of the original is what its user interface showed on a fresh server.";

function originalSettingRows(defaultOf: DefaultOf): string[][] {
  return ORIGINAL_SETTINGS.toSorted((left, right) => orderOf(left) - orderOf(right)).map((original) => {
    const { property, id, keys = [], note = "" } = original;
    return [
      `\`${property}\``,
      id === undefined ? "" : String(id),
      original.default,
      keys.length === 0 ? "none" : keys.map((key) => `\`${nameOf(key)}\``).join(", "),
      keys.map((key) => defaultOf(pathOf(key)) ?? "–").join(", "),
      note,
    ];
  });
}

const orderOf = ({ row }: OriginalSetting): number => (typeof row === "number" ? row : 100 + Number(row));

/** "/" in front: a key of the service. */
const nameOf = (key: string): string => (key.startsWith("/") ? key.slice(1) : key);
const pathOf = (key: string): string => (key.startsWith("/") ? key.slice(1) : `${SERVER_PREFIX}${key}`);

export const originalSettingParts = (
  table: (head: readonly string[], rows: readonly (readonly string[])[]) => string,
  defaultOf: DefaultOf,
): readonly string[] => [
  "## Settings of the original",
  INTRODUCTION,
  table(
    ["Property", "Id", "Default there", "Key here", "Default here", "Remark"],
    originalSettingRows(defaultOf),
  ),
];
