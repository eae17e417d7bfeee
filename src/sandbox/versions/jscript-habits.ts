// What scripts of the original bring along that JavaScript has no place for, and how to write it here.

interface Habit {
  /** On the error's text, on the line that it points at. */
  readonly error?: RegExp;
  readonly line: RegExp;
  readonly fix: string;
}

/** First match wins. */
const HABITS: readonly Habit[] = [
  {
    error: /^Invalid assignment target$/,
    line: /\)\s*=[^=]/,
    fix: 'a call cannot be assigned to: add .Value, as in msg.Fields("urn:schemas:mailheader:subject").Value = x',
  },
  {
    line: /\bfunction\s+\w+\s*::/i,
    fix: "JScript's Interface::Method is written function ISMTPOnArrival_OnArrival(msg, status)",
  },
  {
    line: /^\s*<\/?script\b/i,
    fix: "a script file holds the code alone, without the <SCRIPT> element",
  },
  {
    line: /^\s*@(?:cc_on|if|elif|else|end|set)\b/,
    fix: "conditional compilation (@cc_on, @if, @set) is not served: write its code as plain code, or leave it out",
  },
  {
    line: /^\s*(?:(?:private |public )?(?:sub|function)\s+\w+\s*(?:\(.*\))?\s*$|dim\s|set\s+\w+\s*=|on\s+error\b|option\s+explicit\b|end\s+(?:sub|if|function)\b|if\b.*\bthen\b|'\s*\S)/i,
    fix: "this looks like VBScript: scripts are JavaScript or TypeScript",
  },
];

/** What to add to a syntax error, led by "; ". "" when no habit of the original explains it. */
export function habitHint(error: string, line: string): string {
  const habit = HABITS.find((each) => (each.error?.test(error) ?? true) && each.line.test(line));
  return habit === undefined ? "" : `; ${habit.fix}`;
}

/** Names of JScript that only ever came with COM, and what a script says that uses one. */
export const COM_ONLY_NAMES: Readonly<Record<string, string>> = {
  VBArray:
    "VBArray is JScript's view of COM arrays: lists are JavaScript arrays here, leave out new VBArray(…).toArray()",
};

/** esbuild puts it in the place of such a name wherever the script does not declare it itself. */
export const COM_ONLY_PREFIX = "__onarrivalComOnly";

const CONDITIONAL_COMMENT = /\/[*/]@(?:cc_on|if|elif|else|end|set)\b/;

/**
 * Code in a comment of conditional compilation ran under JScript and would silently not run here. `code` is the output of
 * the compiler, `text` the script.
 */
export function silentHabit(name: string, text: string, code: string): string | undefined {
  const conditional = CONDITIONAL_COMMENT.exec(text);
  if (conditional !== null)
    return `${at(name, text, conditional.index)}: conditional compilation (@cc_on, @if, @set) is not served: write its code as plain code, or leave it out`;
  if (!code.includes(COM_ONLY_PREFIX)) return undefined;
  for (const [used, fix] of Object.entries(COM_ONLY_NAMES)) {
    if (code.includes(COM_ONLY_PREFIX + used)) return `${at(name, text, text.indexOf(used))}: ${fix}`;
  }
  return undefined;
}

/** Position as file:line:column, from 1. */
function at(name: string, text: string, index: number): string {
  const before = text.slice(0, Math.max(index, 0));
  return `${name}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}`;
}
