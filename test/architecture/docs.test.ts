// The documents made from the code are in the tree as the code makes them, and link to nothing that is not there.
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { ERROR_CODES } from "../../src/core/errors.ts";
import { EVENTS } from "../../src/events/catalog.ts";
import { eventPageName } from "../../tools/event-docs.ts";
import { generateDocs } from "../../tools/generate-docs.ts";

const generated = await generateDocs();
const pages = [...globSync("*.md"), ...globSync("docs/**/*.md")].map((file) => file.replaceAll("\\", "/"));

test.each([...generated.keys()])("%s is what `npm run docs` makes", (file) => {
  expect(existsSync(file) ? readFileSync(file, "utf8") : "absent").toBe(generated.get(file));
});

test("no other document claims to be made from the code", () => {
  const claiming = pages.filter((file) => readFileSync(file, "utf8").startsWith("<!-- Made by"));
  expect(claiming.filter((file) => !generated.has(file))).toEqual([]);
});

test("the pages of the object model hold whole sentences of the types, also of what is our own", () => {
  const objectModel = [...generated].filter(([file]) => file.startsWith("docs/cdo/"));
  for (const [file, text] of objectModel) {
    expect(text, file).not.toContain("{@link");
    expect(text.split("\n").filter((line) => line.replace("```", "").split("`").length % 2 === 0)).toEqual(
      [],
    );
  }
  expect(generated.get("docs/cdo/binding.md")).toContain("*@example.com;MAIL FROM=boss@*");
  expect(generated.get("docs/cdo/script-test.md")).toContain("what the log calls the case");
});

test("every error code and every event is described", () => {
  for (const code of Object.keys(ERROR_CODES))
    expect(generated.get("docs/errors.md")).toContain(`\`${code}\``);
  for (const name of Object.keys(EVENTS))
    expect(generated.get("docs/events/README.md")).toContain(`\`${name}\``);
});

test("the page of the command line has the commands of the program", () => {
  const [, table = ""] = readFileSync("src/main.ts", "utf8").split("const COMMANDS");
  const commands = table.matchAll(/^ {2}(\w+): async/gm);
  const headings = (generated.get("docs/cli.md") ?? "").matchAll(/^## onarrival ([\w-]+)/gm);
  expect(new Set([...headings].map(([, name]) => name))).toEqual(
    new Set([...commands].map(([, name]) => name)),
  );
});

test("every event that is raised has a page, which says what follows each answer and names tests that are there", () => {
  for (const name of Object.keys(EVENTS)) {
    const file = `docs/events/${eventPageName(name)}`;
    expect([file, generated.has(file)]).toEqual([file, true]);
    const shownBy = /Shown by `([^`]+)`/.exec(generated.get(file) ?? "")?.[1];
    if (shownBy !== undefined) expect([shownBy, existsSync(shownBy)]).toEqual([shownBy, true]);
  }
});

test("a page of an event shows the type of each member to its end, braces included", () => {
  const members = [...generated].flatMap(([file, text]) =>
    file.startsWith("docs/events/")
      ? [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, signature = ""]) => `${file} ${signature}`)
      : [],
  );
  expect(members.filter((member) => member.includes("{")).length).toBeGreaterThan(0);
  expect(members.filter((member) => member.split("{").length !== member.split("}").length)).toEqual([]);
});

test("every setting has a description and says when it takes effect", () => {
  const [keys = ""] = (generated.get("docs/settings.md") ?? "").split("## Settings of the original");
  const rows = keys.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows.length).toBeGreaterThan(80);
  expect(rows.filter((row) => !/\| (?:live|restart) \| \S[^|]* \|$/.test(row.replaceAll("\\|", "")))).toEqual(
    [],
  );
});

test("every setting that the prose names exists", () => {
  const known = generated.get("docs/settings.md") ?? "";
  const named = pages
    .filter((file) => !generated.has(file))
    .flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/\[`([\w.[\]]+)`\]\([^)]*settings\.md\)/g)].map(
        (match) => match[1] ?? "",
      ),
    );
  expect(named.filter((key) => !known.includes(`\`${key}\``) && !known.includes(`.${key}\``))).toEqual([]);
});

test("relative links lead to files", () => {
  const broken = pages.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)]
      .map((match) => path.join(path.dirname(file), match[1] ?? ""))
      .filter((target) => !existsSync(target))
      .map((target) => `${file} → ${target}`),
  );
  expect(broken).toEqual([]);
});
