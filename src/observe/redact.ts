// Keeps secrets out of the log. Our own, because pino's redaction by path made each line cost three times as much.
import type { LogFields } from "../core/logger.ts";

const SECRET = /^(?:pass|password|passwordHash|secret|authorization|token|credentials)$/i;
const CENSORED = "[redacted]";
/** Deeper values are not logged by anyone; without a bound a cycle would be followed for ever. */
const MAX_DEPTH = 4;

/** The same object when nothing in it is secret. */
export function redact(fields: LogFields, depth = 0): LogFields {
  let clean: Record<string, unknown> | undefined;
  for (const key in fields) {
    const value = fields[key];
    const shown = redactValue(key, value, depth);
    if (shown === value) continue;
    clean ??= { ...fields };
    clean[key] = shown;
  }
  return clean ?? fields;
}

function redactValue(key: string, value: unknown, depth: number): unknown {
  // The shortest secret name has four letters, the longest thirteen: most keys need no look at the pattern.
  if (key.length >= 4 && key.length <= 13 && SECRET.test(key)) return CENSORED;
  if (typeof value !== "object" || value === null || depth >= MAX_DEPTH || !isPlain(value)) return value;
  return redact(value, depth + 1);
}

/** Errors, dates, buffers and arrays are left to the serializers of pino. */
const isPlain = (value: object): value is LogFields => Object.getPrototypeOf(value) === Object.prototype;
