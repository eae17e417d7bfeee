// Lines of a protocol log in the W3C extended format (https://www.w3.org/TR/WD-logfile), as IIS wrote them for SMTP.
import type { W3cField } from "../core/w3c-fields.ts";

export type W3cValues = Readonly<Partial<Record<W3cField, string | number | undefined>>>;

const NOTHING = "-";
const MAX_VALUE = 1000;
// H08: what a stranger says must neither end a line nor speak to a terminal. Everything but printable ASCII is escaped.
const UNSAFE = /[^!-$&-~]/g;
const IS_PLAIN = /^[!-$&-~]*$/;

/** Spaces become "+", what could break a line or a terminal %XX of its UTF-8. */
export function w3cText(text: string): string {
  const short = text.length > MAX_VALUE ? text.slice(0, MAX_VALUE) : text;
  if (IS_PLAIN.test(short)) return short === "" ? NOTHING : short;
  return Buffer.from(short, "utf8")
    .toString("latin1")
    .replaceAll(UNSAFE, (character) =>
      character === " " ? "+" : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}

/** The directives at the beginning of a file. */
export function w3cHeading(fields: readonly W3cField[], now: number): string {
  const [date, time] = dateAndTime(now);
  return `#Software: OnArrival\n#Version: 1.0\n#Date: ${date} ${time}\n#Fields: ${fields.join(" ")}\n`;
}

/** One line with its end. Times are UTC, as the format wants them. */
export function w3cLine(fields: readonly W3cField[], now: number, values: W3cValues): string {
  const [date, time] = dateAndTime(now);
  let line = "";
  for (const field of fields) {
    if (line !== "") line += " ";
    if (field === "date") line += date;
    else if (field === "time") line += time;
    else {
      const value = values[field];
      line += typeof value === "number" ? String(value) : w3cText(value ?? "");
    }
  }
  return `${line}\n`;
}

function dateAndTime(now: number): [string, string] {
  const text = new Date(now).toISOString();
  return [text.slice(0, 10), text.slice(11, 19)];
}
