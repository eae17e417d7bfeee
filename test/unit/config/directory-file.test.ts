// The file of aliases, users and lists: what it may say, and that each mistake is told by its line.
import { expect, test } from "vitest";
import { type DirectoryFile, parseDirectoryFile } from "../../../src/config/directory-file.ts";

function parse(text: string): { file: DirectoryFile | undefined; problems: string[] } {
  const problems: string[] = [];
  const file = parseDirectoryFile(text, "people.yaml", "corp.example", (problem) => problems.push(problem));
  return { file, problems };
}

test("bare names are completed, one address may stand without brackets, sizes are written as elsewhere", () => {
  const { file, problems } = parse(`
aliases: { info: ann, sales@other.example: [ann, bob@far.example] }
users:
  ann: { aliases: lee, forwardTo: ann@home.example, keepCopy: true, maxReceive: 10MiB, rejectFrom: bob }
  boss:
lists:
  staff: { members: [ann, boss], owner: boss, acceptFrom: [members, "*@far.example"] }
`);
  expect(problems).toEqual([]);
  expect(file?.aliases).toEqual({
    "info@corp.example": ["ann@corp.example"],
    "sales@other.example": ["ann@corp.example", "bob@far.example"],
  });
  expect(file?.users).toEqual({
    "ann@corp.example": {
      aliases: ["lee@corp.example"],
      forwardTo: ["ann@home.example"],
      keepCopy: true,
      maxReceive: 10 * 1024 * 1024,
      rejectFrom: ["bob@corp.example"],
    },
    "boss@corp.example": { aliases: [], forwardTo: [], keepCopy: false },
  });
  expect(file?.lists["staff@corp.example"]).toMatchObject({
    members: ["ann@corp.example", "boss@corp.example"],
    owner: "boss@corp.example",
    acceptFrom: ["members", "*@far.example"],
  });
});

test.each([
  [
    "lists: { staff: { memebrs: [ann] } }",
    'people.yaml:1:19 lists.staff.memebrs: unknown key (did you mean "members"?)',
  ],
  ["users:\n  ann: { maxReceive: lots }", "people.yaml:2:22 users.ann.maxReceive: must be a size"],
  ["users:\n  'an n': {}", "people.yaml:2:3 users.an n: must be an address"],
  ["users: { ann: { maxRecipients: many } }", "people.yaml:1:32 users.ann.maxRecipients: must be a number"],
  ["lists: { staff: { members: } }", "people.yaml:1:28 lists.staff.members: has no value: give it a list"],
  ["aliases: { info: [] }", "people.yaml:1:12 aliases.info: must name an address"],
  [
    "lists:\n  staff:\n    members: [ann, 'b b']",
    "people.yaml:3:20 lists.staff.members[1]: must be an address",
  ],
  ["lists: { staff: { reportTo: owner } }", "people.yaml:1:29 lists.staff.reportTo: needs an owner"],
  [
    "aliases: { info: ann }\nlists:\n  staff: { aliases: [INFO@corp.example] }",
    "people.yaml:3:22 lists.staff.aliases[0]: info@corp.example is an address of aliases.info already",
  ],
  ["users: [", "people.yaml:1:"],
  ["users: { bob: *a }", "people.yaml:1:15 *a: an alias without its anchor"],
])("what is wrong is told where it stands: %s", (text, problem) => {
  const { file, problems } = parse(text);
  expect(file).toBeUndefined();
  expect(problems[0]).toContain(problem);
});
