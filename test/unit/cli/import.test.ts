import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { importCommand } from "../../../src/cli/import.ts";
import { smtpregCommand } from "../../../src/cli/smtpreg.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { EVENT_TYPES } from "../../../src/events/event-types.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";

const METABASE = fileURLToPath(new URL("../../fixtures/metabase/MetaBase.xml", import.meta.url));

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-import-"));
  file = path.join(folder, "onarrival.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const run = (...args: readonly string[]): Promise<CommandRun> =>
  runInProcess([importCommand, smtpregCommand], [...args, "-c", file]);

async function put(name: string, text: string | Buffer): Promise<string> {
  const at = path.join(folder, name);
  await writeFile(at, text);
  return at;
}

const there = (name: string): Promise<boolean> =>
  readFile(path.join(folder, name)).then(
    () => true,
    () => false,
  );

describe("a MetaBase.xml", () => {
  test("becomes settings and bindings, and what does not is listed with the reason", async () => {
    const { code, out } = await run("import", METABASE);
    expect(code).toBe(0);
    const { virtualServers, bindings } = await loadConfig(file);
    expect(virtualServers).toHaveLength(1);
    expect(virtualServers[0]).toMatchObject({
      listen: ["0.0.0.0:25", "192.0.2.1:587"],
      hostName: "mail.example.com",
      domains: {
        local: ["mail.example.com"],
        alias: ["branch.example.com"],
        remote: [
          {
            name: "partner.example.net",
            smartHost: "hub.partner.example.net",
            startTls: "required",
            relay: true,
          },
          { name: "*.lost.example.net", relay: false },
        ],
      },
      auth: { anonymous: true, mechanisms: ["PLAIN", "LOGIN", "XOAUTH2"] },
      delivery: { smartHost: "[192.0.2.9]", mx: false },
      limits: { idleTimeoutMs: 300_000, maxHops: 15, maxMessageSize: 2_097_152, maxRecipients: 100 },
      retry: { intervalsMinutes: [15, 30, 60, 240] },
    });
    expect(bindings).toEqual([
      expect.objectContaining({
        id: "{871736C0-FD85-11D0-869A-00C04FD65616}",
        displayName: "Disclaimer",
        event: "OnTransportSubmission",
        enabled: false,
        expiration: Date.parse("2030-12-31T18:00:00Z"),
        sourceProperties: { rule: "mail from=*@example.com", priority: 300 },
        sinkProperties: { ScriptName: "disclaimer.js", Text: '"café" <here>' },
      }),
    ]);
    for (const line of [
      "  BadMailDirectory of instance 1: C:\\Inetpub\\mailroot\\Badmail is a folder of the old machine; here it is below mailroot, or where folders.badmail says",
      '  MaxRecipients of instance 1: "100000000000" is no number',
      "  Domain partner.example.net of instance 1: of its route (RouteAction 4614) the bits 0x200 are left",
      "  Domain *.lost.example.net of instance 1: its smart host is missing",
      "  2 other properties of instance 1: they are no settings of mail: UnknownName_61537, AdminACL",
      "  binding Call ahead: its class Acme.CallAhead is a COM object",
      "  binding Disclaimer: VBScript does not run here: rewrite disclaimer.vbs as disclaimer.js",
      "  binding Disclaimer: it is disabled, because the scripts folder has no disclaimer.js yet",
    ])
      expect(out).toContain(line);
    expect(out).not.toContain("4963446172");
  });

  test("leaves a binding enabled whose script was rewritten already", async () => {
    await mkdir(path.join(folder, "scripts"));
    await put("scripts/disclaimer.js", "");
    await run("import", METABASE);
    expect((await loadConfig(file)).bindings[0]?.enabled).toBe(true);
  });

  test("takes a property over that the schema did not know, by its number", async () => {
    const smartHost = '<Custom Name="UnknownName_36906" ID="36906" Value="hub.example.com" Type="STRING"/>';
    const hopCount = '<Custom ID="36886" Value="17" Type="DWORD"/>';
    await run("import", await put("m.xml", `<m Location="/LM/SmtpSvc/1">${smartHost}${hopCount}</m>`));
    expect((await loadConfig(file)).virtualServers).toMatchObject([
      { delivery: { smartHost: "hub.example.com", mx: false }, limits: { maxHops: 17 } },
    ]);
  });

  test("overwrites nothing that is there unless told so, and keeps comments", async () => {
    await put("onarrival.yaml", "# mine\nvirtualServers:\n  - limits: { maxHops: 20 } # careful\n");
    const first = await run("import", METABASE);
    expect(first.out).toContain("virtualServers[0].limits.maxHops: 20 stays, HopCount is 15");
    const text = await readFile(file, "utf8");
    expect(text).toMatch(/^# mine\nvirtualServers:\n {2}- limits: \{ maxHops: 20, .*\} # careful\n/);
    const again = await run("import", METABASE);
    expect(again.out).toContain("binding Disclaimer: a binding of that id or name is there");
    expect(first.out).toContain(`written to ${file}; next: onarrival check --config ${file}`);
    expect(again.out).not.toMatch(/taken over:\n {2}v|written to/);
    expect(await readFile(file, "utf8")).toBe(text);
    await writeFile(file, text.replace("priority: 300", "priority: 9"));
    await run("import", METABASE, "--overwrite");
    const { virtualServers, bindings } = await loadConfig(file);
    expect(virtualServers[0]?.limits.maxHops).toBe(15);
    expect(bindings.map((binding) => binding.sourceProperties?.priority)).toEqual([300]);
  });

  test("--dry-run prints the file as it would be and writes nothing", async () => {
    const { out } = await run("import", METABASE, "--dry-run");
    expect(out).toContain("the file would be:\n\nvirtualServers:\n  - limits:\n");
    const { written, taken }: { written: boolean; taken: unknown[] } = JSON.parse(
      (await run("import", METABASE, "--dry-run", "--json")).out,
    );
    expect([written, taken.length > 5]).toEqual([false, true]);
    expect(await there("onarrival.yaml")).toBe(false);
  });

  test("with two servers gives each its own settings, route and bindings", async () => {
    const server = (instance: number, more: string): string =>
      `<IIsSmtpServer Location="/LM/SmtpSvc/${instance}" ServerBindings=":${24 + instance}:" ${more}/>`;
    const binding = `<IIsConfigObject Location="/LM/SMTPSVC/3/EventManager/EventTypes/{FF3CAA23-00B9-11D2-9DFB-00C04FA322BA}/Bindings/{00000000-0000-0000-0000-000000000003}">
      <Custom Name="SinkClass" Value="OnArrival.AddHeader"/></IIsConfigObject>`;
    const xml = await put(
      "two.xml",
      `<c>${server(3, 'ServerComment="Outside"')}${server(1, 'SmartHost="relay.example.com" MaxMessageSize="10"')}${binding}</c>`,
    );
    const { out } = await run("import", xml);
    const { virtualServers, bindings } = await loadConfig(file);
    expect(virtualServers.map(({ name, listen, delivery }) => [name, listen, delivery.mx])).toEqual([
      ["smtpsvc 1", ["0.0.0.0:25"], false],
      ["Outside", ["0.0.0.0:27"], true],
    ]);
    expect(bindings[0]?.server).toBe("Outside");
    // What the file's own check refuses is left out with its words.
    expect(out).toMatch(
      /MaxMessageSize as virtualServers\[0\]\.limits\.maxMessageSize: .*must be a size from 1024/,
    );
  });

  test("with an address of another server brings it where the server does not start by itself, and all else that is right", async () => {
    const server = (instance: number, more = ""): string =>
      `<IIsSmtpServer Location="/LM/SmtpSvc/${instance}" FullyQualifiedDomainName="mx${instance}.example" ServerBindings=":25:"${more}/>`;
    const xml = await put(
      "three.xml",
      `<c>${server(1)}${server(2)}${server(3, ' HopCount="0" ServerAutoStart="FALSE"')}</c>`,
    );
    const { out } = await run("import", xml);
    const { virtualServers } = await loadConfig(file);
    expect(virtualServers).toMatchObject([
      { hostName: "mx1.example", listen: ["0.0.0.0:25"] },
      { hostName: "mx2.example", listen: ["127.0.0.1:2525"] },
      { hostName: "mx3.example", listen: ["0.0.0.0:25"], autoStart: false },
    ]);
    expect(out.match(/^ {2}\S+ as virtualServers.*$/gm)).toEqual([
      expect.stringContaining("ServerBindings as virtualServers[1].listen: "),
      expect.stringMatching(/HopCount as virtualServers\[2\]\.limits\.maxHops: .*must be at least 1$/),
    ]);
  });
});

describe("a listing of /enum", () => {
  test("that smtpreg printed brings the same bindings back", async () => {
    await put(
      "onarrival.yaml",
      `bindings:
  - { id: "{871736C0-FD85-11D0-869A-00C04FD65616}", displayName: A = b, event: OnArrival, sinkClass: OnArrival.AddHeader,
      sourceProperties: { rule: "rcpt to=*;mail from=x=y", priority: 7 }, sinkProperties: { name: X-A, value: "1 = 2" } }
  - { id: "{871736C0-FD85-11D0-869A-00C04FD65618}", displayName: Long, event: OnArrival, sinkClass: OnArrival.AddHeader,
      sourceProperties: { priority: 24575 }, sinkProperties: { value: "Regards,\\n\\n  a = b\\n}\\nThe Office", name: X-C } }
  - { id: "{871736C0-FD85-11D0-869A-00C04FD65617}", displayName: Off, event: OnArrival, enabled: false, sinkClass: OnArrival.AddHeader,
      sourceProperties: { priority: 24575 }, sinkProperties: { name: X-B } }
`,
    );
    const before = (await loadConfig(file)).bindings.map((binding) => ({ enabled: true, ...binding }));
    const { out } = await run("smtpreg", "/enum");
    await rm(file);
    // A console of Windows writes UTF-16.
    const listing = await put("enum.txt", Buffer.from(`\ufeff${out.replaceAll("\n", "\r\n")}`, "utf16le"));
    expect((await run("import", listing)).code).toBe(0);
    expect((await loadConfig(file)).bindings).toEqual(before);
  });

  test("keeps names that are not ASCII, in UTF-16 of either byte order, with a mark or without; of another code page it is refused", async () => {
    const binding = { event: "OnArrival", displayName: "Zoë", sinkClass: "OnArrival.AddHeader" };
    await put("onarrival.yaml", JSON.stringify({ bindings: [binding] }));
    const { out } = await run("smtpreg", "/enum");
    await rm(file);
    const refused = await run("import", await put("latin.txt", Buffer.from(out, "latin1")));
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining("latin.txt: it is neither UTF-8"),
    ]);
    const wide = Buffer.from(out, "utf16le");
    for (const bytes of [wide, wide.swap16(), Buffer.from(`\ufeff${out}`, "utf16le").swap16()]) {
      expect((await run("import", await put("wide.txt", bytes))).code).toBe(0);
      expect((await loadConfig(file)).bindings[0]?.displayName).toBe("Zoë");
      await rm(file);
    }
  });

  test("with a binding of every event brings them all back", async () => {
    const all = EVENT_TYPES.map(({ event }) => ({
      event,
      displayName: `of ${event}`,
      sinkClass: "OnArrival.AddHeader",
    }));
    await put("onarrival.yaml", JSON.stringify({ bindings: all }));
    const { out } = await run("smtpreg", "/enum");
    await rm(file);
    expect((await run("import", await put("enum.txt", out))).code).toBe(0);
    expect((await loadConfig(file)).bindings.map(({ event, displayName }) => [event, displayName])).toEqual(
      all.map(({ event, displayName }) => [event, displayName]),
    );
  });

  test("whose indent got lost keeps the lines of a value that cannot be properties", async () => {
    const listing = await put(
      "enum.txt",
      "| Source |\nName: smtpsvc 1\n| Binding |\nEvent: SMTP OnTransportSubmission/OnArrival\nName: Long\nSinkClass: OnArrival.AddHeader\nSinkProperties    {\nvalue = one\ntwo\nname = X-A\n}\n",
    );
    expect((await run("import", listing)).code).toBe(0);
    expect((await loadConfig(file)).bindings[0]?.sinkProperties).toEqual({ value: "one\ntwo", name: "X-A" });
  });

  test("with a rule of which nothing counts brings it back, and says so, as of properties without a meaning", async () => {
    const listing = await put(
      "enum.txt",
      "| Source |\n Name: smtpsvc 1\n| Binding |\n Event: SMTP OnTransportSubmission/OnArrival\n Name: Dead\n SinkClass: OnArrival.AddHeader\n SourceProperties: {\n Rule = sender=*\n Priority = prio_low\n Colour = red\n }\n",
    );
    const { out } = await run("import", listing);
    expect(out).toContain('  binding Dead: its rule has conditions that do not count: "sender=*" (');
    expect(out.match(/source property .* has no meaning/g)).toEqual([
      "source property Colour has no meaning",
    ]);
    expect((await loadConfig(file)).bindings[0]?.sourceProperties).toEqual({
      rule: "sender=*",
      priority: 24_575,
    });
  });

  test("with a binding of an instance that is not here says so", async () => {
    const listing = await put(
      "enum.txt",
      "| Source |\n Name: smtpsvc 2\n| Binding |\n Event: SMTP OnTransportSubmission/OnArrival\n SinkClass: OnArrival.AddHeader\n",
    );
    const { out } = await run("import", listing);
    expect(out).toContain("binding OnArrival.AddHeader: onarrival.yaml has no virtual server for instance 2");
    expect(await there("onarrival.yaml")).toBe(false);
  });
});

