import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { bindingSchema } from "../../../src/config/binding-schema.ts";
import { checkConfig, findConfigFile, loadConfig } from "../../../src/config/load.ts";
import { suggest } from "../../../src/config/suggest.ts";
import { parseHostPort, parseNetwork, parseSize } from "../../../src/config/values.ts";
import { OnArrivalError } from "../../../src/core/errors.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-config-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(text: string): Promise<string> {
  const file = path.join(folder, "onarrival.yaml");
  await writeFile(file, text);
  return file;
}

function problemsOf(text: string): string[] {
  try {
    checkConfig(text, "onarrival.yaml");
  } catch (error) {
    if (error instanceof OnArrivalError && error.code === "CONFIG_INVALID") return error.message.split("\n");
    throw error;
  }
  return [];
}

const EXAMPLE = `mailroot: ./mail
scripts: { folder: ./sinks }
virtualServers:
  - name: default
    listen: ["127.0.0.1:2525"]
    domains: { local: ["localhost", "Example.COM"] }
    relay: { networks: ["127.0.0.0/8"], authenticated: true }
    delivery: { smartHost: "127.0.0.1:10025" }
    limits: { maxMessageSize: 32MiB, maxRecipients: 100, maxSessionSize: 256MiB }
bindings:
  - displayName: Disclaimer
    event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: disclaimer.ts }
    sourceProperties: { rule: "MAIL FROM=*@example.com", priority: 300 }
    enabled: true
    onError: hold
    limits: { timeoutMs: 1000, memoryMb: 64 }
    allow: { send: false }
  - event: OnTransportSubmission
    sinkClass: ./native/tag.ts
`;

test.each([
  ["bindings:", "onarrival.yaml:1:10 bindings: has no value: give it a list, or take the key out"],
  ["virtualServers: { name: x }", "onarrival.yaml:1:1 virtualServers: must be a list"],
  ["virtualServers: [{ listen: [25] }]", "onarrival.yaml:1:29 virtualServers[0].listen[0]: must be a text"],
  ["tracking: true", "onarrival.yaml:1:11 tracking: must be a map of keys"],
  ["effects: { keepHours: x }", "onarrival.yaml:1:23 effects.keepHours: must be a number"],
  [
    "bindings: [{ onError: holt }]",
    'onarrival.yaml:1:23 bindings[0].onError: must be "hold", "continue" or "badmail" (did you mean "hold"?)',
  ],
  [
    "bindings: [{ sinkProperties: { a: [.nan] } }]",
    "onarrival.yaml:1:32 bindings[0].sinkProperties.a: must be a text, a number, true or false, a list or a map of keys",
  ],
  ["bindings: [{ event: DSN }]", "onarrival.yaml:1:12 bindings[0].sinkClass: is missing: it takes a text"],
])("%s is answered in words of the file, with line and key", (text, problem) => {
  expect(problemsOf(text)).toContain(problem);
});

test("a problem that begins with the name of an event leaves the name as it is", () => {
  const script = "sinkClass: CDO.SS_SMTPOnArrivalSink, sinkProperties: { ScriptName: a.js }";
  expect(problemsOf(`bindings: [{ event: DSN, ${script} }]`)).toEqual([
    "onarrival.yaml:1:21 bindings[0].event: DSN takes native sinks only",
  ]);
});

describe("the defaults", () => {
  test("without a file everything is local to the working directory and nothing leaves the machine", async () => {
    const config = await loadConfig(undefined);
    expect(config.mailroot).toBe(path.resolve("mailroot"));
    expect(config.scripts.folder).toBe(path.resolve("scripts"));
    const [server] = config.virtualServers;
    expect(server?.listen).toEqual(["127.0.0.1:2525"]);
    expect(server?.domains.local).toEqual(["localhost"]);
    expect(server?.relay).toEqual({
      networks: ["127.0.0.0/8", "::1/128"],
      mode: "only",
      authenticated: true,
    });
    expect(server?.delivery).toMatchObject({ mx: false });
    expect(server?.delivery.smartHost).toBeUndefined();
    expect(server?.limits).toMatchObject({
      maxMessageSize: 33_554_432,
      maxRecipients: 100,
      maxSessionSize: 268_435_456,
    });
    expect(config.sandbox.workers).toBeGreaterThanOrEqual(2);
    expect(server?.retry.intervalsMinutes).toEqual([15, 30, 60, 240]);
  });

  test("a file of which nothing is there is none that says: the defaults", async () => {
    for (const text of ["", "\n"])
      await expect(loadConfig(await write(text))).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("onarrival.yaml is empty") as string,
      });
  });

  test("a file without settings is a valid file", async () => {
    const config = await loadConfig(await write("# nothing yet\n"));
    expect(config.bindings).toEqual([]);
    expect(config.mailroot).toBe(path.join(folder, "mailroot"));
  });

  test("the documented limits of a script are those of the sandbox contract", () => {
    const documented = Object.entries(bindingSchema.shape.limits.unwrap().shape).map(([key, schema]) => {
      const value: unknown = schema.meta()?.["default"];
      return [key, typeof value === "string" || typeof value === "number" ? parseSize(value) : undefined];
    });
    expect(Object.fromEntries(documented)).toEqual(DEFAULT_SCRIPT_LIMITS);
  });
});

