import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BindingEditor } from "../../../src/config/edit.ts";
import { loadConfig } from "../../../src/config/load.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-edit-"));
  file = path.join(folder, "onarrival.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const TEXT = `# the relay of the branch office
mailroot: ./mailroot # on the fast disk
bindings:
  # asked for by the lawyers
  - displayName: Disclaimer
    event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: disclaimer.ts }
    sourceProperties: { rule: "MAIL FROM=*@example.com", priority: 300 }

  - displayName: Tag # keep last
    event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: tag.ts }
`;

async function edit(change: (editor: BindingEditor) => void): Promise<string> {
  const editor = await BindingEditor.open(file);
  change(editor);
  await editor.save();
  return readFile(file, "utf8");
}

test("an added binding stands at the end, every comment and the order stay", async () => {
  await writeFile(file, TEXT);
  const text = await edit((editor) =>
    editor.add({
      event: "OnArrival",
      displayName: "Copy",
      sinkClass: "CDO.SS_SMTPOnArrivalSink",
      scriptName: "copy.ts",
      rule: "RCPT TO=*",
    }),
  );
  expect(text.startsWith(TEXT.trimEnd())).toBe(true);
  const { bindings } = await loadConfig(file);
  expect(bindings.map((binding) => binding.displayName)).toEqual(["Disclaimer", "Tag", "Copy"]);
  expect(bindings[2]).toMatchObject({
    enabled: true,
    sinkProperties: { ScriptName: "copy.ts" },
  });
  // A priority that is not given is left to the sink.
  expect(bindings[2]?.sourceProperties).toEqual({ rule: "RCPT TO=*" });
});

test("properties of both bags and of the binding itself are set and unset", async () => {
  await writeFile(file, TEXT);
  const text = await edit((editor) => {
    editor.set("Disclaimer", "source", "Priority", 7);
    editor.set("Disclaimer", "sink", "Footer", "Regards");
    editor.set("Tag", "binding", "enabled", false);
    editor.set("Tag", "binding", "limits.timeoutMs", 200);
    expect(editor.unset("Disclaimer", "source", "rule")).toBe(true);
    expect(editor.unset("Disclaimer", "source", "rule")).toBe(false);
    expect(editor.unset("Tag", "sink", "ScriptName")).toBe(true);
  });
  for (const comment of ["# the relay of", "# on the fast disk", "# asked for by", "# keep last"])
    expect(text).toContain(comment);
  const [disclaimer, tag] = (await loadConfig(file)).bindings;
  expect(disclaimer).toMatchObject({
    sourceProperties: { priority: 7 },
    sinkProperties: { Footer: "Regards" },
  });
  expect(disclaimer?.sourceProperties?.rule).toBeUndefined();
  expect(tag).toMatchObject({ enabled: false, limits: { timeoutMs: 200 } });
  expect(tag?.sinkProperties).toBeUndefined();
});

test("a property is the same one however it is spelled, and keeps its spelling", async () => {
  await writeFile(file, TEXT);
  const text = await edit((editor) => {
    editor.set("Disclaimer", "sink", "Footer", "Regards");
    editor.set("Disclaimer", "sink", "FOOTER", "Yours");
    editor.set("Tag", "sink", "scriptname", "other.js");
    expect(editor.unset("Disclaimer", "source", "RULE")).toBe(true);
  });
  expect(text).not.toMatch(/FOOTER|scriptname/);
  const [disclaimer, tag] = (await loadConfig(file)).bindings;
  expect(disclaimer?.sinkProperties).toMatchObject({ Footer: "Yours" });
  expect(tag?.sinkProperties).toEqual({ ScriptName: "other.js" });
});

test("a binding is found by its GUID in any spelling, and by its exact name", async () => {
  await writeFile(file, TEXT);
  const id = (await loadConfig(file)).bindings[1]?.id ?? "";
  await edit((editor) => editor.remove(id.toLowerCase().slice(1, -1)));
  expect((await loadConfig(file)).bindings.map((binding) => binding.displayName)).toEqual(["Disclaimer"]);
  await expect(edit((editor) => editor.remove("disclaimer"))).rejects.toMatchObject({
    code: "BINDING_NOT_FOUND",
  });
});

test("a change that would make the file invalid is refused and the file stays as it was", async () => {
  await writeFile(file, TEXT);
  await expect(edit((editor) => editor.set("Tag", "source", "priority", 99_999))).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
  await expect(edit((editor) => editor.set("Tag", "binding", "colour", "red"))).rejects.toThrow(
    /unknown key/,
  );
  expect(await readFile(file, "utf8")).toBe(TEXT);
  expect(await readdir(folder)).toEqual(["onarrival.yaml"]);
});

test("a change that was attempted and is wrong is taken back, and what comes after it is written", async () => {
  await writeFile(file, TEXT);
  await edit((editor) => {
    expect(editor.attempt(() => editor.set("Tag", "binding", "maxFirings", "x"))).toMatch(/maxFirings/);
    expect(editor.attempt(() => editor.set("Tag", "source", "priority", 7))).toBeUndefined();
  });
  expect((await loadConfig(file)).bindings[1]).toMatchObject({ sourceProperties: { priority: 7 } });
  expect(await readFile(file, "utf8")).not.toContain("maxFirings");
});

test("a file that somebody else changed meanwhile is not overwritten", async () => {
  await writeFile(file, TEXT);
  const editor = await BindingEditor.open(file);
  editor.remove("Tag");
  await writeFile(file, `${TEXT}# by hand\n`);
  await expect(editor.save()).rejects.toThrow(/changed by somebody else/);
  expect(await readFile(file, "utf8")).toBe(`${TEXT}# by hand\n`);
});

