import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { smtpregCommand } from "../../../src/cli/smtpreg.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { EVENTS } from "../../../src/events/catalog.ts";
import { EVENT_TYPES } from "../../../src/events/event-types.ts";
import type { BindingSettings } from "../../../src/config/schema.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-smtpreg-"));
  file = path.join(folder, "onarrival.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const smtpreg = (...args: readonly string[]): Promise<CommandRun> =>
  runInProcess([smtpregCommand], ["smtpreg", "-c", file, ...args]);

const bindings = async (): Promise<BindingSettings[]> => (await loadConfig(file)).bindings;
const ADD = ["/add", "1", "OnArrival", "MySink", "CDO.SS_SMTPOnArrivalSink", "mail from=*"] as const;
const GUID = "{871736C0-FD85-11D0-869A-00C04FD65616}";

describe("registration as administrators know it", () => {
  test("the three commands of the manual make a script binding, and comments stay", async () => {
    await writeFile(file, "# the branch office\nmailroot: ./mailroot # on the fast disk\n");
    const added = await smtpreg(...ADD);
    const [binding] = await bindings();
    expect(added.out.split("\n")).toEqual([
      "Binding Display Name Specified: MySink",
      "Assigning priority (24575 in 32767)",
      "** SUCCESS **",
      "Registered Binding:",
      " Event Name  :SMTP OnTransportSubmission/OnArrival",
      " Display Name:MySink",
      ` Binding GUID:${binding?.id ?? ""}`,
      " ProgID      :CDO.SS_SMTPOnArrivalSink",
      "   Rule      :mail from=*",
      "   Priority  :24575 (0 - 32767, default: 24575)",
      "   ComCatID  :{FF3CAA23-00B9-11D2-9DFB-00C04FA322BA}",
      "",
    ]);
    const named = await smtpreg("/setprop", "1", "OnArrival", "MySink", "Sink", "ScriptName", "my.js");
    expect(named.err).toBe(
      "warning: my.js is not in the scripts folder, so mail that the rule mail from=* matches is held: save a working my.js, or disable or remove the binding\n",
    );
    const set = await smtpreg("/setprop", "1", "OnArrival", "MySink", "Source", "Priority", "300");
    expect(set.out).toContain("set property Priority to 300\n");
    expect((await bindings())[0]).toMatchObject({
      event: "OnTransportSubmission",
      enabled: true,
      sinkProperties: { ScriptName: "my.js" },
      sourceProperties: { rule: "mail from=*", priority: 300 },
    });
    const text = await readFile(file, "utf8");
    expect(text).toMatch(/^# the branch office\nmailroot: \.\/mailroot # on the fast disk\n/);
    expect(text).not.toContain("server:");
  });

  test("a seventh argument is the priority", async () => {
    const { out } = await smtpreg(...ADD, "17");
    expect(out).toContain("   Priority  :17 (0 - 32767, default: 24575)");
    expect(out).not.toContain("Assigning priority");
    expect((await bindings())[0]?.sourceProperties?.priority).toBe(17);
  });

  test.each(["32768", "-1", "first"])("priority %s is refused and nothing is written", async (priority) => {
    const { code, out, err } = await smtpreg(...ADD, priority);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("no number from 0 to 32767");
    await expect(bindings()).rejects.toThrow("cannot be read");
  });

  test("a GUID in braces names the binding, a known one is registered anew", async () => {
    const added = await smtpreg("/add", "1", "OnArrival", GUID.toLowerCase(), "OnArrival.AddHeader", "");
    expect(added.out).toContain(` Binding GUID:${GUID.toLowerCase()}\n`);
    expect((await bindings())[0]).toMatchObject({ id: GUID, displayName: "OnArrival.AddHeader" });
    await smtpreg("/add", "1", "OnArrival", GUID, "OnArrival.AddHeader", "rcpt to=*", "5");
    expect(await bindings()).toHaveLength(1);
    expect((await bindings())[0]?.sourceProperties).toEqual({ rule: "rcpt to=*", priority: 5 });
    const { out } = await smtpreg("/remove", "1", "OnArrival", GUID);
    expect(out).toMatch(/^Binding GUID specified: .*\n\*\* SUCCESS \*\*\nRemoved Binding:\n/);
    expect(out).toContain(` Display Name:\n Binding GUID:${GUID}\n`);
    expect(await bindings()).toEqual([]);
  });

  test("a GUID of another virtual server is refused, and that binding stays", async () => {
    await writeFile(file, 'virtualServers: [{ name: a }, { name: b, listen: ["127.0.0.1:2526"] }]\n');
    await smtpreg("/add", "1", "OnArrival", GUID, "OnArrival.AddHeader", "");
    const { code, out } = await smtpreg("/add", "2", "OnArrival", GUID, "OnArrival.AddHeader", "");
    expect([code, out]).toEqual([1, expect.stringContaining(`has a binding of the GUID ${GUID}\n`)]);
    expect(await bindings()).toMatchObject([{ id: GUID, server: "a" }]);
  });

  test("a GUID that no binding has is removed with the same words as there, and the file stays", async () => {
    const text = "bindings: [ ]\n";
    await writeFile(file, text);
    const { code, out, err } = await smtpreg("/remove", "1", "OnArrival", GUID);
    expect([code, out]).toEqual([
      0,
      `Binding GUID specified: ${GUID}
** SUCCESS **
Removed Binding:
 Event Name  :SMTP OnTransportSubmission/OnArrival
 Display Name:
 Binding GUID:${GUID}
   ComCatID  :{FF3CAA23-00B9-11D2-9DFB-00C04FA322BA}
`,
    ]);
    expect(err).toContain("nothing was changed");
    expect(await readFile(file, "utf8")).toBe(text);
  });

  test("a rule of which nothing counts is registered as there, and warned of", async () => {
    const dead = await smtpreg(...ADD.slice(0, 5), "from=*@example.com");
    expect([dead.code, dead.out]).toEqual([0, expect.stringContaining("** SUCCESS **\n")]);
    expect(dead.err).toContain(
      'warning: its rule has conditions that do not count: "from=*@example.com" (conditions begin with EHLO, MAIL FROM or RCPT TO); none is left, so it is never called\n',
    );
    const set = (rule: string): Promise<CommandRun> =>
      smtpreg("/setprop", "1", "OnArrival", "MySink", "Source", "Rule", rule);
    expect((await set(";")).err).toBe("warning: its rule has no condition, so it is never called\n");
    expect((await set("mail from=*")).err).toBe("");
  });

  test("a class that does not exist is not registered", async () => {
    const { code, out } = await smtpreg("/add", "1", "OnArrival", "X", "Virtuoso.Sink", "mail from=*");
    expect(code).toBe(1);
    expect(out).toContain("** Registration Failed **");
    expect(out).toContain("Virtuoso.Sink is no known class and no path of a module");
  });

  test("a module is registered for the event that it is a sink of, and no other: the service would refuse the file", async () => {
    const sink = 'export default { event: "OnTransportSubmission", onEvent() {} };\n';
    await writeFile(path.join(folder, "sink.mjs"), sink);
    const add = (event: string, sinkClass: string): Promise<CommandRun> =>
      smtpreg("/add", "1", event, "X", sinkClass, "");
    const wrong = await add("DSN", "./sink.mjs");
    expect([wrong.code, wrong.out]).toEqual([1, expect.stringContaining("** Registration Failed **")]);
    expect(wrong.out).toMatch(/sink\.mjs is a sink of OnTransportSubmission, the binding is for DSN\n/);
    expect(wrong.out).toContain("    Corresponding Event  = DSN\n");
    const absent = await add("onArrival", "./absent.mjs");
    expect(absent.out).toMatch(/absent\.mjs cannot be loaded/);
    expect(absent.out).toContain("    Corresponding Event  = onArrival\n");
    expect((await add("onarrival", "./sink.mjs")).code).toBe(0);
    expect(await bindings()).toHaveLength(1);
  });

  test("a VBScript path becomes the name of the script to be written, and says so", async () => {
    await smtpreg(...ADD);
    const { out, err } = await smtpreg(
      "/setprop",
      "1",
      "OnArrival",
      "MySink",
      "Sink",
      "scriptname",
      "c:\\scripts\\my.vbs",
    );
    expect(out).toContain("set property scriptname to c:\\scripts\\my.vbs\n");
    expect(err).toContain("rewrite my.vbs as my.js");
    expect((await bindings())[0]?.sinkProperties).toEqual({ ScriptName: "my.js" });
  });
});

describe("what does not regard case, and what does", () => {
  test("commands, events and bags do not", async () => {
    await smtpreg("/ADD", "1", "ontransportSUBMISSION", "MySink", "onarrival.ADDHEADER", "mail from=*");
    expect((await smtpreg("/SetProp", "1", "ONARRIVAL", "MySink", "SINK", "Value", "-5")).code).toBe(0);
    expect((await smtpreg("/setprop", "1", "onarrival", "MySink", "sink", "VALUE", "6")).code).toBe(0);
    expect((await smtpreg("/setprop", "1", "onarrival", "MySink", "sOURCE", "RULE", "ehlo=*")).code).toBe(0);
    expect((await bindings())[0]).toMatchObject({
      sinkProperties: { Value: "6" },
      sourceProperties: { rule: "ehlo=*" },
    });
    expect((await smtpreg("/delprop", "1", "onarrival", "MySink", "Sink", "value")).out).toContain(
      "removed property value\n",
    );
    expect((await bindings())[0]?.sinkProperties).toBeUndefined();
  });

  test("display names do", async () => {
    await smtpreg(...ADD);
    const { code, out } = await smtpreg("/disable", "1", "OnArrival", "mysink");
    expect([code, out.split("\n")[1]]).toEqual([1, "Failed to find binding with display name:mysink"]);
    expect((await smtpreg("/disable", "1", "OnArrival", "MySink")).out).toContain(
      "Success: Sink Binding Disabled\n",
    );
    expect((await bindings())[0]?.enabled).toBe(false);
    await smtpreg("/enable", "1", "OnArrival", "MySink");
    expect((await bindings())[0]?.enabled).toBe(true);
  });
});

test("the usage names every event that a binding can be for", async () => {
  const names = (await smtpreg("/?")).out.split("\n").map((line) => line.trim());
  expect(
    EVENT_TYPES.filter(({ event, names: own }) => ![event, ...own].some((name) => names.includes(name))),
  ).toEqual([]);
});

describe("wrong use", () => {
  test.each([
    [["/disable", "1", "OnDeparture", "MySink"], 255, "Unrecognized Event Name: OnDeparture"],
    [["/disable", "2", "OnArrival", "MySink"], 255, "SMTP Virtual Service # 2 Source not present...exiting."],
    [["/disable", "0", "OnArrival", "MySink"], 1, "Invalid SMTP service instance: 0"],
    [["/disable", "1", "OnArrival", GUID], 1, `No binding present for GUID ${GUID}`],
    [["/setprop", "1", "OnArrival", "MySink", "Both", "x", "y"], 1, "invalid propertybag: Both"],
    [["/disable", "1", "OnArrival"], 2, "usage: onarrival smtpreg"],
    [["/add", "1", "OnArrival", "MySink"], 2, "usage: onarrival smtpreg"],
    [["constructor"], 2, "usage: onarrival smtpreg"],
    [["/nonsense"], 2, "usage: onarrival smtpreg"],
    [["/?"], 0, "usage: onarrival smtpreg"],
    [[], 0, "usage: onarrival smtpreg"],
  ])("%j ends with %i and says why", async (args, code, text) => {
    await smtpreg(...ADD);
    const before = await readFile(file, "utf8");
    const result = await smtpreg(...args);
    expect(result.code).toBe(code);
    expect(result.out).toContain(text);
    expect(await readFile(file, "utf8")).toBe(before);
  });

  test("what the file's own check refuses is not written, and nobody is told SUCCESS", async () => {
    await smtpreg(...ADD);
    const before = await readFile(file, "utf8");
    const set = await smtpreg("/setprop", "1", "OnArrival", "MySink", "Source", "Colour", "red");
    expect([set.code, set.out]).toEqual([1, ""]);
    expect(set.err).toContain("bindings[0].sourceProperties.Colour: unknown key");
    expect(await readFile(file, "utf8")).toBe(before);
  });
});

test.each(
  EVENT_TYPES.flatMap(({ event, guid, names }) =>
    [...new Set([event, guid, ...names])].map((name) => [name, event] as const),
  ),
)("%s names the event %s in any case, for smtpreg and in the file", async (name, event) => {
  await writeFile(path.join(folder, "any.mjs"), `export default { event: "${event}", onEvent() {} };\n`);
  const added = await smtpreg("/add", "1", name.toUpperCase(), "Any", "./any.mjs", "", "9");
  expect([added.code, added.out]).toEqual([0, expect.stringContaining("** SUCCESS **")]);
  expect((await bindings()).map((binding) => binding.event)).toEqual([event]);
  await writeFile(
    file,
    JSON.stringify({
      bindings: [{ event: name.toLowerCase(), displayName: "Any", sinkClass: "./any.mjs" }],
    }),
  );
  expect((await smtpreg("/remove", "1", name.toLowerCase(), "Any")).code).toBe(0);
  expect(await bindings()).toEqual([]);
});

test("every event of the catalog has an event type", () => {
  expect(EVENT_TYPES.map(({ event }) => event).toSorted()).toEqual(Object.keys(EVENTS).toSorted());
});

describe("several virtual servers", () => {
  const TWO = "virtualServers:\n  - name: inside\n  - name: outside\n    listen: [127.0.0.1:2526]\n";

  test("the instance number is the place of the server, and one binding is not the other's", async () => {
    await writeFile(file, TWO);
    await smtpreg("/add", "2", "OnArrival", "Same", "OnArrival.AddHeader", "mail from=*");
    expect((await bindings())[0]?.server).toBe("outside");
    expect((await smtpreg("/disable", "1", "OnArrival", "Same")).code).toBe(1);
    await smtpreg("/add", "1", "OnArrival", "Same", "OnArrival.AddHeader", "mail from=*");
    await smtpreg("/remove", "2", "OnArrival", "Same");
    expect((await bindings()).map(({ server }) => server)).toEqual(["inside"]);
  });
});

test("/enum prints the lines of a value, and no other control characters", async () => {
  const value = "one\\n }\\ttwo";
  await writeFile(
    file,
    `bindings: [{ event: OnArrival, sinkClass: OnArrival.AddHeader, sinkProperties: { name: X-A, value: "${value}" } }]\n`,
  );
  expect((await smtpreg("/enum")).out).toContain(" value = one\n }?two\n");
});

test("/enum prints source type, event types, sources and bindings in the original's layout", async () => {
  await writeFile(
    file,
    `bindings:
  - { id: "${GUID}", displayName: MySink, event: OnArrival, sinkClass: CDO.SS_SMTPOnArrivalSink,
      sourceProperties: { rule: "mail from=*", priority: 300 }, sinkProperties: { ScriptName: my.js } }
  - { id: "{00000000-0000-0000-0000-000000000001}", displayName: Bare, event: OnInboundCommand, enabled: false, sinkClass: X.Y }
`,
  );
  const { code, out } = await smtpreg("/ENUM");
  const lines = out.split("\n");
  expect(code).toBe(0);
  expect(lines.slice(0, 10)).toEqual([
    " -------------",
    "| Source Type |",
    " -------------",
    " Name: SMTP",
    "   ID: {FB65C4DC-E468-11D1-AA67-00C04FA345F6}",
    "               ------------",
    "              | Event Type |",
    "               ------------",
    "               Name: SMTP StoreDriver",
    "                 ID: {59175850-E533-11D1-AA67-00C04FA345F6}",
  ]);
  expect(lines.slice(lines.indexOf("              | Source |") - 1)).toEqual([
    "               --------",
    "              | Source |",
    "               --------",
    "               Name: smtpsvc 1",
    "                 ID: {1B3C0667-E470-11D1-AA67-00C04FA345F6}",
    "                        ---------",
    "                       | Binding |",
    "                        ---------",
    "                                   Event: SMTP OnTransportSubmission/OnArrival",
    `                                      ID: ${GUID}`,
    "                                    Name: MySink",
    "                               SinkClass: CDO.SS_SMTPOnArrivalSink",
    "                                 Enabled: True",
    "                        SourceProperties: {",
    "                                           Rule = mail from=*",
    "                                           Priority = 300",
    "                                          }",
    "                        SinkProperties    {",
    "                                           ScriptName = my.js",
    "                                          }",
    "                        ---------",
    "                       | Binding |",
    "                        ---------",
    "                                   Event: SMTP OnInBoundCommand",
    "                                      ID: {00000000-0000-0000-0000-000000000001}",
    "                                    Name: Bare",
    "                               SinkClass: X.Y",
    "                                 Enabled: False",
    "",
  ]);
});
