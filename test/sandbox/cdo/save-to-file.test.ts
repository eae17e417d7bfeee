// SaveToFile of streams and body parts: files below the script folder that the binding grants, through the real script host.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Capabilities } from "../../../runtime/contract.ts";
import { ALTERNATIVE } from "../worker/support.ts";
import { type GrantingHost, startGrantingHost } from "./granting-host.ts";

const ALLOWED: Capabilities = { write: ["out/**"], read: ["out/**"] };

let host: GrantingHost;
beforeAll(async () => {
  host = await startGrantingHost();
  await mkdir(path.join(host.folder, "out/deep"), { recursive: true });
  await mkdir(path.join(host.folder, "lib"));
  await mkdir(path.join(host.root, "elsewhere"));
  await symlink(path.join(host.root, "elsewhere"), path.join(host.folder, "out/leaving"));
  await symlink(path.join(host.root, "nowhere"), path.join(host.folder, "out/nowhere"));
  await symlink(path.join(host.folder, "lib"), path.join(host.folder, "out/inside"));
  await writeFile(path.join(host.root, "outside.txt"), "outside");
  await symlink(path.join(host.root, "outside.txt"), path.join(host.folder, "out/link.txt"));
  await writeFile(path.join(host.folder, "out/there.txt"), "there");
});
afterAll(() => host[Symbol.asyncDispose]());

const saved = (name: string): Promise<string> => readFile(path.join(host.folder, name), "utf8");

test("a stream is saved as its bytes, and stands at its start afterwards", async () => {
  const code = `const s = msg.GetStream(); s.Position = 5; s.SaveToFile("out/deep/whole.eml"); console.log(s.Position, s.Size)`;
  const { said, message } = await host.run(code, ALLOWED);
  expect(said).toEqual([`0 ${message.length}`]);
  expect(await saved("out/deep/whole.eml")).toBe(message);
});

test("a body part is saved without its encoding, over what is there", async () => {
  const code = `msg.Attachments(1).SaveToFile("out/run.bin"); msg.Attachments(2).SaveToFile("out/run.bin"); msg.Attachments(1).SaveToFile("file://out/mz.bin")`;
  expect(await host.run(code, ALLOWED, { message: ALTERNATIVE })).toMatchObject({
    said: [],
    fault: undefined,
  });
  expect(await saved("out/run.bin")).toBe("a,b");
  expect((await readFile(path.join(host.folder, "out/mz.bin"))).toString("hex")).toBe("4d5a900003000000");
});

test("adSaveCreateNotExist keeps what is there, adSaveCreateOverWrite replaces it", async () => {
  const code = `const s = new ActiveXObject("ADODB.Stream"); s.Charset = "us-ascii"; s.Open(); s.WriteText("one"); s.SaveToFile("out/new.txt");
    s.WriteText("TWO"); s.SaveToFile("out/new.txt", adSaveCreateOverWrite); s.SaveToFile("out/new.txt", adSaveCreateNotExist)`;
  const { said } = await host.run(code, ALLOWED);
  expect(said).toEqual([
    expect.stringMatching(/^adErrWriteFile -2146825284 "out\/new\.txt": it is there already/),
  ]);
  expect(await saved("out/new.txt")).toBe("TWO");
  expect((await readdir(path.join(host.folder, "out"))).filter((name) => name.startsWith("."))).toEqual([]);
});

test("folders that the path names are made, as far as allow.write reaches", async () => {
  const code = `msg.GetStream().SaveToFile("out/2026/11/22/a.eml", 2); msg.GetStream().SaveToFile("out/2026/11/23/a.eml")`;
  expect((await host.run(code, ALLOWED)).said).toEqual([]);
  expect(await readdir(path.join(host.folder, "out/2026/11"))).toEqual(["22", "23"]);
  const { said } = await host.run(`msg.GetStream().SaveToFile("elsewhere/x.txt")`, ALLOWED);
  expect(said).toEqual([expect.stringMatching(/^CDO_E_UNSAFE_OPERATION .*allow\.write/)]);
  expect(existsSync(path.join(host.folder, "elsewhere"))).toBe(false);
});

test("what was saved can be loaded again", async () => {
  const code = `msg.GetStream().SaveToFile("out/again.eml", 2);
    const s = new ActiveXObject("ADODB.Stream"); s.Charset = "us-ascii"; s.Open(); s.LoadFromFile("out/again.eml"); console.log(s.ReadText(-2))`;
  expect((await host.run(code, ALLOWED)).said).toEqual(["From: a@example.com"]);
});

test("a file is saved when it is said, also by a script that fails afterwards", async () => {
  const { fault } = await host.run(
    `msg.GetStream().SaveToFile("out/early.eml", 2); msg.Subject = "x"; msg.DataSource.Save(); for (;;) msg.GetStream()`,
    ALLOWED,
    { limits: { hostCalls: 50 } },
  );
  expect(fault).toMatch(/hostCalls/);
  expect(await saved("out/early.eml")).toMatch(/^From:/);
});