test("a GUID that a binding of another virtual server has becomes one of its own", async () => {
  const binding = (instance: number): string => {
    const key = `/LM/SmtpSvc/${instance}/EventManager/EventTypes/{ff3caa23-00b9-11d2-9dfb-00c04fa322ba}/Bindings/{871736c0-fd85-11d0-869a-00c04fd65616}`;
    return `<b Location="${key}" DisplayName="Scan ${instance}" SinkClass="OnArrival.AddHeader"/>`;
  };
  const server = (instance: number): string =>
    `<s Location="/LM/SmtpSvc/${instance}" ServerBindings="127.0.0.1:${2500 + instance}:"/>`;
  const metabase = await put(
    "MetaBase.xml",
    `<m>${[1, 2].map((instance) => server(instance) + binding(instance)).join("")}</m>`,
  );
  const { code, out } = await run("import", metabase);
  expect([code, out]).toEqual([0, expect.stringContaining("binding Scan 2: its id {871736C0-")]);
  const { bindings } = await loadConfig(file);
  expect(bindings.map(({ displayName, server: of }) => [displayName, of])).toEqual([
    ["Scan 1", "smtpsvc 1"],
    ["Scan 2", "smtpsvc 2"],
  ]);
  expect((await run("import", metabase, "--overwrite")).code).toBe(0);
  expect((await run("import", metabase)).out).toContain(
    "binding Scan 2: a binding of that id or name is there",
  );
  expect((await loadConfig(file)).bindings).toHaveLength(2);
});

