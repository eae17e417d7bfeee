// Every setting of the original (REFERENCE 6.1, 6.2): which key of ours it is or why it is none, and what a value of it means here.
import { INBOUND_SETTINGS } from "./original-inbound.ts";
import { OUTBOUND_SETTINGS } from "./original-outbound.ts";
import type { OriginalSetting } from "./original-settings.ts";
import type { Meaning } from "./setting-readers.ts";

export const ORIGINAL_SETTINGS: readonly OriginalSetting[] = [...INBOUND_SETTINGS, ...OUTBOUND_SETTINGS];

const KNOWN = new Map(ORIGINAL_SETTINGS.map((original) => [original.property.toLowerCase(), original]));

const NAMES = new Map(
  ORIGINAL_SETTINGS.flatMap(({ id, property }) => (id === undefined ? [] : [[id, property]])),
);

/** The property of a number of the metabase, when it is one of ours. */
export const nameOfId = (id: number): string | undefined => NAMES.get(id);

/** Of a property that server-settings.ts looks at beside others. */
export const TOGETHER = Symbol("together");

/** Undefined for a property that means nothing to a mail service. */
export function meaningOf(property: string, value: string): Meaning | typeof TOGETHER | undefined {
  const original = KNOWN.get(property.toLowerCase());
  if (original === undefined) return undefined;
  return original.read === undefined ? TOGETHER : original.read(value);
}
