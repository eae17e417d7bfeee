// What the sinks did to a message, as `onarrival explain` tells it from the records of the real service.
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type MessageEffects, findEffects } from "../../src/observe/effect-search.ts";
import { ask } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type CommandResult, type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const sets = (subject: string, binding: object): string => `
export const binding = ${JSON.stringify(binding)};
export default function onArrival(msg) {
  msg.Subject = ${JSON.stringify(subject)};
  msg.DataSource.Save();
}`;

const effectsFolder = (service: Service): string => join(service.mailroot, "Effects");

const explain = (service: Service, ...args: string[]): Promise<CommandResult> =>
  ask(service, "explain", ...args);

/** Sends a message to the service and answers its id. */
async function sendOne(service: Service, subject: string, to = "first@localhost"): Promise<string> {
  const { text } = await send(service.port, { to, data: plainMessage(subject) });
  const id = /<([0-9A-Z]{18})>/.exec(text)?.[1];
  if (id === undefined) throw new Error(`no id in ${text}`);
  return id;
}

/** The records of a message, when it has had `runs` of them. Read here and not by the command, which would be a process for each look. */
function recorded(service: Service, id: string, runs = 1): Promise<MessageEffects> {
  return eventually(
    async () => {
      const [message] = (await findEffects(effectsFolder(service), id)).messages;
      return message !== undefined && message.runs.length >= runs && message;
    },
    { what: `${runs} records of ${id}`, timeoutMs: 20_000 },
  );
}

test("explain tells what each binding did, with its source line, and why the others were not called", async () => {
  await using service = await startService({
    config: serviceConfig({
      bindings: [
        {
          event: "OnArrival",
          displayName: "marks",
          sinkClass: "OnArrival.AddHeader",
          sourceProperties: { priority: 1 },
          sinkProperties: { Name: "X-Marked", Value: "secret value" },
        },
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "off.js" },
          enabled: false,
        },
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "old.js" },
          expiration: "2020-01-01",
        },
      ],
    }),
    scripts: {
      "a-tags.js": sets("tagged", { priority: 2 }),
      "b-other.js": sets("never", { priority: 3, rule: "RCPT TO=other@localhost" }),
      "c-skips.js": `export const binding = { priority: 4 };\nexport default () => 1;`,
      "d-late.js": sets("never", { priority: 32767 }),
      "off.js": sets("never", { priority: 5 }),
      "old.js": sets("never", { priority: 3 }),
    },
  });
  const id = await sendOne(service, "order");
  const { runs } = await recorded(service, id);
  expect(runs.map(({ line }) => line.end)).toEqual(["submitted"]);
  expect(runs[0]?.line.calls).toMatchObject([
    { position: 0, changes: [{ what: "header" }, { what: "content" }] },
    {
      changes: [{ what: "header Subject", at: expect.stringMatching(/^a-tags\.js:4:\d+$/) }],
      heap: expect.any(Number),
    },
    { verdict: 1 },
  ]);
  const { stdout } = await explain(service, id.slice(0, 16));
  const at = (text: string): number => {
    expect(stdout).toContain(text);
    return stdout.indexOf(text);
  };
  expect(at("+  marks:")).toBeLessThan(at("+  a-tags.js: version"));
  expect(at("b-other.js: not called: the rule did not match (RCPT TO=other@localhost)")).toBeLessThan(
    at("+  c-skips.js:"),
  );
  at("old.js: not called: its expiration is over");
  at("d-late.js: not reached: a sink before it answered to skip the remaining ones");
  at("off.js: not called: disabled");
  at("run 1, OnTransportSubmission, ended");
  // Values of header fields are nobody's business here.
  expect(stdout).not.toMatch(/secret value|tagged/);
  const json = await explain(service, "<order@example.com>", "--json");
  expect(JSON.parse(json.stdout)).toEqual(JSON.parse(JSON.stringify([await recorded(service, id)])));
  const absent = await explain(service, "0000000000AAABBBBBB".slice(0, 18));
  expect(absent.code).toBe(1);
  expect(absent.stderr).toMatch(/no record .* older records .* are gone/);
});

test("a message that a script holds has a run for each try, and what became of it", async () => {
  await using service = await startService({
    config: {},
    scripts: {
      "breaks.js": `export default function onArrival(msg) {\n  throw new Error("not yet");\n}`,
    },
  });
  const id = await sendOne(service, "held");
  const held = await recorded(service, id);
  expect(held.runs[0]?.line).toMatchObject({
    end: "hold",
    why: expect.stringContaining("not yet"),
    calls: [{ fault: { kind: "throw", message: expect.stringContaining("breaks.js:2:") } }],
  });
  const broken = held.runs[0]?.line.calls[0]?.version;
  await service.writeScript("breaks.js", sets("mended", {}));
  await service.dropped(1);
  const released = await recorded(service, id, 2);
  expect(released.runs.map(({ line }) => line.end)).toEqual(["hold", "submitted"]);
  expect(released.runs[1]?.line.calls[0]?.version).not.toBe(broken);
  const { stdout } = await explain(service, id);
  expect(stdout).toMatch(/run 1, .*: held\n.*not yet[\s\S]*run 2, .*: submitted/);
});

test("records survive kill -9, a torn last line is passed over, and nothing runs when they are read", async () => {
  await using service = await startService({ config: {}, scripts: { "tags.js": sets("tagged", {}) } });
  const id = await sendOne(service, "before");
  await recorded(service, id);
  await service.kill("SIGKILL");
  const [name = ""] = await readdir(effectsFolder(service));
  const file = join(effectsFolder(service), name);
  const [line = ""] = (await readFile(file, "utf8")).split("\n").filter((text) => text.includes(id));
  await appendFile(file, line.slice(0, line.length / 2));
  expect((await recorded(service, id)).runs).toHaveLength(1);
  // Nor has the configuration to be one.
  const broken = join(service.mailroot, "broken.yaml");
  await writeFile(broken, "nonsense: 1\n");
  expect(await explain(service, id, "--config", broken)).toMatchObject({ code: 0, stderr: "" });
  expect((await explain(service, "000000000AAABBBBBB", "--config", broken)).stderr).toMatch(
    /^error: there is no record of 000000000AAABBBBBB; the oldest record is of /,
  );
  await service.start();
  const later = await sendOne(service, "after");
  await recorded(service, later);
  expect((await recorded(service, id)).runs).toHaveLength(1);
  expect((await readdir(effectsFolder(service))).length).toBe(2);
});

test("effects.enabled is live: without it nothing is recorded, and mail goes on when the folder cannot be written", async () => {
  const config = (enabled: boolean): Record<string, unknown> =>
    serviceConfig({ file: { effects: { enabled } } });
  await using service = await startService({
    config: config(false),
    scripts: { "tags.js": sets("tagged", {}) },
  });
  const quiet = await sendOne(service, "quiet");
  await service.dropped(1);
  await writeFile(effectsFolder(service), "in the way");
  await service.writeConfig(config(true));
  await service.kill("SIGHUP");
  await service.logged(/configuration reloaded/);
  await sendOne(service, "blocked");
  await service.dropped(2);
  await service.logged(/the effect log cannot be written/);
  await rm(effectsFolder(service));
  expect((await explain(service, quiet)).code).toBe(1);
});