test("bindings of one name, or of one GUID in two events, stay apart however often they come", async () => {
  const EVENTS = {
    arrival: "{ff3caa23-00b9-11d2-9dfb-00c04fa322ba}",
    command: "{f6628c8d-0d5e-11d2-aa68-00c04fa35b82}",
  };
  const binding = (event: string, last: number, sink: string): string => {
    const key = `/LM/SmtpSvc/1/EventManager/EventTypes/${event}/Bindings/{871736c0-fd85-11d0-869a-00c04fd6561${last}}`;
    return `<b Location="${key}" DisplayName="Scan" SinkClass="OnArrival.${sink}"/>`;
  };
  const { arrival, command } = EVENTS;
  const bindings = [binding(arrival, 6, "AddHeader"), binding(arrival, 7, "LimitRecipients")];
  const other = binding(command, 6, "LimitRecipients");
  for (const order of [[...bindings, other], bindings, bindings.toReversed()]) {
    await rm(file, { force: true });
    const metabase = await put("MetaBase.xml", `<m>${order.join("")}</m>`);
    const sinks = async (): Promise<unknown[]> =>
      (await loadConfig(file)).bindings.map(({ event, sinkClass }) => `${event} ${sinkClass}`).toSorted();
    await run("import", metabase);
    const first = await sinks();
    expect(new Set(first).size).toBe(order.length);
    await run("import", metabase, "--overwrite");
    expect(await sinks()).toEqual(first);
    expect((await run("import", metabase)).out).not.toContain("taken over:\n  binding");
    expect(await sinks()).toEqual(first);
  }
});

