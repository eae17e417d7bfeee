// What a script is made of: whichever of it changes, in whichever way, the script follows.
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../support/temp-folder.ts";
import { OTHER, type Reloading, startReloading } from "./reload-fixture.ts";

const naming = (specifier: string): string => `import { name } from "${specifier}";
export const binding = { displayName: name };
export default function onArrival() {}
`;
const named = (name: string): string => `export const name = "${name}";\n`;
const nameOf = ({ host }: Reloading): string | undefined => host.scripts.get("a.ts")?.binding.displayName;

/** As deployments do it: no moment without the link. */
async function turn(link: string, target: string): Promise<void> {
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
}

/** Nothing is found by a scan. */
const EVENTS = { settings: { rescanMs: 60_000 } };
/** Nothing is found by anything else. */
const POLL = { settings: { watch: "poll", pollMs: 50 } } as const;

describe("a scripts folder that is a link", () => {
  test("serves modules and what they import, and edits of both", async () => {
    await using temp = await tempFolder();
    await mkdir(join(temp.path, "real/lib"), { recursive: true });
    await symlink("real", join(temp.path, "scripts"));
    const folder = join(temp.path, "scripts");
    await writeFile(join(folder, "a.ts"), naming("./lib/name.ts"));
    await writeFile(join(folder, "lib/name.ts"), named("old"));
    await using reloading = await startReloading({}, { folder, ...EVENTS });
    expect(Object.fromEntries(reloading.host.broken)).toEqual({});
    expect(nameOf(reloading)).toBe("old");
    expect((await reloading.control.show("a.ts")).imports).toEqual([join("lib", "name.ts")]);
    let before = reloading.version();
    await writeFile(join(folder, "lib/name.ts"), named("new"));
    before = await reloading.changed(before);
    expect(nameOf(reloading)).toBe("new");
    await writeFile(join(temp.path, "real/lib/name.ts"), named("newer"));
    before = await reloading.changed(before);
    expect(nameOf(reloading)).toBe("newer");
    await writeFile(join(folder, "a.ts"), OTHER);
    await reloading.changed(before);
  });

  test("is followed when it is turned", async () => {
    await using temp = await tempFolder();
    for (const name of ["v1", "v2"]) {
      await mkdir(join(temp.path, name, "lib"), { recursive: true });
      await writeFile(join(temp.path, name, "a.ts"), naming("./lib/name.ts"));
      await writeFile(join(temp.path, name, "lib/name.ts"), named(name));
    }
    const folder = join(temp.path, "scripts");
    await symlink("v1", folder);
    await using reloading = await startReloading({}, { folder });
    expect(nameOf(reloading)).toBe("v1");
    const before = reloading.version();
    await turn(folder, "v2");
    await reloading.changed(before);
    expect(nameOf(reloading)).toBe("v2");
  });
});

describe.each([
  ["notices", EVENTS],
  ["scans", POLL],
] as const)("a link below the folder, where %s tell of changes,", (by, options) => {
  const folders = ["_v1", "_v2"];
  const files = ["_v1/name.ts", "_v2/name.ts"];
  test.each([
    { to: "a folder", link: "lib", targets: folders, specifier: "./lib/name.ts" },
    { to: "a folder", link: "lib", targets: folders, specifier: "./lib/name" },
    { to: "a folder with an index", link: "lib", targets: folders, specifier: "./lib" },
    { to: "a file", link: "_name.ts", targets: files, specifier: "./_name.ts" },
    // Notices name the link, which the import does not.
    ...(by === "scans" ? [{ to: "a file", link: "_name.ts", targets: files, specifier: "./_name" }] : []),
  ])(
    "R05: to $to, imported as $specifier, is followed when it is turned, as are edits behind it",
    async ({ link, targets: [from = "", to = ""], specifier }) => {
      const targets = folders.flatMap((name) => [
        [`${name}/name.ts`, named(name)],
        [`${name}/index.ts`, named(name)],
      ]);
      await using reloading = await startReloading(Object.fromEntries(targets), options);
      await symlink(from, reloading.path(link));
      await reloading.write("a.ts", naming(specifier));
      const first = await reloading.changed(undefined);
      expect(nameOf(reloading)).toBe("_v1");
      await turn(reloading.path(link), to);
      const second = await reloading.changed(first);
      expect(nameOf(reloading)).toBe("_v2");
      await reloading.write(specifier === "./lib" ? "_v2/index.ts" : "_v2/name.ts", named("edited"));
      await reloading.changed(second);
      expect(nameOf(reloading)).toBe("edited");
    },
  );
});

describe("where scans tell of changes, a script that does not compile", () => {
  test.each(["./lib/name.ts", "./lib/name"])(
    "goes live when what it imports as %s comes, and its folder with it",
    async (specifier) => {
      await using reloading = await startReloading({}, POLL);
      await reloading.write("a.ts", naming(specifier));
      await reloading.refused("a.ts", /Could not resolve/);
      await reloading.write("lib/name.ts", named("there"));
      await reloading.changed(undefined);
      expect(nameOf(reloading)).toBe("there");
    },
  );

  test("goes live when the file is corrected that it imports, and does not rest on itself", async () => {
    await using reloading = await startReloading({ "lib/name.ts": "export const nmae = 1;\n" }, POLL);
    await reloading.write("a.ts", naming("./lib/name.ts"));
    await reloading.refused("a.ts", /No matching export/);
    expect((await reloading.control.show("a.ts")).imports).toEqual([join("lib", "name.ts")]);
    await reloading.write("lib/name.ts", 'export { name } from "./_own.ts";\n');
    await reloading.refused("a.ts", /^lib.name\.ts:1:\d+: Could not resolve/);
    await reloading.write("lib/_own.ts", named("there"));
    await reloading.changed(undefined);
    expect(nameOf(reloading)).toBe("there");
  });
});

describe("packages", () => {
  test("a changed map of imports in package.json reloads those that use it", async () => {
    const mapTo = (file: string): string => JSON.stringify({ imports: { "#name": file } });
    await using reloading = await startReloading(
      {
        "a.ts": naming("#name"),
        "lib/one.ts": named("one"),
        "lib/two.ts": named("two"),
        "package.json": mapTo("./lib/one.ts"),
      },
      EVENTS,
    );
    const before = reloading.version();
    await reloading.write("package.json", mapTo("./lib/two.ts"));
    await reloading.changed(before);
    expect(nameOf(reloading)).toBe("two");
  });

  test("a patched file of a package reloads those that use it", async () => {
    await using reloading = await startReloading(
      { "a.ts": naming("names"), "node_modules/names/index.js": named("old") },
      POLL,
    );
    const before = reloading.version();
    await reloading.write("node_modules/names/index.js", named("patched"));
    await reloading.changed(before);
    expect(nameOf(reloading)).toBe("patched");
  });
});
