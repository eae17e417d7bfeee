// Log lines for people: time, level, message, then the fields as key=value.
import { printable } from "../core/printable.ts";

interface Lines {
  write(text: string): unknown;
}

/** Turns pino's JSON lines into readable ones. */
export function createPrettyStream(to: Lines): Lines {
  return { write: (line) => to.write(prettyLine(line)) };
}

export function prettyLine(line: string): string {
  const parsed: unknown = JSON.parse(line);
  if (typeof parsed !== "object" || parsed === null) return line;
  const fields = new Map<string, unknown>(Object.entries(parsed));
  const [time, level, text] = ["time", "level", "msg"].map((name) => String(fields.get(name)));
  for (const name of ["time", "level", "msg"]) fields.delete(name);
  const shown = [...fields].map(([key, value]) => ` ${key}=${formatValue(value)}`);
  return `${time} ${level?.toUpperCase().padEnd(5)} ${printable(text ?? "")}${shown.join("")}\n`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string" && /^[\w.:@/<>+-]+$/.test(value)) return value;
  return printable(JSON.stringify(value));
}
