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
  await writeFile(file, "");
  const source = new ConfigSource(file, { mailroot: "elsewhere" });
  expect((await source.load()).mailroot).toBe(path.resolve("elsewhere"));
  await rm(file);
  expect([await source.compare(), await source.compare()]).toEqual(["gone", "same"]);
  await writeFile(file, "");
  expect(await source.compare()).toBe("changed");
});
