// Where the keys of a binding stand in the configuration file, for lines that are told of it.
import type { PlaceOf } from "../../config/problems.ts";

/** What a line about a key of a binding begins with: its place in the file, "" where there is none. */
export type Before = (...key: readonly string[]) => string;

export const NOWHERE: Before = () => "";

/** Of the binding at this index of `bindings`. */
export const placesOf = (index: number, placeOf: PlaceOf | undefined): Before =>
  placeOf === undefined || index < 0 ? NOWHERE : (...key) => `${placeOf(["bindings", index, ...key])}: `;

export const nameOf = ({ displayName }: { readonly displayName: string }): string =>
  `binding ${JSON.stringify(displayName)}`;
