// What `onarrival check` says of a directory's file beyond its form.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { checkDirectories } from "../../../../src/composition/servers/directory-check.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const PEOPLE = `aliases:
  webmaster: an
users:
  ann:
    forwardTo: [ann@home.example, lee@corp.example, bbo]
lists:
  staff:
    members: [ann, info, webmaster, external, ann@alias.example, Ann@Corp.example]
    owner: bob
  external@corp.example:
    aliases: info
    members:
      - dave@far.example
      - carol
      - carol@alias.example
  one: { members: nobody }
`;

async function warningsOf(categorizer: string, people = PEOPLE): Promise<string[]> {
  await using folder = await tempFolder("directory-check");
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(path.join(folder.path, "people.yaml"), people);
  const domains = "domains: { local: [corp.example], alias: [alias.example] }\n";
  await writeFile(file, `categorizer: { file: people.yaml, ${categorizer} }\n${domains}`);
  return await checkDirectories(await loadConfig(file));
}

test("members, forwards and owners that have no entry in a domain of our own are told with file, line and entry", async () => {
  const told = (await warningsOf("unknown: fail")).map((line) => line.replace(/ has no entry.*/, ""));
  expect(told).toEqual([
    "people.yaml:2:3 aliases.webmaster[0]: what webmaster@corp.example stands for, an@corp.example,",
    "people.yaml:5:35 users.ann.forwardTo[1]: the forward of ann@corp.example, lee@corp.example,",
    "people.yaml:5:53 users.ann.forwardTo[2]: the forward of ann@corp.example, bbo@corp.example,",
    "people.yaml:9:12 lists.staff.owner: the owner of the list staff@corp.example, bob@corp.example,",
    "people.yaml:14:9 lists.external@corp.example.members[1]: a member of the list external@corp.example, carol@corp.example,",
    "people.yaml:15:9 lists.external@corp.example.members[2]: a member of the list external@corp.example, carol@alias.example,",
    "people.yaml:16:10 lists.one.members[0]: a member of the list one@corp.example, nobody@corp.example,",
  ]);
});

test("what becomes of mail for them is said; nothing is where other domains or another directory have the word", async () => {
  expect((await warningsOf("unknown: fail"))[0]).toMatch(
    /an@corp\.example, has no entry in its own domain: mail for it fails with 5\.1\.1$/,
  );
  expect((await warningsOf("unknown: pass"))[0]).toMatch(/is delivered all the same/);
  expect(await warningsOf("domains: [far.example]")).toEqual([
    expect.stringMatching(/^people\.yaml:13:9 .*dave@far\.example/),
  ]);
  expect(await warningsOf("ldap: { servers: ['ldap://127.0.0.1'], base: 'dc=corp' }")).toEqual([]);
});

test("of very many the first are told, and how many more there are", async () => {
  const members = Array.from({ length: 1000 }, (_, index) => `nobody${index}`);
  const told = await warningsOf("unknown: fail", `lists: { all: { members: [${members.join()}] } }\n`);
  expect(told).toHaveLength(51);
  expect(told.at(-1)).toMatch(/people\.yaml: 950 more addresses have no entry$/);
});
