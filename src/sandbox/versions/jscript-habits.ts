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
    line: /^\s*(?:(?:private |public )?(?:sub|function)\s+\w+\s*(?:\(.*\)\s*)?$|dim\s|set\s+\w+\s*=|on\s+error\b|option\s+explicit\b|end\s+(?:sub|if|function)\b|if\b.*\bthen\b|'\s*\S)/i,
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

/** VBScript calls what takes no arguments without parentheses; here such a line reads the method and does nothing. */
const BARE_CALL =
  /^[ \t]*(?:else )?(?:if \(.*\) )?(?:[\w$]+(?:\([^()\n]*\))?\.)+(Save|Update|CancelUpdate|Resync|Send|Post|Flush|SetEOS|DeleteAll);$/im;
/** Its second parameter was an out-parameter: here an assignment changes the variable of the function only. */
const ENTRY_POINT = /\bfunction (onArrival|I\w{1,40}_OnArrival)\(\w+, (\w+)/i;

/**
 * What ran in the original and would silently not run here: code in a comment of conditional compilation, calls without
 * parentheses, a status that is assigned. `code` is the output of the compiler, `text` the script.
 */
export function silentHabit(name: string, text: string, code: string): string | undefined {
  const conditional = CONDITIONAL_COMMENT.exec(text);
  if (conditional !== null)
    return `${at(name, text, conditional.index)}: conditional compilation (@cc_on, @if, @set) is not served: write its code as plain code, or leave it out`;
  return comOnlyHabit(name, text, code) ?? bareCall(name, text, code) ?? assignedStatus(name, text, code);
}

function comOnlyHabit(name: string, text: string, code: string): string | undefined {
  if (!code.includes(COM_ONLY_PREFIX)) return undefined;
  for (const [used, fix] of Object.entries(COM_ONLY_NAMES)) {
    if (code.includes(COM_ONLY_PREFIX + used)) return `${at(name, text, text.indexOf(used))}: ${fix}`;
  }
  return undefined;
}

function bareCall(name: string, text: string, code: string): string | undefined {
  const method = BARE_CALL.exec(code)?.[1];
  const place = method && placeIn(text, `\\.\\s*${method}[ \\t]*(?:;|\\}|//|$)`);
  // What is not in the script itself is of a package.
  if (place === undefined || place === "") return undefined;
  return `${at(name, text, place)}: a call has parentheses: write .${method}()`;
}

function assignedStatus(name: string, text: string, code: string): string | undefined {
  const found = ENTRY_POINT.exec(code);
  const [, entry = "", status = ""] = found ?? [];
  if (found === null) return undefined;
  // Other functions have variables of this name; in the body the compiler gave those of inner ones another.
  const body = bodyAt(code, found.index);
  const assigned = `${status}\\s*=\\s*(?:cdoSkipRemainingSinks|1)`;
  const isAssigned = new RegExp(`^[ \\t]*(?:else )?(?:if \\(.*\\) )?${assigned};$`, "im").test(body);
  // Who returns it has made it a variable, and its value is the verdict.
  if (!isAssigned || body.includes(`return ${status};`)) return undefined;
  const from = text.search(new RegExp(`\\bfunction\\s+${entry}\\s*\\(`));
  const place = from < 0 ? undefined : placeIn(text, `\\b${assigned}`, from);
  if (place === undefined) return undefined;
  return `${at(name, text, place)}: ${status} is an object here: write ${status}.Value = cdoSkipRemainingSinks, or return cdoSkipRemainingSinks`;
}

const startOfLine = (text: string, index: number): number => text.lastIndexOf("\n", index) + 1;

/** A function as the compiler writes it: its closing brace stands below the beginning of its first line. */
function bodyAt(code: string, index: number): string {
  const line = startOfLine(code, index);
  const [indent = ""] = /^[ \t]*/.exec(code.slice(line, index)) ?? [];
  const end = code.indexOf(`\n${indent}}`, index);
  return code.slice(index, end < 0 ? undefined : end);
}

/** Where the pattern is first found, from the line of `from` on, on a line that is no comment. */
function placeIn(text: string, pattern: string, from = 0): number | undefined {
  const places = new RegExp(`^(?![ \\t]*(?://|/\\*|\\*)).*?(?=${pattern})`, "gim");
  places.lastIndex = startOfLine(text, from);
  return places.exec(text)?.index;
}

/** Position as file:line:column, from 1. */
export function at(name: string, text: string, index: number): string {
  const before = text.slice(0, Math.max(index, 0));
  return `${name}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}`;
}
