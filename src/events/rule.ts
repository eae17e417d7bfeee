// Rules of transport events: conditions on EHLO, MAIL FROM and RCPT TO, any of which suffices (REFERENCE 5.4).
import { domainOf, localPartOf } from "../core/address.ts";

export interface RuleSubject {
  readonly heloDomain?: string | undefined;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string }[];
}

type RuleField = "helo" | "sender" | "recipient";

/** `text` with `*` allowed at its ends, in lower case. */
export interface Wildcard {
  readonly text: string;
  readonly open: "none" | "start" | "end" | "both";
}

export interface Condition {
  readonly field: RuleField;
  /** Local part or whole host; undefined matches anything. */
  readonly name?: Wildcard | undefined;
  /** Domain after the @; undefined matches anything. */
  readonly domain?: Wildcard | undefined;
  /** A pattern without @ is tried on the local part and on the complete address. */
  readonly whole: boolean;
}

export interface Rule {
  readonly conditions: readonly Condition[];
  /** Conditions that could not be parsed and are ignored; with none left the rule never fires. */
  readonly ignored: readonly string[];
}

const FIELDS: ReadonlyMap<string, RuleField> = new Map([
  ["ehlo", "helo"],
  ["helo", "helo"],
  ["mail from", "sender"],
  ["rcpt to", "recipient"],
]);

export function parseRule(text: string): Rule {
  const conditions: Condition[] = [];
  const ignored: string[] = [];
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const condition = parseCondition(part);
    if (condition === undefined) ignored.push(part.trim());
    else conditions.push(condition);
  }
  return { conditions, ignored };
}

function parseCondition(part: string): Condition | undefined {
  const equals = part.indexOf("=");
  if (equals < 0) return undefined;
  const field = FIELDS.get(
    part.slice(0, equals).trim().toLowerCase().replaceAll(/\s+/g, " ").replace(/:$/, ""),
  );
  const pattern = part
    .slice(equals + 1)
    .trim()
    .toLowerCase();
  if (field === undefined || pattern === "") return undefined;
  const at = field === "helo" ? -1 : pattern.lastIndexOf("@");
  const name = parseWildcard(at < 0 ? pattern : pattern.slice(0, at));
  const domain = parseWildcard(at < 0 ? "*" : pattern.slice(at + 1));
  if (name === "invalid" || domain === "invalid") return undefined;
  return { field, name, domain, whole: at < 0 };
}

/** undefined for a pattern that matches anything. A `*` inside is not defined by the grammar. */
function parseWildcard(pattern: string): Wildcard | undefined | "invalid" {
  if (/^\*?$/.test(pattern) || pattern === "**") return undefined;
  const start = pattern.startsWith("*");
  const end = pattern.endsWith("*");
  const text = pattern.slice(start ? 1 : 0, end ? -1 : undefined);
  if (text.includes("*")) return "invalid";
  if (start) return { text, open: end ? "both" : "start" };
  return { text, open: end ? "end" : "none" };
}

function matchesWildcard(wildcard: Wildcard | undefined, value: string): boolean {
  if (wildcard === undefined) return true;
  switch (wildcard.open) {
    case "none":
      return value === wildcard.text;
    case "start":
      return value.endsWith(wildcard.text);
    case "end":
      return value.startsWith(wildcard.text);
    case "both":
      return value.includes(wildcard.text);
  }
}

function matchesAddress(condition: Condition, address: string): boolean {
  const lower = address.toLowerCase();
  if (condition.whole)
    return matchesWildcard(condition.name, localPartOf(lower)) || matchesWildcard(condition.name, lower);
  return (
    matchesWildcard(condition.domain, domainOf(lower)) && matchesWildcard(condition.name, localPartOf(lower))
  );
}

export function matchesCondition(condition: Condition, subject: RuleSubject): boolean {
  switch (condition.field) {
    case "helo":
      return (
        subject.heloDomain !== undefined && matchesWildcard(condition.name, subject.heloDomain.toLowerCase())
      );
    case "sender":
      return matchesAddress(condition, subject.sender);
    case "recipient":
      return subject.recipients.some((recipient) => matchesAddress(condition, recipient.address));
  }
}