describe("refused, and nothing is written", () => {
  const NOT_COVERED = /^CDO_E_UNSAFE_OPERATION .*allow\.write/;
  const FAILED = /^adErrWriteFile .*/;

  test.each<[string, string, RegExp, Capabilities?]>([
    ["without any grant", "out/x.txt", /^CDO_E_NOT_AVAILABLE .*allow: \{ write/, { read: ["**"] }],
    ["what no pattern covers", "lib/x.txt", NOT_COVERED],
    ["a path that leaves the folder", "out/../../x.txt", NOT_COVERED],
    ["a path that leaves what is covered", "out/../x.txt", NOT_COVERED],
    ["an absolute path", "/tmp/onarrival-x.txt", NOT_COVERED],
    ["a folder that a link leads out by", "out/leaving/x.txt", /^CDO_E_UNSAFE_OPERATION .*link/],
    ["a folder that a link leads to another by", "out/inside/x.txt", /^CDO_E_UNSAFE_OPERATION .*link/],
    ["a link", "out/link.txt", FAILED],
    ["a script", "out/x.js", /^CDO_E_UNSAFE_OPERATION .*scripts/],
    ["a script itself", "s.js", /^CDO_E_UNSAFE_OPERATION .*scripts/, { write: ["**"] }],
    ["the packages", "package.json", /^CDO_E_UNSAFE_OPERATION .*scripts/, { write: ["**"] }],
    ["a hidden file", "out/.x", /^CDO_E_UNSAFE_OPERATION .*(?:hidden|allow\.write)/, { write: ["out/.*"] }],
    ["a tree of folders that are not there", `out/${"n/".repeat(17)}x.txt`, /^adErrWriteFile .*folder/],
    ["a folder that lies behind a file", "out/there.txt/none/x.txt", FAILED],
    ["a folder that a link to nowhere names", "out/nowhere/x.txt", /^adErrWriteFile .*folder/],
    ["folders in what a link leads out to", "out/leaving/new/x.txt", /^CDO_E_UNSAFE_OPERATION .*link/],
    [
      "a folder that is hidden",
      "out/.git/x.txt",
      /^CDO_E_UNSAFE_OPERATION .*(?:hidden|allow\.write)/,
      { write: ["out/.git/*"] },
    ],
    ["a folder", "out/deep", FAILED],
    ["a name with NUL", "out/a\0b", NOT_COVERED],
    ["a name that is too long", `out/${"x".repeat(2000)}`, FAILED],
    [
      "what the disk refuses, in words without paths of the machine",
      `out/${"x".repeat(300)}`,
      /^adErrWriteFile -\d+ "[^"]*": it cannot be written \(ENAMETOOLONG\): the/,
    ],
    ["a URL", "https://example.com/x", /^CDO_E_NOT_AVAILABLE /],
    ["no name", "", /^CDO_E_ARGUMENT1 /],
  ])("%s", async (_what, name, expected, allow = ALLOWED) => {
    const code = `msg.GetStream().SaveToFile(${JSON.stringify(name)}, 2)`;
    const { said, message } = await host.run(code, allow);
    expect(said).toEqual([expect.stringMatching(expected)]);
    expect(message).toMatch(/old text\r\n$/);
    expect(await readFile(path.join(host.root, "outside.txt"), "utf8")).toBe("outside");
    expect(await readdir(path.join(host.root, "elsewhere"))).toEqual([]);
    expect(await readdir(path.join(host.folder, "lib"))).toEqual([]);
    expect(existsSync(path.join(host.folder, "x.txt")) || existsSync("/tmp/onarrival-x.txt")).toBe(false);
  });

  test.each([
    ["an unknown option", `msg.GetStream().SaveToFile("out/o.txt", 3)`, /^adErrInvalidArgument /],
    ["a closed stream", `new ActiveXObject("ADODB.Stream").SaveToFile("out/o.txt")`, /^adErrObjectClosed /],
    ["a multipart", `msg.BodyPart.SaveToFile("out/o.txt")`, /^CDO_E_MULTIPART_NO_DATA /],
  ])("%s", async (_what, code, expected) => {
    expect((await host.run(code, ALLOWED, { message: ALTERNATIVE })).said).toEqual([
      expect.stringMatching(expected),
    ]);
    expect(existsSync(path.join(host.folder, "out/o.txt"))).toBe(false);
  });

  test("more than limits.requests and limits.requestBytes", async () => {
    const loop = `for (let i = 0; i < 9; i++) msg.GetStream().SaveToFile("out/many" + i, 2)`;
    expect((await host.run(loop, ALLOWED, { limits: { requests: 3 } })).fault).toMatch(/requests \(3\)/);
    expect(existsSync(path.join(host.folder, "out/many2"))).toBe(true);
    expect(existsSync(path.join(host.folder, "out/many3"))).toBe(false);
    expect((await host.run(loop, ALLOWED, { limits: { requestBytes: 10 } })).fault).toMatch(
      /requestBytes \(10\)/,
    );
  });
});
