// The file of `categorizer.file`: aliases, users and lists, checked as a whole; what is wrong is told by line.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { isMailbox } from "../core/address.ts";
import { describeError } from "../core/errors.ts";
import { type Source, describeIssues, describeLoneAliases, describeSyntax } from "./problems.ts";
import { wording } from "./wording.ts";
import { count, size } from "./values.ts";

/** As of the configuration file. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

const address = z
  .string()
  .refine((text) => isMailbox(text), 'must be an address, as "ann@example.com", or its part before the @');
const senderPattern = z
  .string()
  .refine(
    (text) => isMailbox(text) || /^\*@[^\s@]+$/.test(text),
    'must be an address, "*@example.com", or "members"',
  );

/** One may stand without its brackets. */
const several = <Item extends z.ZodType<string>>(item: Item) =>
  z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(item));

const rules = {
  aliases: several(address).default([]),
  displayName: z.string().optional(),
  maxReceive: size().optional(),
  acceptFrom: several(senderPattern).optional(),
  rejectFrom: several(senderPattern).optional(),
  requireAuthentication: z.boolean().optional(),
};

const user = z.strictObject({
  ...rules,
  forwardTo: several(address).default([]),
  keepCopy: z.boolean().default(false),
  maxSend: size().optional(),
  maxRecipients: count(1).optional(),
});

const list = z
  .strictObject({
    ...rules,
    members: several(address).default([]),
    owner: address.optional(),
    reportTo: z.enum(["sender", "owner", "nobody"]).optional(),
  })
  .refine(({ owner, reportTo }) => reportTo !== "owner" || owner !== undefined, {
    path: ["reportTo"],
    message: "needs an owner",
  });

const byAddress = <Value extends z.ZodType>(value: Value) => z.record(address, value).default({});

const schema = z.strictObject({
  aliases: byAddress(several(address).refine((targets) => targets.length > 0, "must name an address")),
  // A user of whom there is nothing to say: "ann:".
  users: byAddress(z.preprocess((value) => value ?? {}, user)),
  lists: byAddress(list),
});

const knownSchema = (): z.core.JSONSchema.JSONSchema =>
  z.toJSONSchema(schema, { io: "output", unrepresentable: "any" });

export type DirectoryFile = z.output<typeof schema>;

/** Undefined when it cannot be read or is wrong: `report` is told of each problem. `domain` completes bare names. */
export async function readDirectoryFile(
  file: string,
  domain: string,
  report: (problem: string) => void,
): Promise<DirectoryFile | undefined> {
  try {
    const text = await readFile(file, "utf8");
    if (text.length <= MAX_FILE_BYTES) return parseDirectoryFile(text, path.basename(file), domain, report);
    report(`${file} is larger than ${MAX_FILE_BYTES} bytes`);
  } catch (error) {
    report(describeError(error));
  }
  return undefined;
}

export function parseDirectoryFile(
  text: string,
  name: string,
  domain: string,
  report: (problem: string) => void,
): DirectoryFile | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const source: Source = { name, document, lines };
  const tell = (problems: readonly string[]): undefined => {
    for (const problem of problems) report(problem);
  };
  if (document.errors.length > 0) return tell(describeSyntax(source, document.errors));
  const lone = describeLoneAliases(source);
  if (lone.length > 0) return tell(lone);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    // More aliases than anybody writes.
    return tell([`${name} ${describeError(error)}`]);
  }
  const result = schema.safeParse(value, { error: wording });
  if (!result.success) return tell(describeIssues(result.error.issues, knownSchema, source));
  const issues = claimedTwice(result.data, domain);
  return issues.length > 0
    ? tell(describeIssues(issues, knownSchema, source))
    : complete(result.data, domain);
}

/** An address belongs to one entry: which of two was meant cannot be told. */
function claimedTwice(file: DirectoryFile, domain: string): z.core.$ZodIssue[] {
  const issues: z.core.$ZodIssue[] = [];
  const owners = new Map<string, string>();
  const claim = (name: string, where: readonly (string | number)[]): void => {
    const full = completed(name, domain).toLowerCase();
    const other = owners.get(full);
    if (other === undefined) owners.set(full, where.slice(0, 2).join("."));
    else
      issues.push({ code: "custom", path: [...where], message: `${full} is an address of ${other} already` });
  };
  for (const name of Object.keys(file.aliases)) claim(name, ["aliases", name]);
  for (const section of ["users", "lists"] as const)
    for (const [name, { aliases }] of Object.entries(file[section])) {
      claim(name, [section, name]);
      for (const [index, alias] of aliases.entries()) claim(alias, [section, name, "aliases", index]);
    }
  return issues;
}

function complete(file: DirectoryFile, domain: string): DirectoryFile {
  const full = (name: string): string => (name === "members" ? name : completed(name, domain));
  const all = (names: readonly string[]): string[] => names.map((name) => full(name));
  const keyed = <Value>(entries: Readonly<Record<string, Value>>, change: (value: Value) => Value) =>
    Object.fromEntries(
      Object.entries(entries).map(([name, value]) => [completed(name, domain), change(value)]),
    );
  const senders = <Entry extends { acceptFrom?: string[] | undefined; rejectFrom?: string[] | undefined }>(
    entry: Entry,
  ): Entry => ({
    ...entry,
    ...(entry.acceptFrom && { acceptFrom: all(entry.acceptFrom) }),
    ...(entry.rejectFrom && { rejectFrom: all(entry.rejectFrom) }),
  });
  return {
    aliases: keyed(file.aliases, all),
    users: keyed(file.users, (entry) => ({
      ...senders(entry),
      aliases: all(entry.aliases),
      forwardTo: all(entry.forwardTo),
    })),
    lists: keyed(file.lists, (entry) => ({
      ...senders(entry),
      aliases: all(entry.aliases),
      members: entry.members.map((member) => completed(member, domain)),
      ...(entry.owner !== undefined && { owner: completed(entry.owner, domain) }),
    })),
  };
}

const completed = (name: string, domain: string): string => (name.includes("@") ? name : `${name}@${domain}`);