describe("a file", () => {
  test("is read whole, its paths relative to its folder", async () => {
    const config = await loadConfig(await write(EXAMPLE));
    expect(config.mailroot).toBe(path.join(folder, "mail"));
    expect(config.scripts.folder).toBe(path.join(folder, "sinks"));
    expect(config.virtualServers[0]?.domains.local).toEqual(["localhost", "example.com"]);
    expect(config.bindings[0]).toMatchObject({
      displayName: "Disclaimer",
      sourceProperties: { priority: 300 },
    });
    expect(config.bindings[1]?.sinkClass).toBe(path.join(folder, "native/tag.ts"));
  });

  test("a binding without an id has the same id at every load, and equal bindings have different ones", async () => {
    const twice = await write(`${EXAMPLE}  - event: OnTransportSubmission\n    sinkClass: ./native/tag.ts\n`);
    const [one, other] = [await loadConfig(twice), await loadConfig(twice)];
    expect(one.bindings.map((binding) => binding.id)).toEqual(other.bindings.map((binding) => binding.id));
    expect(new Set(one.bindings.map((binding) => binding.id)).size).toBe(3);
    // Its count of firings hangs on it: it must outlive a release.
    const [binding] = (
      await loadConfig(
        await write("bindings:\n  - { event: OnTransportSubmission, sinkClass: OnArrival.AddHeader }\n"),
      )
    ).bindings;
    expect(binding?.id).toBe("{9CD3247A-71CE-53CB-8AA0-9C4C3815AE98}");
  });

  test("flags win over it", async () => {
    const config = await loadConfig(await write(EXAMPLE), {
      listen: ["[::1]:0"],
      mailroot: folder,
      scripts: folder,
    });
    expect(config.virtualServers[0]?.listen).toEqual(["[::1]:0"]);
    expect(config.mailroot).toBe(folder);
    expect(config.scripts.folder).toBe(folder);
    await expect(loadConfig(undefined, { listen: ["nonsense"] })).rejects.toMatchObject({
      code: "WRONG_USE",
    });
  });

  test("the password of the smart host comes from its file", async () => {
    await writeFile(path.join(folder, "secret"), "pass word\nrest\n");
    const text = `virtualServers: [{ delivery: { smartHost: h, auth: { user: u, passwordFile: secret } } }]`;
    const config = await loadConfig(await write(text));
    expect(config.virtualServers[0]?.delivery.auth?.password).toBe("pass word");
    await expect(loadConfig(await write(text.replace("secret", "absent")))).rejects.toThrow(
      /onarrival\.yaml:1:77 virtualServers\[0\]\.delivery\.auth\.passwordFile: ENOENT/,
    );
  });

  test("that is not there is named", async () => {
    await expect(loadConfig(path.join(folder, "absent.yaml"))).rejects.toMatchObject({
      code: "CONFIG_UNREADABLE",
    });
    expect(findConfigFile(undefined, folder)).toBeUndefined();
    const file = await write("");
    expect(findConfigFile(undefined, folder)).toBe(file);
  });
});

