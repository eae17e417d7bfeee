// The secrets of the service: their values go to the scripts that may have them, and out of everything that is written for people.
import type { ScriptOutcome } from "../script-host.ts";

/** Shorter values are found in ordinary words: marking them would spoil the log and tell what they are. */
const MIN_REDACTED_CHARS = 4;
/** The lines of a value of several lines, as of a private key. */
const MIN_REDACTED_LINE_CHARS = 16;

type Values = ReadonlyMap<string, string>;

export class Secrets {
  #values: Values;
  /** What is taken out of texts, and what stands there instead. Values that were replaced stay: a script may still hold them. */
  #marks = new Map<string, string>();

  constructor(values: Values = new Map()) {
    this.#values = values;
    this.#mark(values);
  }

  replace(values: Values): void {
    this.#values = values;
    this.#mark(values);
  }

  get isEmpty(): boolean {
    return this.#marks.size === 0;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The values of those names that have one; undefined for none at all. */
  pick(names: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
    if (names === undefined || names.length === 0) return undefined;
    return Object.fromEntries(
      names.flatMap((name) => {
        const value = this.#values.get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
  }

  redact(text: string): string {
    let redacted = text;
    for (const [value, mark] of this.#marks)
      if (redacted.includes(value)) redacted = redacted.replaceAll(value, () => mark);
    return redacted;
  }

  /** What a call wrote for people: console lines, the message of its fault, the notes of its edits. */
  redactOutcome(outcome: ScriptOutcome): ScriptOutcome {
    const { logs, fault, changes } = outcome;
    if (logs.length === 0 && fault === undefined && changes === undefined) return outcome;
    return {
      ...outcome,
      logs: logs.map((line) => ({ ...line, text: this.redact(line.text) })),
      ...(fault && { fault: { ...fault, message: this.redact(fault.message) } }),
      ...(changes && { changes: changes.map((note) => ({ ...note, what: this.redact(note.what) })) }),
    };
  }

  #mark(values: Values): void {
    for (const [name, value] of values) {
      if (value.length < MIN_REDACTED_CHARS) continue;
      const mark = `[secret ${name}]`;
      const lines = value.split(/\r?\n/).filter((line) => line.length >= MIN_REDACTED_LINE_CHARS);
      for (const text of [value, encodeURIComponent(value.toWellFormed()), ...lines])
        this.#marks.set(text, mark);
    }
    // The longest first: a value may hold another.
    this.#marks = new Map([...this.#marks].toSorted(([a], [b]) => b.length - a.length));
  }
}
