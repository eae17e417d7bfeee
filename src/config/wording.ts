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
  // The name of an entry: its own rule says what is wrong.
  if (issue.code === "invalid_key") return issue.issues[0]?.message;
  const wanted = wantedBy(issue);
  if (issue.input === undefined) return `is missing: it takes ${wanted}`;
  if (issue.input === null) return `has no value: give it ${wanted}, or take the key out`;
  return `must be ${wanted}${hint(issue)}`;
};

function wantedBy(issue: RawIssue): string {
  if (issue.code === "invalid_type") return KINDS[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_value") return listed(issue.values.map((value) => JSON.stringify(value)));
  if (issue.code === "too_small") return atLeast(issue);
  if (issue.code === "too_big") return bounded(issue.origin, "at most", issue.maximum);
  if (issue.code === "invalid_format") return `a text like ${issue.pattern ?? issue.format}`;
  // What is left is a union, and of unions only that of JSON has no words of its own.
  return "a text, a number, true or false, a list or a map of keys";
}

function atLeast({ origin, minimum, inclusive }: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall>): string {
  if (origin === "string" && minimum === 1) return "a text that is not empty";
  return bounded(origin, inclusive === false ? "more than" : "at least", minimum);
}

function bounded(origin: string, words: string, limit: number | bigint): string {
  if (origin === "string") return `a text of ${words} ${limit} characters`;
  if (origin === "array") return `a list of ${words} ${limit} ${Number(limit) === 1 ? "entry" : "entries"}`;
  return `${words} ${limit}`;
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
