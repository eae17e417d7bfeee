// `onarrival scripts …` against a running service: what is live, what it did, and switching it.
import { expect, test } from "vitest";
import { ask } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { subjectOfNext } from "../support/probe.ts";
import { startService, type Service } from "../support/service.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const tagging = (word: string): string => `export const binding = { displayName: "Tagger", priority: 7 };
export default function onArrival(msg) {
  console.log("tagging with ${word}");
  msg.Subject = "${word} " + msg.Subject;
  msg.DataSource.Save();
}
`;

interface Shown {
  readonly name: string;
  readonly version?: string;
  readonly broken?: string;
  readonly disabled: boolean;
  readonly pinned: boolean;
  readonly running: boolean;
  readonly calls: number;
  readonly faults: number;
  readonly bindings: readonly { displayName: string; priority: number; mode: string; enabled: boolean }[];
  readonly versions?: readonly { version: string }[];
}

async function scripts(
  service: Service,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const { code, stdout, stderr } = await ask(service, "scripts", ...args, "--config", service.configFile);
  return { code, out: stdout, err: stderr };
}

async function shown(service: Service): Promise<Shown> {
  const { out } = await scripts(service, "show", "tag.js", "--json");
  return JSON.parse(out);
}

test("list, show and log tell what is live and what it did; rollback holds over a restart until the file changes", async () => {
  const config = { scripts: { folder: "./scripts" } };
  await using service = await startService({ config, scripts: { "tag.js": tagging("one") } });
  expect(await subjectOfNext(service)).toBe("one probe");
  const first = await shown(service);
  expect(first).toMatchObject({
    name: "tag.js",
    disabled: false,
    pinned: false,
    running: true,
    calls: 1,
    faults: 0,
  });
  expect(first.bindings).toMatchObject([{ displayName: "Tagger", priority: 7, mode: "live", enabled: true }]);
  await service.writeScript("tag.js", tagging("two"));
  await service.logged(/script reloaded/);
  expect((await scripts(service, "list")).out).toMatch(
    /^NAME +VERSION[^]*tag\.js +[0-9a-f]{16} .* live +1 +0 +Tagger at 7: every message/,
  );
  expect((await scripts(service, "log", "tag.js")).out).toMatch(
    /tagging with one[^]*script reloaded \(was [0-9a-f]{16}\)/,
  );

  expect(await scripts(service, "rollback", "tag.js")).toMatchObject({ code: 0 });
  expect(await shown(service)).toMatchObject({ version: first.version, pinned: true });
  expect(await subjectOfNext(service)).toBe("one probe");
  await service.restart();
  expect(await subjectOfNext(service)).toBe("one probe");
  expect((await scripts(service, "list")).out).toContain("rolled back");
  await service.writeScript("tag.js", tagging("three"));
  await service.logged(/it is no longer rolled back/);
  await eventually(async () => (await subjectOfNext(service)) === "three probe", {
    what: "the third version",
  });

  expect(await scripts(service, "rollback", "tag.js", "0000")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no version 0000"),
  });
  expect(await scripts(service, "show", "none.js")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no script none.js"),
  });
  // Once as people call it: what it answers becomes the exit code of a process.
  expect((await service.command("scripts", "sho", "tag.js")).code).toBe(2);
});

test("a disabled script is not called, also after a restart, and lets go of what it held; enable brings it back", async () => {
  const config = { scripts: { folder: "./scripts" } };
  const failing = "export default function onArrival() { throw new Error('on purpose'); }\n";
  await using service = await startService({ config, scripts: { "tag.js": failing } });
  await send(service.port, { data: plainMessage("held") });
  await eventually(async () => (await service.queue())[0]?.reason !== undefined, {
    what: "the held message",
  });
  expect((await scripts(service, "log", "tag.js")).out).toMatch(/throw: tag\.js:1:\d+: Error: on purpose/);
  expect(await scripts(service, "disable", "tag.js")).toMatchObject({ code: 0 });
  await service.dropped(1);
  await service.restart();
  expect(await subjectOfNext(service)).toBe("probe");
  await service.kill();
  const stopped = await scripts(service, "list");
  expect(stopped).toMatchObject({ code: 0 });
  expect(stopped.out).toMatch(/^no service runs[^]*tag\.js .* disabled/);
  expect(await scripts(service, "enable", "tag.js")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no service answers"),
  });
  await service.start();
  expect(await scripts(service, "enable", "tag.js")).toMatchObject({ code: 0 });
  expect(await shown(service)).toMatchObject({ disabled: false });
});
