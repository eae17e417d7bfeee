import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigSource } from "../../../src/config/config-source.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-source-"));
  file = path.join(folder, "onarrival.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a file is changed when its text is another than the one last loaded, valid or not", async () => {
  await writeFile(file, "mailroot: ./one\n");
  const source = new ConfigSource(file, {});
  expect((await source.load()).mailroot).toBe(path.join(folder, "one"));
  await writeFile(file, "mailroot: ./one\n");
  expect(await source.compare()).toBe("same");
  await writeFile(file, "mailrot: ./two\n");
  expect(await source.compare()).toBe("changed");
  await expect(source.load()).rejects.toThrow("mailrot: unknown key");
  expect(await source.compare()).toBe("same");
});

test("a file that goes away is told once, and one that comes back is a change", async () => {
  await writeFile(file, "{}\n");
  const source = new ConfigSource(file, { mailroot: "elsewhere" });
  expect((await source.load()).mailroot).toBe(path.resolve("elsewhere"));
  await rm(file);
  expect([await source.compare(), await source.compare()]).toEqual(["gone", "same"]);
  await writeFile(file, "{}\n");
  expect(await source.compare()).toBe("changed");
});

test("the directory of a categorizer is read with the file: its change is a change", async () => {
  const directory = path.join(folder, "people.yaml");
  await writeFile(directory, "users: { ann: }\n");
  await writeFile(file, "categorizer: { file: people.yaml }\n");
  const source = new ConfigSource(file, {});
  const config = await source.load();
  expect(Object.keys(config.directoryFiles.get("default")?.users ?? {})).toEqual(["ann@localhost"]);
  expect(source.files).toEqual([file, directory]);
  expect(await source.compare()).toBe("same");
  await writeFile(directory, "users: { ann: , bob: 7 }\n");
  expect(await source.compare()).toBe("changed");
  await expect(source.load()).rejects.toThrow("people.yaml:1:22 users.bob");
  expect(await source.compare()).toBe("same");
  await rm(directory);
  expect(await source.compare()).toBe("changed");
  await expect(source.load()).rejects.toThrow("ENOENT");
});

test("the directory that a refused file names is looked at, too: correcting it is a change", async () => {
  const [old, directory] = [path.join(folder, "old.yaml"), path.join(folder, "people.yaml")];
  await writeFile(old, "users: { ann: }\n");
  await writeFile(file, "categorizer: { file: old.yaml }\n");
  const source = new ConfigSource(file, {});
  await source.load();
  await writeFile(directory, "users: 7\n");
  await writeFile(file, "categorizer: { file: people.yaml }\n");
  await expect(source.load()).rejects.toThrow("people.yaml:1:8 users");
  expect(source.files).toEqual([file, old, directory]);
  expect(await source.compare()).toBe("same");
  await writeFile(directory, "users: { bob: }\n");
  expect(await source.compare()).toBe("changed");
  await source.load();
  expect(source.files).toEqual([file, directory]);
});
