// The secrets of the service: their values go to the scripts that may have them, and out of everything that is written for people.
import { CUT_MARK } from "../../../runtime/contract.ts";
import { oneLine } from "../../core/printable.ts";
import type { ScriptOutcome } from "../script-host.ts";

/** Shorter values are found in ordinary words: marking them would spoil the log and tell what they are. */
const MIN_REDACTED_CHARS = 4;
/** The lines of a value of several lines, as of a private key. */
const MIN_REDACTED_LINE_CHARS = 16;
/** What base64 makes of less is found in ordinary words, too. */
const MIN_BASE64_BYTES = 8;

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
    if (!redacted.includes(CUT_MARK)) return redacted;
    const pieces = redacted.split(CUT_MARK);
    const cut = pieces.length - 1;
    return pieces.map((piece, index) => (index < cut ? this.#withoutBeginning(piece) : piece)).join(CUT_MARK);
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

  /** Of a value, at the end of a text that was cut there. */
  #withoutBeginning(text: string): string {
    let found = { chars: 0, mark: "" };
    for (const [value, mark] of this.#marks) {
      let chars = Math.min(value.length - 1, text.length);
      while (chars >= MIN_REDACTED_CHARS && !text.endsWith(value.slice(0, chars))) chars -= 1;
      if (chars >= MIN_REDACTED_CHARS && chars > found.chars) found = { chars, mark };
    }
    return text.slice(0, text.length - found.chars) + found.mark;
  }

  #mark(values: Values): void {
    for (const [name, value] of values) {
      if (value.length < MIN_REDACTED_CHARS) continue;
      const mark = `[secret ${name}]`;
      for (const text of formsOf(value)) if (text.length >= MIN_REDACTED_CHARS) this.#marks.set(text, mark);
    }
    // The longest first: a value may hold another.
    this.#marks = new Map([...this.#marks].toSorted(([a], [b]) => b.length - a.length));
  }
}

/** What a value looks like where a script, or what it calls, has written it into a text. */
function formsOf(value: string): string[] {
  const wellFormed = value.toWellFormed();
  const url = new URL("http://host/");
  url.pathname = wellFormed;
  return [
    value,
    oneLine(value),
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(wellFormed),
    new URLSearchParams({ "": wellFormed }).toString().slice(1),
    url.pathname.slice(1),
    ...base64Of(value),
    ...value.split(/\r?\n/).filter((line) => line.length >= MIN_REDACTED_LINE_CHARS),
  ];
}

/** Wherever it begins in what is encoded, as behind "user:" of Basic, without the characters that its neighbours have a part in. */
function base64Of(value: string): string[] {
  const bytes = Buffer.from(value);
  if (bytes.length < MIN_BASE64_BYTES) return [];
  return [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3)),
  );
}

/** What tests find in place of values, which they never see. */
export const placeholders = (names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, `secret-${name}`]));