describe("a wrong file", () => {
  test("an unknown key is named with line, column and the nearest known key", () => {
    expect(problemsOf("mailroot: ./m\nvirtualServers:\n  - name: default\n    listn: []\n")).toEqual([
      'onarrival.yaml:4:5 virtualServers[0].listn: unknown key (did you mean "listen"?)',
    ]);
  });

  test.each([
    ["smartHost: mail.example.com", '"delivery.smartHost" or "domains.remote[].smartHost"'],
    ["listen: [127.0.0.1:25]", '"virtualServers[].listen" or "admin.listen"'],
    ["maxHopps: 5", '"limits.maxHops"'],
  ])("a key in the wrong place is told where it is at home: %s", (text, homes) => {
    expect(problemsOf(text)).toEqual([
      `onarrival.yaml:1:1 ${text.split(":", 1)[0]}: unknown key (did you mean ${homes}?)`,
    ]);
  });

  test("R12 all problems are told at once", () => {
    const problems = problemsOf(
      EXAMPLE.replace("32MiB", "32 parsecs")
        .replace("priority: 300", "priority: 40000")
        .replace("onError: hold", "onError: explode"),
    );
    expect(problems).toHaveLength(3);
    expect(problems[0]).toMatch(
      /^onarrival\.yaml:9:\d+ virtualServers\[0\]\.limits\.maxMessageSize: must be a size/,
    );
    expect(problems[1]).toMatch(
      /^onarrival\.yaml:15:\d+ bindings\[0\]\.sourceProperties\.priority: must be at most 32767$/,
    );
    expect(problems[2]).toMatch(
      /^onarrival\.yaml:17:14 bindings\[0\]\.onError: must be "hold", "continue" or "badmail"$/,
    );
  });

  test("broken YAML is told with its place", () => {
    expect(problemsOf("mailroot: ./a\nmailroot: ./b\n")[0]).toMatch(
      /^onarrival\.yaml:2:1 map keys must be unique/,
    );
    expect(problemsOf("bindings: [\n")[0]).toMatch(/^onarrival\.yaml:\d+:\d+ /);
  });

  test.each([
    [
      "two ids alike",
      `bindings:\n${"  - { id: 1b3c0666-e470-11d1-aa67-00c04fa345f6, event: OnArrival, sinkClass: a }\n".repeat(2)}`,
      "bindings[1].id: is the id of an earlier binding",
    ],
    [
      "two servers alike",
      "virtualServers: [{ name: a }, { name: a }]",
      "virtualServers[1].name: is the name of an earlier",
    ],
    [
      "two servers at one address",
      "virtualServers: [{ name: a, listen: ['[::1]:25', '[::1]:26'] }, { name: b, listen: ['[::1]:26'] }]",
      "virtualServers[1].listen: has an address of an earlier",
    ],
    [
      "two servers at one address, of which one takes all of the machine",
      "virtualServers: [{ name: a, listen: ['0.0.0.0:25'] }, { name: b, listen: ['127.0.0.1:25'] }]",
      "virtualServers[1].listen: has an address of an earlier",
    ],
    [
      "an address within another of the same server",
      "virtualServers: [{ listen: ['127.0.0.1:25', '[::]:25'] }]",
      "virtualServers[0].listen[1]: is taken by one before it",
    ],
    [
      "two servers that forget to say where",
      "virtualServers: [{ name: a }, { name: b }]",
      "virtualServers[1].listen: has an address of an earlier",
    ],
    [
      "a default domain that is remote",
      "domains: { default: a.example, remote: [{ name: a.example }] }",
      "domains.remote[0].name: is a local domain",
    ],
    ["no server", "virtualServers: []", "virtualServers: "],
    [
      "a smart host and MX",
      "virtualServers: [{ delivery: { mx: true, smartHost: h } }]",
      "exclude each other",
    ],
    [
      "implicit TLS elsewhere",
      "virtualServers: [{ tls: { certificate: a, key: b, implicit: ['0.0.0.0:465'] } }]",
      "is not one of the addresses of listen",
    ],
    [
      "a network out of range",
      "virtualServers: [{ relay: { networks: [10.0.0.0/33] } }]",
      "must be an address or a network",
    ],
    [
      "a date that is none",
      "bindings: [{ event: OnArrival, sinkClass: a, expiration: soon }]",
      "must be a date",
    ],
    [
      "an event of no such name",
      "bindings: [{ event: OnArival, sinkClass: a }]",
      'did you mean "OnArrival"?',
    ],
    [
      "a URL that cannot be fetched",
      "bindings: [{ event: OnArrival, sinkClass: a, allow: { fetch: ['ftp://host/'] } }]",
      "bindings[0].allow.fetch[0]: must be the beginning of an http or https URL",
    ],
    [
      "a level that the log does not have",
      "bindings: [{ event: OnArrival, sinkClass: a, allow: { log: loud } }]",
      "bindings[0].allow.log: ",
    ],
    ["a list for a map", "[]", "file: "],
    [
      "an alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]`,
      "alias",
    ],
    ["a key that pollutes", "__proto__: { polluted: true }", "unknown key"],
  ])("%s", (_name, text, expected) => {
    expect(problemsOf(text).join("\n")).toContain(expected);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

test("each alias without an anchor before it is told with its place", () => {
  expect(
    problemsOf(
      "scripts: &own { folder: a }\nmailroot: *hom\nbindings: [*own, *late]\nlog: &late { level: info }",
    ),
  ).toEqual([
    "onarrival.yaml:2:11 *hom: an alias without its anchor: no &hom stands before it (a text that begins with * stands in quotes)",
    "onarrival.yaml:3:18 *late: an alias without its anchor: no &late stands before it (a text that begins with * stands in quotes)",
  ]);
  expect(problemsOf("mailroot: &home ./mail\nscripts: { folder: *home }")).toEqual([]);
});

test("virtual servers may share an address of which one starts at a time, and free ports", () => {
  const shared =
    "virtualServers: [{ name: a, listen: ['[::1]:25'] }, { name: b, listen: ['[::1]:25'], autoStart: false }]";
  const free =
    "virtualServers: [{ name: a, listen: ['[::1]:0'] }, { name: b, listen: ['[::1]:0', '[::]:0'] }]";
  const families = "virtualServers: [{ listen: ['0.0.0.0:25', '[::1]:25', '[::1]:26'] }]";
  expect([problemsOf(shared), problemsOf(free), problemsOf(families)]).toEqual([[], [], []]);
});

describe("values", () => {
  test("sizes are read in both families of units", () => {
    expect([parseSize("32MiB"), parseSize("10MB"), parseSize("1.5 kib"), parseSize(7)]).toEqual([
      33_554_432, 10_000_000, 1536, 7,
    ]);
    expect([
      parseSize("10"),
      parseSize("-1MB"),
      parseSize(-1),
      parseSize(1.5),
      parseSize("1e9GB"),
      parseSize("9007200GB"),
    ]).toEqual(Array(6).fill(undefined));
  });

  test("addresses and networks are read in both families", () => {
    expect(parseHostPort("[::1]:25")).toEqual({ host: "::1", port: 25 });
    expect(parseHostPort("mail.example.com", 25)).toEqual({ host: "mail.example.com", port: 25 });
    expect([
      parseHostPort("::1:25"),
      parseHostPort("host"),
      parseHostPort("host:65536"),
      parseHostPort(""),
    ]).toEqual(Array(4).fill(undefined));
    expect(parseNetwork("2001:db8::/32")).toEqual({ address: "2001:db8::", prefix: 32, family: "ipv6" });
    expect([parseNetwork("10.0.0.0/8/1"), parseNetwork("10.0.0.0/"), parseNetwork("host/8")]).toEqual(
      Array(3).fill(undefined),
    );
  });

  test("a word far from every known one gets no suggestion", () => {
    expect(suggest("smarthost", ["smartHost", "mx"])).toBe("smartHost");
    expect(suggest("zebra", ["smartHost", "mx"])).toBeUndefined();
  });
});

test("a binding of a virtual server that is not there is refused by line", () => {
  const text = `virtualServers:
  - name: inside
bindings:
  - event: OnArrival
    sinkClass: OnArrival.AddHeader
    server: outside
`;
  expect(() => checkConfig(text, "x.yaml")).toThrow(
    'x.yaml:6:13 bindings[0].server: no virtual server has the name "outside" (there are: inside)',
  );
});

test("the script of a binding is read from ScriptName in any case, as the bags of the original were", async () => {
  const file = await write(
    "bindings:\n  - { event: OnArrival, sinkClass: CDO.SS_SMTPOnArrivalSink, sinkProperties: { scriptname: a.js, x: 1 } }\n",
  );
  const [binding] = (await loadConfig(file)).bindings;
  expect(binding).toMatchObject({ displayName: "a.js", sinkProperties: { ScriptName: "a.js", x: 1 } });
});
