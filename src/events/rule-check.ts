// What of a rule cannot count, for those who write it: the dispatcher ignores such conditions as the original did (REFERENCE 5.4).
import { EVENTS, type EventName } from "./catalog.ts";
import { parseRule, type Wildcard } from "./rule.ts";
import { parseVerbRule } from "./verb-rule.ts";

/** Undefined when all of the rule counts. */
export function ruleWarning(event: EventName, text: string | undefined): string | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const kind = EVENTS[event].rule;
  if (kind === "none") return `its rule is ignored: bindings of ${event} have none`;
  const parts = text
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const flaw = kind === "verb" ? verbFlaw : envelopeFlaw;
  const flawed = parts.flatMap((part) => {
    const why = flaw(part);
    return why === undefined ? [] : [`${JSON.stringify(part)} (${why})`];
  });
  if (parts.length === 0) return "its rule has no condition, so it is never called";
  if (flawed.length === 0) return undefined;
  const left = flawed.length === parts.length ? "; none is left, so it is never called" : "";
  return `its rule has conditions that do not count: ${flawed.join(", ")}${left}`;
}

const NO_PATTERN = "there is no pattern behind =";
const NO_BRACKETS = "addresses stand in rules without < and >";

function envelopeFlaw(part: string): string | undefined {
  const [condition] = parseRule(part).conditions;
  if (condition !== undefined) {
    if (/,|\s(?:or|and)\s/i.test(part)) return "a ; stands between conditions, and one of them is enough";
    const { field, name, domain } = condition;
    if (field === "helo")
      return name?.text.includes("@") === true ? "the name of a host has no @" : undefined;
    return [name, domain].some((pattern) => pattern !== undefined && isBracketed(pattern))
      ? NO_BRACKETS
      : undefined;
  }
  const equals = part.indexOf("=");
  if (equals < 0) return "there is no =";
  const isKnown = parseRule(`${part.slice(0, equals)}=*`).conditions.length > 0;
  if (!isKnown) return "conditions begin with EHLO, MAIL FROM or RCPT TO";
  return part.slice(equals + 1).trim() === ""
    ? NO_PATTERN
    : "* may stand at the ends of a name or a domain only";
}

/** No address begins with < or ends with >; in quotes they may stand inside. */
const isBracketed = ({ text, open }: Wildcard): boolean =>
  (text.startsWith("<") && (open === "none" || open === "end")) ||
  (text.endsWith(">") && (open === "none" || open === "start"));

function verbFlaw(part: string): string | undefined {
  const [condition] = parseVerbRule(part).conditions;
  if (condition === undefined) return /=\s*$/.test(part) ? NO_PATTERN : "it begins with no verb";
  const { verb, argument = [] } = condition;
  const isOfPath = verb === "MAIL" || verb === "RCPT";
  const [first = "", last = first] = [argument[0], argument.at(-1)];
  return isOfPath && (first.startsWith("<") || last.endsWith(">")) ? NO_BRACKETS : undefined;
}
