// `onarrival run --watch` as an author has it beside the editor.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startProgram } from "../support/program.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SCRIPT = `import { mark } from "./lib/mark.ts";
export default function onArrival(msg: any) {
  msg.Subject = mark + msg.Subject;
  msg.DataSource.Save();
}
`;

test("each save of the script, of what it imports and of the message runs it again, until Ctrl-C", async () => {
  await using temp = await tempFolder();
  const file = (name: string): string => join(temp.path, name);
  await mkdir(file("lib"));
  await writeFile(file("lib/mark.ts"), 'export const mark = "[one] ";\n');
  await writeFile(file("a.ts"), SCRIPT);
  await writeFile(file("m.eml"), "From: a@example.com\nTo: b@example.com\nSubject: s\n\ntext\n");
  await using program = startProgram(["run", "--watch", "a.ts", "m.eml"], { cwd: temp.path });
  await program.says(/\+ Subject: \[one\] s[^]*watching 3 files/);

  await writeFile(file("lib/mark.ts"), 'export const mark = "[two] ";\n');
  await program.says(/\+ Subject: \[two\] s[^]*watching/);

  await writeFile(file("m.eml"), "From: a@example.com\nTo: b@example.com\nSubject: other\n\ntext\n");
  await program.says(/\+ Subject: \[two\] other[^]*watching/);

  // As editors save: a new file takes the place of the old one.
  await writeFile(file("a.ts.new"), SCRIPT.replace("msg.Subject = mark", "msg.Subject = mark mark"));
  await rename(file("a.ts.new"), file("a.ts"));
  await program.says(
    /> 3 \| {3}msg\.Subject = mark mark[^]*\^[^]*error: a\.ts:3:\d+: Expected ";"[^]*watching/,
  );

  await writeFile(file("a.ts"), SCRIPT.replace("mark.ts", "other.ts"));
  await program.says(/error: a\.ts:1:\d+: Could not resolve "\.\/lib\/other\.ts"[^]*watching/);
  await writeFile(file("lib/other.ts"), 'export const mark = "[three] ";\n');
  await program.says(/\+ Subject: \[three\] other[^]*watching/);

  await writeFile(file("a.ts"), SCRIPT.replace("msg.DataSource.Save()", 'throw new Error("not today")'));
  await program.says(/fault +throw: a\.ts:4:\d+: .*not today[^]*> 4 \|[^]*\^[^]*watching/);
  expect(program.text).not.toContain("\u001b");
  expect(await program.end("SIGINT")).toBe(1);
});

test("it ends with 0 when the last run was good, and colours when asked to", async () => {
  await using temp = await tempFolder();
  await writeFile(
    join(temp.path, "a.js"),
    "function onArrival(msg) { msg.Subject = 'x'; msg.DataSource.Save(); }",
  );
  await writeFile(join(temp.path, "m.eml"), "From: a@example.com\nSubject: s\n\n");
  await using program = startProgram(["run", "--watch", "a.js", "m.eml"], {
    cwd: temp.path,
    env: { FORCE_COLOR: "1", NO_COLOR: "" },
  });
  await program.says(/watching/);
  expect(program.text).toContain("\u001b[32m  + Subject: x\u001b[39m");
  expect(await program.end("SIGINT")).toBe(0);
});