test("a file is begun where there is none, and a broken one is refused", async () => {
  await edit((editor) =>
    editor.add({
      event: "OnArrival",
      displayName: "First",
      sinkClass: "CDO.SS_SMTPOnArrivalSink",
      scriptName: "a.ts",
    }),
  );
  expect((await loadConfig(file)).bindings).toHaveLength(1);
  await writeFile(file, "bindings: [");
  await expect(BindingEditor.open(file)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

describe("what is not the text stays as it is", () => {
  const NOBODY = 65_534;
  const isRoot = process.getuid?.() === 0;
  const removeTag = (): Promise<string> => edit((editor) => editor.remove("Tag"));

  test("the mode, whatever the umask", async () => {
    await writeFile(file, TEXT);
    await chmod(file, 0o664);
    const before = process.umask(0o077);
    try {
      await removeTag();
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o664);
  });

  test("a link: the file that it names is written", async () => {
    const target = path.join(folder, "etc", "relay.yaml");
    await mkdir(path.dirname(target));
    await writeFile(target, TEXT);
    await symlink(target, file);
    await removeTag();
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await readFile(target, "utf8")).not.toContain("Tag");
    expect(await readdir(path.dirname(target))).toEqual(["relay.yaml"]);
  });

  test.runIf(isRoot)("owner and group, so that the service can read it still", async () => {
    await writeFile(file, TEXT);
    await chown(file, 0, NOBODY);
    await chmod(file, 0o640);
    await removeTag();
    const { uid, gid, mode } = await stat(file);
    expect([uid, gid, mode & 0o777]).toEqual([0, NOBODY, 0o640]);
  });

  test.runIf(isRoot)("whoever cannot keep the owner is refused, and nothing is written", async () => {
    await writeFile(file, TEXT);
    await chown(folder, NOBODY, NOBODY);
    process.setegid?.(NOBODY);
    process.seteuid?.(NOBODY);
    try {
      await expect(removeTag()).rejects.toThrow(
        /its owner and group \(0:0\) would change; run the command as root or as its owner \(EPERM/,
      );
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    expect(await readFile(file, "utf8")).toBe(TEXT);
    expect(await readdir(folder)).toEqual(["onarrival.yaml"]);
  });
});

describe("commands that edit the file at the same time", () => {
  const add = async (displayName: string): Promise<void> => {
    await using editor = await BindingEditor.lock(file);
    editor.add({
      event: "OnArrival",
      displayName,
      sinkClass: "CDO.SS_SMTPOnArrivalSink",
      scriptName: "a.ts",
    });
    await editor.save();
  };

  test("wait for one another, and no binding is lost", async () => {
    await writeFile(file, TEXT);
    const names = ["A", "B", "C", "D"];
    await Promise.all(names.map((name) => add(name)));
    const { bindings } = await loadConfig(file);
    expect(bindings.map(({ displayName }) => displayName).sort()).toEqual([...names, "Disclaimer", "Tag"]);
    expect(await readdir(folder)).toEqual(["onarrival.yaml"]);
  });

  // The clock may have been set back since.
  test.each([-60_000, 60_000])("one that was killed is not waited for (%i ms)", async (ms) => {
    const lock = path.join(folder, ".onarrival.yaml.lock");
    await writeFile(lock, "");
    await utimes(lock, new Date(), new Date(Date.now() + ms));
    await add("A");
    expect(await readdir(folder)).toEqual(["onarrival.yaml"]);
  });

  test("one that finds a broken file holds up nobody", async () => {
    await writeFile(file, "bindings: [");
    await expect(add("A")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(await readdir(folder)).toEqual(["onarrival.yaml"]);
  });
});

test("a key below one that has a value is refused, and nothing is written", async () => {
  await writeFile(file, TEXT);
  for (const change of [
    (editor: BindingEditor): void => editor.set("Tag", "binding", "sinkClass.x.y", 1),
    (editor: BindingEditor): void => void editor.unset("Tag", "binding", "event.x"),
  ])
    await expect(edit(change)).rejects.toMatchObject({ code: "WRONG_USE" });
  expect(await readFile(file, "utf8")).toBe(TEXT);
});

test("a property of a bag that is not there is not there", async () => {
  await writeFile(file, "bindings: [{ displayName: Bare, event: OnArrival, sinkClass: ./a.mjs }]\n");
  await edit((editor) => {
    expect(editor.unset("Bare", "sink", "Tag")).toBe(false);
    expect(editor.unset("Bare", "source", "priority")).toBe(false);
    expect(editor.unset("Bare", "binding", "limits.timeoutMs")).toBe(false);
    expect(editor.unset("Bare", "binding", "displayName")).toBe(true);
  });
});
