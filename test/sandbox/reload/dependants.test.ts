// Scripts that import files directly in the folder, which are scripts themselves; and scripts that are renamed.
import { rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { OTHER, type Reloading, SCRIPT, startReloading } from "./reload-fixture.ts";

const listing = (word: string): string =>
  `export const LIST = ["${word}"];\nexport default function onArrival() {}\n`;
const USER = `import { LIST } from "./base.js";
export const binding = { displayName: LIST.join() };
export default function onArrival() {}
`;

const wordOf = ({ host }: Reloading): string | undefined => host.scripts.get("user.js")?.binding.displayName;

test("R08: a script that changes, goes and comes back reloads those that import it", async () => {
  await using reloading = await startReloading({ "base.js": listing("one"), "user.js": USER });
  const before = [reloading.version("base.js"), reloading.version("user.js")] as const;
  await reloading.write("base.js", listing("two"));
  await reloading.changed(before[0], "base.js");
  const second = await reloading.changed(before[1], "user.js");
  expect(wordOf(reloading)).toBe("two");
  await reloading.remove("base.js");
  expect(await reloading.refused("user.js")).toMatch(/Could not resolve "\.\/base\.js"/);
  expect(reloading.version("user.js")).toBe(second);
  await reloading.write("base.js", listing("three"));
  await reloading.changed(second, "user.js");
  expect(wordOf(reloading)).toBe("three");
});

test("a script that is saved before the one it imports goes live with it, however soon that comes", async () => {
  // Told at once, or only after the import has come.
  for (const reportMs of [0, 2000]) {
    await using reloading = await startReloading({}, { settings: { reportMs } });
    await reloading.write("user.js", USER);
    if (reportMs === 0) await reloading.refused("user.js");
    else await sleep(300);
    await reloading.write("base.js", OTHER);
    await reloading.changed(undefined, "base.js");
    // It is there, and does not have yet what is imported.
    await reloading.write("base.js", listing("one"));
    await reloading.changed(undefined, "user.js");
    expect(reloading.host.broken.size).toBe(0);
  }
});

test("an import that is mended while the script that fails on it is looked at gives it another try", async () => {
  const waiting = `${USER}if (LIST[0] === "wait") for (;;);\n`;
  await using reloading = await startReloading({ "base.js": listing("wait") });
  await reloading.write("user.js", waiting);
  await sleep(200);
  await reloading.write("base.js", listing("go"));
  await reloading.changed(undefined, "user.js");
  expect(wordOf(reloading)).toBe("go");
});

test("R06: a renamed script is replaced in one step: no message meets both, and none meets neither", async () => {
  await using reloading = await startReloading(
    { "a.ts": SCRIPT, "twin.ts": SCRIPT },
    { settings: { removalMs: 60_000 } },
  );
  const seen = new Set<string>();
  // What runs on the messages that come after the turn in which scripts changed.
  reloading.host.onChange(() => queueMicrotask(() => seen.add([...reloading.host.scripts.keys()].join())));
  await rename(reloading.path("a.ts"), reloading.path("b.ts"));
  await eventually(() => !reloading.host.scripts.has("a.ts"), { what: "a.ts is removed", intervalMs: 5 });
  expect([...seen]).toEqual(["twin.ts,b.ts"]);
});
