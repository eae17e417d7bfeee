// console for scripts: text goes to the service's log, formatted and bounded here, inside the isolate.
import { cut } from "../contract.ts";
import { Field } from "../cdo/fields.ts";

/** One line never exceeds this; what a whole message may write is ScriptLimits.logLines and logBytes. */
const MAX_LINE_CHARS = 4000;
const MAX_DEPTH = 3;
const MAX_ITEMS = 50;

export interface LogWriter {
  /** False when the message has written all that it may. */
  write(level: string, text: string): boolean;
}

export interface ScriptConsole {
  readonly console: object;
  /** Number of lines dropped since the last call. */
  takeDropped(): number;
  /** The next message has its own allowance. */
  reset(): void;
}

export function createConsole(writer: LogWriter): ScriptConsole {
  let dropped = 0;
  let full = false;
  const write = (level: string, values: readonly unknown[]): void => {
    // Once the host said "full" nothing crosses any more: a flood costs the script its own time only.
    if (!full && writer.write(level, formatValues(values))) return;
    full = true;
    dropped += 1;
  };
  const levels: Record<string, (...values: unknown[]) => void> = {
    debug: (...values) => write("debug", values),
    log: (...values) => write("info", values),
    info: (...values) => write("info", values),
    warn: (...values) => write("warn", values),
    error: (...values) => write("error", values),
    trace: (...values) => write("debug", values),
  };
  return {
    console: Object.freeze(levels),
    takeDropped(): number {
      const count = dropped;
      dropped = 0;
      return count;
    },
    reset(): void {
      dropped = 0;
      full = false;
    },
  };
}

function formatValues(values: readonly unknown[]): string {
  let line = "";
  for (const each of values) {
    const value = valueIn(each);
    line +=
      (line === "" ? "" : " ") + (typeof value === "string" ? cut(value, MAX_LINE_CHARS) : inspect(value, 0));
    if (line.length > MAX_LINE_CHARS) break;
  }
  return cut(line, MAX_LINE_CHARS);
}

/** A field stands for its value, as it does in expressions. */
const valueIn = (value: unknown): unknown => (value instanceof Field ? value.Value : value);

function inspect(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(cut(value, MAX_LINE_CHARS));
  if (typeof value === "function") return "[function]";
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return cut(`${value.name}: ${value.message}`, MAX_LINE_CHARS);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[…]" : "{…}";
  if (Array.isArray(value))
    return `[${listed(
      value.slice(0, MAX_ITEMS).map((item) => inspect(item, depth + 1)),
      value.length,
    )}]`;
  const keys = Object.keys(value);
  const entries = keys
    .slice(0, MAX_ITEMS)
    .map((key) => `${key}: ${inspect(Reflect.get(value, key), depth + 1)}`);
  return `{${listed(entries, keys.length)}}`;
}

const listed = (items: readonly string[], total: number): string =>
  items.join(", ") + (total > items.length ? `, … ${total - items.length} more` : "");
