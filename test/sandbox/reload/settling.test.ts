// What is live after a save is whole, and ready: its first message runs where it was looked at.
import { utimes } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { Content } from "../../../src/message/content.ts";
import { eventually } from "../../support/eventually.ts";
import { OTHER, type Reloading, startReloading } from "./reload-fixture.ts";
import { NO_ENVELOPE } from "../../support/no-envelope.ts";

const SETTLE_MS = 500;
const NAMED = `import { name } from "./lib/name.ts";
export const binding = { displayName: name };
export default function onArrival() {}
`;
const nameOf = ({ host }: Reloading): string | undefined => host.scripts.get("a.ts")?.binding.displayName;

test("R04: an import that is written in two parts does not go live half", async () => {
  await using reloading = await startReloading(
    { "a.ts": NAMED, "lib/name.ts": 'export const name = "old";\n' },
    { settings: { settleMs: SETTLE_MS } },
  );
  const seen = new Set<string | undefined>();
  reloading.host.onChange(() => seen.add(nameOf(reloading)));
  const before = reloading.version();
  await reloading.write("lib/name.ts", 'export let name = "half";\n');
  await sleep(SETTLE_MS / 5);
  await reloading.append("lib/name.ts", 'name = "whole";\n');
  await reloading.changed(before);
  seen.delete("old");
  expect([...seen]).toEqual(["whole"]);
});

test("R09: an import that is touched and says the same builds nothing; one that says another thing does, whatever its times are", async () => {
  await using reloading = await startReloading({
    "a.ts": NAMED,
    "lib/name.ts": 'export const name = "old";\n',
  });
  const before = reloading.version();
  const reloads = (): number => reloading.lines.filter(({ message }) => message === "script reloaded").length;
  await utimes(reloading.path("lib/name.ts"), new Date(), new Date());
  await reloading.write("lib/name.ts", 'export const name = "old";\n');
  await reloading.write("lib/name.ts", 'export const name = "new";\n');
  await utimes(reloading.path("lib/name.ts"), 0, 0);
  await reloading.changed(before);
  expect(nameOf(reloading)).toBe("new");
  expect(reloads()).toBe(1);
});

/** Says by its binding and in its log when it was loaded. */
const BORN = (limits: string): string => `const born = String(Math.random());
export const binding = { displayName: born, limits: {${limits}} };
export default function onArrival() { console.log(born); }
`;

async function logOf({ host }: Reloading): Promise<string | undefined> {
  const script = host.scripts.get("a.ts");
  if (script === undefined) return undefined;
  const { outcomes } = await host.run({
    messageId: "m",
    content: Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
    envelope: NO_ENVELOPE,
    calls: [
      {
        script,
        bindingName: "a",
        sinkProperties: {},
        limits: { ...DEFAULT_SCRIPT_LIMITS, ...script.binding.limits },
        allow: {},
        cacheable: true,
        continueOnFault: false,
      },
    ],
  });
  return outcomes[0]?.logs[0]?.text;
}

test("the first message after a save runs in the isolate in which the script was looked at, unless its limits ask for another", async () => {
  await using reloading = await startReloading({ "a.ts": OTHER });
  const saved = async (note: string, limits = ""): Promise<boolean> => {
    const before = reloading.version();
    await reloading.write("a.ts", `${BORN(limits)}globalThis.note = "${note}";\n`);
    await reloading.changed(before);
    const log = await logOf(reloading);
    expect(log).toMatch(/^0\.\d+$/);
    return log === nameOf(reloading);
  };
  let saves = 0;
  // While the process for new versions starts, any of them looks at it.
  await eventually(() => saved(String((saves += 1))), { what: "a version that was kept" });
  expect(await saved("with less memory", "memoryMb: 100")).toBe(false);
});
