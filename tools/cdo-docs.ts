// The pages of docs/cdo/: one per class of the types, the fields, the constants, the errors, and an overview.
import { CDO_ERRORS } from "../runtime/cdo/errors.ts";
import {
  type CdoTypes,
  type Documented,
  type DocumentedClass,
  type DocumentedMember,
  type Mark,
  readCdoTypes,
} from "./cdo-types.ts";

/** Makes a page of a title and its parts, a table of a head and its rows. */
export interface PageMaker {
  readonly page: (title: string, ...parts: readonly string[]) => string;
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => string;
}

const isFieldTable = ({ name }: DocumentedClass): boolean =>
  /.Fields$/.test(name) && name !== "EnvelopeFields";
const fileOf = (name: string): string => `${name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}.md`;

export function cdoPages(maker: PageMaker): [string, string][] {
  const types = readCdoTypes();
  const classes = types.classes.filter((each) => !isFieldTable(each));
  const tables = types.classes.filter(isFieldTable);
  return [
    ["docs/cdo/README.md", overview(maker, types, classes, tables)],
    ...classes.map((each): [string, string] => [`docs/cdo/${fileOf(each.name)}`, classPage(maker, each)]),
    ...tables.map((each): [string, string] => [`docs/cdo/${fileOf(each.name)}`, fieldsPage(maker, each)]),
    ["docs/cdo/constants.md", constantsPage(maker, types.constants)],
    ["docs/cdo/errors.md", cdoErrorsPage(maker)],
  ];
}

function markText(mark: Mark): string {
  switch (mark.kind) {
    case "original":
      return "as the original";
    case "differs":
      return `differs: ${linked(mark.note)}`;
    case "extension":
      return mark.note === "" ? "extension" : `extension: ${linked(mark.note)}`;
    case "not served":
      return `not served (${mark.error})`;
  }
}

/** {@link X.y} of the types as a link to the page of X. */
const linked = (text: string): string =>
  text.replaceAll(/\{@link (\w+)(?:\.(\w+))?\}/g, (_match, type: string, member: string | undefined) =>
    member === undefined
      ? `[${type}](${fileOf(type)})`
      : `[${type}.${member}](${fileOf(type)}#${member.toLowerCase()})`,
  );

const sectionsOf = ({ sections }: Documented): string =>
  sections.length === 0 ? "" : `CDO reference ${sections.join(", ")}.`;

function countsOf(members: readonly Documented[]): string[] {
  const count = (...kinds: readonly Mark["kind"][]): string =>
    String(members.filter(({ mark }) => kinds.includes(mark.kind)).length);
  return [count("original"), count("differs"), count("extension"), count("not served")];
}

function overview(
  { page, table }: PageMaker,
  { constants }: CdoTypes,
  classes: readonly DocumentedClass[],
  tables: readonly DocumentedClass[],
): string {
  const row = ({ name, members, text, mark }: DocumentedClass): string[] => [
    `[${name}](${fileOf(name)})`,
    ...countsOf(members),
    linked(mark.kind === "extension" ? mark.note : text),
  ];
  const head = ["Members", "As the original", "Differ", "Extensions", "Not served", ""];
  return page(
    "The object model",
    "CDO for Windows 2000 as scripts find it. Each member is marked *as the original*, *differs* (how), *extension* or *not served* (the error it raises). “CDO reference” names the section of the reference of the original. Member names are found without regard to case.",
    `## Classes\n\n${table(head, classes.map(row))}`,
    `## Fields\n\n${table(head, tables.map(row))}`,
    `## Constants and errors\n\n${constants.length} [constants](constants.md), all with the values of the original. The [errors](errors.md) are exceptions with \`number\`, \`name\` and \`description\`.`,
  );
}

function memberText(member: DocumentedMember): string {
  const lines = member.signature.split("\n").join("\n");
  const title = member.kind === "call" ? "(call)" : member.name;
  const note = member.mark.kind === "not served" && member.mark.note !== "" ? ` ${member.mark.note}` : "";
  return [
    `### ${title}`,
    `\`\`\`ts\n${lines}\n\`\`\``,
    `*${markText(member.mark)}*${note}`,
    `${linked(member.text)} ${sectionsOf(member)}`.trim(),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function classPage({ page }: PageMaker, each: DocumentedClass): string {
  const part = (title: string, kind: DocumentedMember["kind"]): string[] => {
    const members = each.members.filter((member) => member.kind === kind);
    return members.length === 0 ? [] : [`## ${title}`, ...members.map(memberText)];
  };
  return page(
    each.name,
    `${linked(each.text)} ${sectionsOf(each)}`.trim(),
    ...(each.mark.kind === "original" ? [] : [`*${markText(each.mark)}*`]),
    ...(each.example === "" ? [] : [`\`\`\`js\n${each.example}\n\`\`\``]),
    ...part("Properties", "property"),
    ...part("Methods", "method"),
  );
}

function fieldsPage({ page, table }: PageMaker, each: DocumentedClass): string {
  const rows = each.members.map((field) => [
    `\`${field.name}\``,
    /:\s*(\w+)$/.exec(field.signature)?.[1] ?? "",
    field.readonly ? "read" : "read, write",
    linked(field.text),
    markText(field.mark),
  ]);
  return page(
    each.name,
    `${linked(each.text)} ${sectionsOf(each)}`.trim(),
    table(["Field", "Type", "Access", "Meaning", "Mark"], rows),
  );
}

function constantsPage({ page, table }: PageMaker, constants: readonly Documented[]): string {
  return page(
    "Constants",
    'Global names, and exports of `"cdo"`. All are as the original.',
    table(
      ["Constant", "Value", "Meaning"],
      constants.map(({ name, signature, text }) => [`\`${name}\``, `\`${signature}\``, text]),
    ),
  );
}

function cdoErrorsPage({ page, table }: PageMaker): string {
  const rows = Object.entries(CDO_ERRORS).map(([name, [hresult, meaning]]) => [
    `\`${name}\``,
    `0x${hresult.toString(16).toUpperCase()}`,
    String(hresult | 0),
    meaning,
  ]);
  return page(
    "Errors of the object model",
    "What a script catches: `error.name`, `error.number` (the signed HRESULT, as VBScript's `Err.Number`) and `error.description`. CDO reference 1.11.",
    table(["Name", "HRESULT", "number", "Meaning"], rows),
  );
}
