// What a value of a file has to be, in words of those who write it: put in place of the schema's own messages wherever a setting has
// none of its own.
import type { z } from "zod";
import { suggest } from "./suggest.ts";

type RawIssue = z.core.$ZodRawIssue;

const KINDS: Readonly<Record<string, string>> = {
  object: "a map of keys",
  record: "a map of keys",
  array: "a list",
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

/** A key without a value is the slip that YAML makes easiest, and null and undefined are no words of its authors. */
export const wording: z.core.$ZodErrorMap = (issue) => {
  // The name of an entry, which its own rule has words for.
  if (issue.code === "invalid_key") return issue.issues[0]?.message;
  const wanted = wantedBy(issue);
  if (issue.input === undefined) return `is missing: it takes ${wanted}`;
  if (issue.input === null) return `has no value: give it ${wanted}, or take the key out`;
  return `must be ${wanted}${hint(issue)}`;
};

function wantedBy(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return KINDS[issue.expected] ?? issue.expected;
    case "invalid_value":
      return listed(issue.values.map((value) => JSON.stringify(value)));
    case "too_small":
      return bounded(
        issue.origin,
        Number(issue.minimum),
        issue.inclusive === false ? "more than" : "at least",
      );
    case "too_big":
      return bounded(
        issue.origin,
        Number(issue.maximum),
        issue.inclusive === false ? "less than" : "at most",
      );
    case "invalid_format":
      return issue.pattern === undefined
        ? `a text of the form ${issue.format}`
        : `a text like ${issue.pattern}`;
    default:
      // Of unions only that of JSON has no words of its own.
      return "a text, a number, true or false, a list or a map of keys";
  }
}

function bounded(origin: string, bound: number, how: string): string {
  if (origin === "string")
    return bound === 1 ? "a text that is not empty" : `a text of ${how} ${bound} characters`;
  if (origin === "array") return `a list of ${how} ${bound === 1 ? "1 entry" : `${bound} entries`}`;
  return `${how} ${bound}`;
}

function listed(values: readonly string[]): string {
  const last = values.at(-1) ?? "nothing";
  return values.length < 2 ? last : `${values.slice(0, -1).join(", ")} or ${last}`;
}

function hint(issue: RawIssue): string {
  if (issue.code !== "invalid_value" || typeof issue.input !== "string") return "";
  const near = suggest(
    issue.input,
    issue.values.filter((value) => typeof value === "string"),
  );
  return near === undefined ? "" : ` (did you mean "${near}"?)`;
}
