// Each row of docs/smtp-behaviour.md names the conversation or test that shows it.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("docs/smtp-behaviour.md", "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| Checked"));

function shown(row: string): string | undefined {
  const [, file = "", title = ""] = /`([\w/-]+\.(?:smtp|test\.ts))` › (.+) \|$/.exec(row) ?? [];
  const folder = file.endsWith(".smtp") ? "test/conversations/inbound" : "test/unit/smtp/server";
  if (!existsSync(`${folder}/${file}`)) return `no such file: ${row}`;
  return readFileSync(`${folder}/${file}`, "utf8").includes(title) ? undefined : `${file} has no "${title}"`;
}

test("every behaviour is shown by a conversation or a test that exists", () => {
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.flatMap((row) => shown(row) ?? [])).toEqual([]);
});

test("every conversation of its own is in the table", () => {
  const titles = [
    ...readFileSync("test/conversations/inbound/behaviours.smtp", "utf8").matchAll(/^== (.+)$/gm),
  ];
  const missing = titles.map(([, title = ""]) => title).filter((title) => !page.includes(title));
  expect(missing).toEqual([]);
});
