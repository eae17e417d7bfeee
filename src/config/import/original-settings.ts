// What is known of a setting of the original. The importer reads a metabase with it, and docs/settings.md is made from it.
import type { Reader } from "./setting-readers.ts";

export interface OriginalSetting {
  readonly property: string;
  /** In the metabase. */
  readonly id?: number | undefined;
  /** Row of REFERENCE 6.1, or its section. */
  readonly row: number | "6.2" | "6.3" | "6.5";
  /** What administrators of the original saw. */
  readonly default: string;
  /** Keys of a virtual server, or with "/" in front of the service. Absent: `note` says why there is none. */
  readonly keys?: readonly string[] | undefined;
  /** Why the default is another one, or there is no key; or what else has to be known. */
  readonly note?: string | undefined;
  /** How its value is taken over. Absent: together with others, by server-settings.ts. */
  readonly read?: Reader | undefined;
}