describe("a file that is neither", () => {
  test.each([
    ["text", "hello\n", "neither a MetaBase.xml nor a listing"],
    ["XML without mail", '<a Location="/LM/W3SVC"/>', "it has no SMTP service"],
    ["XML that ends early", '<a Location="/LM/SmtpSvc">', "line 1, column 27: </a> is missing"],
  ])("%s is refused", async (_title, text, problem) => {
    const { code, err } = await run("import", await put("x", text));
    expect(code).toBe(1);
    expect(err).toContain(problem);
    expect(await there("onarrival.yaml")).toBe(false);
  });

  test("100 MB, a folder and a device are refused without reading them", async () => {
    const large = path.join(folder, "large.xml");
    await using handle = await open(large, "w");
    await handle.truncate(100 * 1024 * 1024);
    for (const name of [large, folder, "/dev/zero"]) {
      const { code, err } = await run("import", name);
      expect([code, err]).toEqual([1, expect.stringContaining("is no file of at most 33554432 bytes")]);
    }
  });

  test("thousands of bindings are refused, hundreds are taken in one go", async () => {
    const listing = (count: number): string =>
      `| Source |\n Name: smtpsvc 1\n${Array.from(
        { length: count },
        (_, at) =>
          `| Binding |\n Event: SMTP OnTransportSubmission/OnArrival\n Name: b${at}\n SinkClass: OnArrival.AddHeader\n`,
      ).join("")}`;
    expect((await run("import", await put("many", listing(2001)))).err).toContain(
      "more than 100 servers or 2000",
    );
    expect((await run("import", await put("some", listing(300)))).code).toBe(0);
    expect((await loadConfig(file)).bindings).toHaveLength(300);
  });
});
