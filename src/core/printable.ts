// Text of strangers for people: no character in it ends a line, speaks to a terminal, or turns round the order in which the
// others are shown (UAX #9), so that an address or a reason reads as another one.

// oxlint-disable-next-line no-control-regex -- control characters are what is meant
const CONTROL = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const EACH = new RegExp(CONTROL, "g");
const RUNS = new RegExp(`${CONTROL.source}+`, "g");

export const isPrintable = (text: string): boolean => !CONTROL.test(text);

export const printable = (text: string): string => text.replaceAll(EACH, "?");

// What JSON leaves as it is.
// oxlint-disable-next-line no-control-regex -- control characters are what is meant
const UNESCAPED = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The same JSON, for files that people look into. */
export const printableJson = (json: string): string =>
  json.replaceAll(UNESCAPED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** As one line of prose. */
export const oneLine = (text: string): string => text.replaceAll(RUNS, " ");
