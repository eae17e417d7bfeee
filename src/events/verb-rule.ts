// Rules of protocol events: verbs, or `VERB=pattern` on the argument (REFERENCE 3.6). Parsed once, looked up by verb.

export interface VerbCondition {
  /** In upper case; "*" is every command. */
  readonly verb: string;
  /** Absent: every argument. */
  readonly argument?: Glob;
}

export interface VerbRule {
  readonly conditions: readonly VerbCondition[];
  /** Conditions that could not be parsed and are ignored; with none left the rule never fires. */
  readonly ignored: readonly string[];
}

/** The names of transport rules, as the usage text of smtpreg suggests them. */
const SPELLINGS: Readonly<Record<string, string>> = { "MAIL FROM": "MAIL", "RCPT TO": "RCPT" };
const MAX_PATTERN_CHARS = 1000;

export function parseVerbRule(text: string): VerbRule {
  const conditions: VerbCondition[] = [];
  const ignored: string[] = [];
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const condition = parseCondition(part.trim());
    if (condition === undefined) ignored.push(part.trim());
    else conditions.push(condition);
  }
  return { conditions, ignored };
}

function parseCondition(part: string): VerbCondition | undefined {
  const equals = part.indexOf("=");
  const name = (equals < 0 ? part : part.slice(0, equals))
    .trim()
    .toUpperCase()
    .replaceAll(/\s+/g, " ")
    .replace(/:$/, "");
  const verb = SPELLINGS[name] ?? name;
  if (!/^(\*|[A-Z0-9_-]{1,32})$/.test(verb)) return undefined;
  const pattern = equals < 0 ? "*" : part.slice(equals + 1).trim();
  if (pattern === "" || pattern.length > MAX_PATTERN_CHARS) return undefined;
  return /^\*+$/.test(pattern) ? { verb } : { verb, argument: pattern.toLowerCase().split(/\*+/) };
}

/** Literal pieces between the `*` of a pattern, in lower case. */
export type Glob = readonly string[];

/** Greedy and linear: the client chooses the text, so no expression that could be made to backtrack. */
function matchesGlob(pieces: Glob, text: string): boolean {
  const value = text.toLowerCase();
  const [first = "", ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return value === first;
  if (!value.startsWith(first) || value.length < first.length + last.length) return false;
  let at = first.length;
  const end = value.length - last.length;
  for (const piece of rest) {
    const found = value.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return value.endsWith(last);
}

export function matchesVerb(rule: VerbRule, verb: string): boolean {
  return rule.conditions.some((condition) => condition.verb === "*" || condition.verb === verb);
}

/** `argument` is the address of MAIL and RCPT, the name of EHLO and HELO, else all that follows the verb. */
export function matchesCommand(rule: VerbRule, verb: string, argument: string): boolean {
  return rule.conditions.some(
    (condition) =>
      (condition.verb === "*" || condition.verb === verb) &&
      (condition.argument === undefined || matchesGlob(condition.argument, argument)),
  );
}
