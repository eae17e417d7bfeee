import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { queueMethods } from "../../../src/admin/queue-methods.ts";
import { startControlServer, type ControlServer } from "../../../src/admin/control-server.ts";
import { bindingsCommand } from "../../../src/cli/bindings.ts";
import { checkCommand, type ScriptCheck } from "../../../src/cli/check.ts";
import { reportError } from "../../../src/cli/output.ts";
import { passwordCommand } from "../../../src/cli/password.ts";
import { createProgram, runProgram } from "../../../src/cli/program.ts";
import { queueCommand } from "../../../src/cli/queue.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Generations } from "../../../src/sandbox/versions/generations.ts";
import { ScriptSwitches } from "../../../src/sandbox/versions/script-switches.ts";
import { verifyPassword } from "../../../src/smtp/server/authentication/password-hash.ts";
import type { Freezer, QueueEntry } from "../../../src/transport/queues/queue-view.ts";

let folder = "";
let file = "";
let server: ControlServer | undefined;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-cli-"));
  file = path.join(folder, "onarrival.yaml");
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], scripts: readonly ScriptCheck[] = [], input = ""): Promise<Run> {
  const said = { out: "", err: "" };
  const output = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
  };
  const commands = [
    checkCommand(() => Promise.resolve({ scripts, warnings: [] })),
    bindingsCommand,
    queueCommand,
    passwordCommand(Readable.from([Buffer.from(input)])),
  ];
  const code = await runProgram(createProgram(commands, { version: "1.2.3", output }), args, output);
  return { code, ...said };
}

const GUID = "{871736C0-FD85-11D0-869A-00C04FD65616}";

const bindings = (...args: readonly string[]): Promise<Run> => run(["bindings", ...args, "-c", file]);
const queue = (...args: readonly string[]): Promise<Run> => run(["queue", ...args, "--mailroot", folder]);

const FREEZERS: ReadonlyMap<string, Freezer> = new Map([
  ["halted.example", "router"],
  ["cold.example", "operator"],
  ["10.0.0.1:25 for cold.example", "operator"],
  ["10.0.0.2:25 for cold.example", "operator"],
]);
const FROZEN_WITH = new Map([["10.0.0.2:25 for cold.example", "10.0.0.2:25"]]);

const SMART_HOSTS = ["192.0.2.1:25 for *.partner.example", "192.0.2.1:25 for b.example", "192.0.2.12:25"];

async function serve(entries: readonly QueueEntry[], changed = 1): Promise<string[]> {
  const asked: string[] = [];
  const act = (ids: readonly string[]): number => {
    asked.push(ids.join(","));
    return changed;
  };
  const admin = {
    list: () => entries,
    show: (id: string) => entries.find((one) => one.id === id),
    retry: act,
    retryDomains: () => 0,
    listParked: () => Promise.resolve([]),
    showParked: () => Promise.resolve(undefined),
    queues: () => [
      { queue: "pre-submission", messages: 0, active: 0, ready: 0, retry: 0, held: 0, frozen: false },
      { queue: "dead.example", messages: 7, active: 0, ready: 4, retry: 2, held: 1, frozen: true },
      {
        queue: "halted.example",
        messages: 1,
        active: 0,
        ready: 1,
        retry: 0,
        held: 0,
        frozen: true,
        frozenBy: "router" as const,
      },
      ...SMART_HOSTS.map((key) => ({
        queue: key,
        messages: 3,
        active: 0,
        ready: 3,
        retry: 0,
        held: 0,
        frozen: false,
      })),
    ],
    idsWith: () => [],
    frozenBy: (name: string) => FREEZERS.get(name),
    frozenWith: (name: string) => FROZEN_WITH.get(name),
    freeze: (name: string) => Promise.resolve(act([`freeze ${name}`]) > 0),
    thaw: (name: string) => Promise.resolve(act([`thaw ${name}`]) > 0),
    force: (name: string) => act([`force ${name}`]),
    hold: act,
    release: act,
    keptBack: (_verb: string, ids: readonly string[]) =>
      ids.includes("cold-message")
        ? { messages: 1, queues: ["cold.example", "halted.example"] }
        : { messages: 0, queues: [] },
    remove: act,
  };
  const methods = queueMethods(() => [{ name: "default", admin }]);
  server = await startControlServer({ mailroot: folder, methods, clock: systemClock, log: silentLogger });
  return asked;
}

describe("exit codes", () => {
  test.each([
    [["--help"], 0],
    [["--version"], 0],
    [["queue", "list", "--help"], 0],
    [["nonsense"], 2],
    [["check", "--nope"], 2],
    [["queue", "show"], 2],
    [["bindings", "set", "a", "neither", "b", "c"], 2],
    [["bindings", "add", "OnArrival", "A", "CDO.SS_SMTPOnArrivalSink", "x", "first"], 2],
    [[], 2],
  ])("%j ends with %i", async (args, code) => {
    const result = await run(args);
    expect(result.code).toBe(code);
    expect(result.out + result.err).not.toBe("");
  });

  test.each([
    [["queue", "show", "--json"], "missing required argument 'id'"],
    [["queue", "list", "--json", "--nope"], "unknown option '--nope'"],
    [["queue", "list", "--nope", "--json"], "unknown option '--nope'"],
  ])("wrong use is told as JSON, too: %j", async (args, message) => {
    const { code, out } = await run(args);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "WRONG_USE", message } });
  });

  test("every command explains itself and knows --json", async () => {
    for (const args of [
      ["check"],
      ["password"],
      ...["list", "show", "summary", "retry", "hold", "release", "remove"].map((verb) => ["queue", verb]),
      ...["freeze", "thaw", "force"].map((verb) => ["queue", verb]),
      ...["list", "add", "remove", "set", "unset", "enable", "disable"].map((verb) => ["bindings", verb]),
    ]) {
      const { code, out } = await run([...args, "--help"]);
      expect([args.join(" "), code, out.includes("--json")]).toEqual([args.join(" "), 0, true]);
    }
  });

  test("an operator's error is two lines without a stack, a defect comes with its stack", () => {
    const said: string[] = [];
    const output = {
      out: (text: string) => void said.push(text),
      err: (text: string) => void said.push(text),
    };
    expect(reportError(output, new OnArrivalError("CONFIG_UNREADABLE", "x\u001b[2J is not there"))).toBe(1);
    expect(said.join("")).toBe(
      "error: x?[2J is not there\nwhat to do: Check the path and its permissions.\n",
    );
    expect(reportError(output, new Error("defect"))).toBe(1);
    expect(said.at(-1)).toContain("cli.test.ts");
  });
});

describe("the queues themselves", () => {
  test("summary shows each with the numbers of its messages, and what is frozen", async () => {
    await serve([]);
    const { code, out } = await queue("summary");
    expect([code, out]).toEqual([0, expect.stringMatching(/^QUEUE +MESSAGES.*\npre-submission +0/)]);
    expect(out).toMatch(/dead\.example +7 +0 +4 +2 +1 +frozen$/m);
    expect(out).toMatch(/halted\.example +1 .*frozen by a router$/m);
    const summary: unknown = JSON.parse((await queue("summary", "--json")).out);
    expect(summary).toMatchObject([
      { server: "default" },
      { queue: "dead.example", frozen: true },
      { queue: "halted.example", frozenBy: "router" },
      ...SMART_HOSTS.map((key) => ({ queue: key })),
    ]);
  });

  test("freeze, thaw and force name a next hop and say what came of it", async () => {
    const asked = await serve([], 3);
    expect((await queue("freeze", "dead.example")).out).toBe("dead.example is frozen\n");
    expect((await queue("thaw", "dead.example")).out).toBe("dead.example goes on\n");
    expect((await queue("force", "dead.example")).out).toBe("force: 3 messages\n");
    expect(asked).toEqual(["freeze dead.example", "thaw dead.example", "force dead.example"]);
    const misspelt = '; no queue of this name has mail now; did you mean "dead.example"?\n';
    expect((await queue("freeze", "daed.example")).out).toBe(`daed.example is frozen${misspelt}`);
    expect((await queue("force", "daed.example")).out).toBe(`force: 3 messages${misspelt}`);
    expect((await queue("freeze")).code).toBe(2);
  });

  test("the name of a next hop means all its queues, and force takes the beginning of one name", async () => {
    const asked = await serve([], 3);
    expect((await queue("force", "[192.0.2.1]:25")).out).toBe(
      "force: 3 messages of 192.0.2.1:25 for *.partner.example\nforce: 3 messages of 192.0.2.1:25 for b.example\n",
    );
    expect(JSON.parse((await queue("force", "192.0.2.1:25", "--json")).out)).toEqual({
      changed: 6,
      queues: ["192.0.2.1:25 for *.partner.example", "192.0.2.1:25 for b.example"],
    });
    expect((await queue("force", "192.0.2.12")).out).toBe("force: 3 messages of 192.0.2.12:25\n");
    asked.length = 0;
    // Of two next hops neither is meant, and a freeze may be for one that has no mail yet.
    expect((await queue("force", "192.0.2.")).out).toContain(
      'did you mean "192.0.2.1:25 for *.partner.example", "192.0.2.1:25 for b.example", "192.0.2.12:25"?',
    );
    expect((await queue("freeze", "halted")).out).toContain('did you mean "halted.example"?');
    expect(asked).toEqual(["force 192.0.2.", "freeze halted"]);
  });

  test("freeze and thaw leave it to the service what belongs to a next hop: there may be more when mail comes", async () => {
    const asked = await serve([]);
    expect((await queue("freeze", "[192.0.2.1]:25")).out).toBe("[192.0.2.1]:25 is frozen\n");
    expect((await queue("thaw", "192.0.2.1:25")).out).toBe("192.0.2.1:25 goes on\n");
    expect(asked).toEqual(["freeze [192.0.2.1]:25", "thaw 192.0.2.1:25"]);
  });

  test("a frozen queue is not forced: who froze it is said, and what lets it go on", async () => {
    const asked = await serve([], 3);
    expect(await queue("force", "cold.example")).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining(
        "cold.example is frozen on default: `onarrival queue thaw cold.example` lets it go on",
      ),
    });
    expect((await queue("force", "cold.example", "--json")).out).toContain('"code": "QUEUE_FROZEN"');
    const named = await queue("force", "10.0.0.1:25 for cold.example");
    expect(named.err).toContain('`onarrival queue thaw "10.0.0.1:25 for cold.example"` lets it go on');
    expect((await queue("force", "halted.example")).err).toContain("a router has halted the next hop");
    expect(asked).toEqual([]);
  });

  test("a queue that is frozen with its next hop is not thawed alone: what lets it go on is said", async () => {
    await serve([], 0);
    for (const verb of ["thaw", "force"])
      expect(await queue(verb, "10.0.0.2:25 for cold.example")).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringContaining(
          "10.0.0.2:25 for cold.example is frozen on default: `onarrival queue thaw 10.0.0.2:25` lets it go on with all queues of the next hop\n",
        ),
      });
  });

  test("a message in frozen queues is not said to be tried: who froze them is said, and what lets it go on", async () => {
    await serve([]);
    const why = [
      "cold.example is frozen on default: `onarrival queue thaw cold.example` lets it go on",
      "halted.example is frozen on default: a router has halted the next hop, and lets it go on",
    ].join("\n");
    const retried = await queue("retry", "cold-message");
    expect(retried).toMatchObject({ code: 1, out: "", err: expect.stringContaining(`error: ${why}\n`) });
    expect((await queue("retry", "cold-message", "--json")).out).toContain('"code": "QUEUE_FROZEN"');
    const released = await queue("release", "cold-message");
    expect([released.code, released.out]).toEqual([
      0,
      `release: 1 message; 1 of them is not tried\n${why}\n`,
    ]);
    expect(JSON.parse((await queue("release", "cold-message", "--json")).out)).toMatchObject({
      changed: 1,
      keptBack: 1,
      frozen: [{ queue: "cold.example" }, { queue: "halted.example", frozenBy: "router" }],
    });
    expect((await queue("retry", "other")).out).toBe("retry: 1 message\n");
    await server?.close();
    await serve([], 3);
    expect((await queue("retry", "cold-message", "other", "third")).out).toMatch(
      /^retry: 3 messages; 1 of them is/,
    );
  });

  test("no queue, and no number of messages, are refused", async () => {
    await serve([]);
    expect((await queue("list", "--limit", "many")).code).toBe(2);
  });
});

describe("check", () => {
  test("says that all is well", async () => {
    await writeFile(file, "mailroot: ./m\n");
    const { code, out } = await run(["check", "-c", file], [{ script: "a.ts" }]);
    expect([code, out]).toEqual([0, `configuration ${file} is valid, 1 script compiled\n`]);
  });

  test("lists every problem of the file", async () => {
    await writeFile(file, "mailrot: x\nbindigs: []\n");
    const { code, out, err } = await run(["check", "-c", file]);
    expect([code, err]).toEqual([1, ""]);
    expect(out.trimEnd().split("\n")).toEqual([
      'onarrival.yaml:1:1 mailrot: unknown key (did you mean "mailroot"?)',
      'onarrival.yaml:2:1 bindigs: unknown key (did you mean "bindings"?)',
    ]);
  });

  test("says which bindings hold mail, and which rules and bindings do not count", async () => {
    const script = "sinkClass: CDO.SS_SMTPOnArrivalSink";
    await writeFile(
      file,
      `mailroot: ./m
bindings:
  - { displayName: Gone, event: OnArrival, ${script}, sinkProperties: { ScriptName: gone.ts } }
  - { displayName: Old, event: OnArrival, ${script}, sinkProperties: { ScriptName: old.vbs } }
  - { displayName: Off, event: OnArrival, ${script}, enabled: false, sinkProperties: { ScriptName: gone.ts } }
  - { displayName: Beside, event: OnArrival, ${script}, mode: shadow, sinkProperties: { ScriptName: gone.ts } }
  - { displayName: Half, event: OnArrival, ${script}, sourceProperties: { rule: "frm=*;mail from=*" } }
  - { displayName: None, event: OnPreCategorize, sinkClass: ./x.ts, sourceProperties: { rule: "mail from=a*b" } }
  - { displayName: Verb, event: OnInboundCommand, sinkClass: ./x.ts, sourceProperties: { rule: "MAIL FROM=*;E H" } }
  - { displayName: Store, event: StoreDriver, sinkClass: ./x.ts, sourceProperties: { rule: "mail from=*" } }
`,
    );
    const { code, out } = await run(["check", "-c", file, "--json"]);
    const { problems, warnings }: { problems: string[]; warnings: string[] } = JSON.parse(out);
    expect(code).toBe(1);
    expect(problems).toEqual([
      'onarrival.yaml:3:111 bindings[0].sinkProperties.ScriptName: binding "Gone": gone.ts is not in the scripts folder, so all mail is held: save a working gone.ts, or disable or remove the binding',
      'onarrival.yaml:4:110 bindings[1].sinkProperties.ScriptName: binding "Old": old.vbs is no name of a script, so all mail is held: give the binding the ScriptName of a file that ends in .js, .mjs or .ts, or disable or remove it',
    ]);
    expect(warnings).toEqual([
      'onarrival.yaml:7:107 bindings[4].sourceProperties.rule: binding "Half": its rule has conditions that do not count: "frm=*" (conditions begin with EHLO, MAIL FROM or RCPT TO)',
      'onarrival.yaml:7:5 bindings[4].sinkProperties.ScriptName: binding "Half": is not called: its sink property ScriptName is not set',
      expect.stringMatching(
        /bindings\[5\]\.sourceProperties\.rule: binding "None": .*"mail from=a\*b" \(.*\); none is left, so it is never called$/,
      ),
      expect.stringMatching(/ binding "Verb": .* do not count: "E H" \(it begins with no verb\)$/),
      expect.stringMatching(/ binding "Store": its rule is ignored: bindings of StoreDriver have none$/),
    ]);
  });

  test("says which bindings have come to their end, and where settings stand against each other", async () => {
    const tag = "event: OnArrival, sinkClass: OnArrival.AddHeader";
    await writeFile(
      file,
      `mailroot: .
keywords: [SIZE]
domains: { etrn: [example.net] }
bindings:
  - { displayName: Past, ${tag}, expiration: 2020-02-03 }
  - { displayName: Past and off, ${tag}, expiration: 2020-02-03, enabled: false }
  - { displayName: Spent, ${tag}, id: "${GUID}", maxFirings: 2 }
`,
    );
    await writeFile(path.join(folder, "firings.json"), `{ "${GUID}": 2 }`);
    const { code, out } = await run(["check", "-c", file]);
    expect([code, out.trimEnd().split("\n").slice(1)]).toEqual([
      0,
      [
        "onarrival.yaml:3:12 domains.etrn: keywords does not list ETRN, so the command is refused",
        'onarrival.yaml:5:88 bindings[0].expiration: binding "Past": is not called: it expired at 2020-02-03T00:00:00.000Z',
        'onarrival.yaml:7:135 bindings[2].maxFirings: binding "Spent": is not called: its maxFirings (2) are used up',
      ],
    ]);
  });

  test("says which bindings are not called because their script is disabled", async () => {
    const off =
      "event: OnArrival, sinkClass: CDO.SS_SMTPOnArrivalSink, sinkProperties: { ScriptName: off.ts }";
    await writeFile(
      file,
      `mailroot: .
bindings:
  - { displayName: Switched, ${off} }
  - { displayName: Both, ${off}, enabled: false }
`,
    );
    await new ScriptSwitches(path.join(folder, "Scripts", "switches.json"), silentLogger).set("off.ts", {
      disabled: true,
    });
    const { code, out } = await run(["check", "-c", file]);
    const warning =
      'binding "Switched": is not called: off.ts is disabled; `onarrival scripts enable off.ts` switches it on';
    expect(code).toBe(0);
    expect(out.trimEnd().split("\n").slice(1)).toEqual([expect.stringContaining(warning)]);
    expect((await bindings("set", "Switched", "source", "priority", "5")).err).toBe(`warning: ${warning}\n`);
  });

  test("lists broken scripts, as JSON when asked", async () => {
    await writeFile(file, "{}\n");
    const { code, out } = await run(
      ["check", "-c", file, "--json"],
      [{ script: "a.ts", problem: "line 3: oops" }],
    );
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ ok: false, problems: ["a.ts: line 3: oops"] });
  });
});

describe("bindings", () => {
  test("a binding may be added for one virtual server, which has to be there", async () => {
    const add = ["add", "OnArrival", "One", "OnArrival.AddHeader", "--server"] as const;
    expect((await bindings(...add, "default")).code).toBe(0);
    expect((await loadConfig(file)).bindings[0]?.server).toBe("default");
    expect((await bindings(...add, "other")).err).toContain('no virtual server has the name "other"');
  });

  test("a binding is added, changed, disabled and removed as with smtpreg", async () => {
    const added = await bindings(
      "add",
      "onarrival",
      "Disclaimer",
      "--script",
      "disclaimer.ts",
      "--rule",
      "MAIL FROM=*",
    );
    expect(added.code).toBe(0);
    expect(added.out).toContain("priority      24575");
    expect(added.err).toBe(
      'warning: binding "Disclaimer": disclaimer.ts is not in the scripts folder, so mail that the rule MAIL FROM=* matches is held: save a working disclaimer.ts, or disable or remove the binding\n',
    );
    await mkdir(path.join(folder, "scripts"));
    await writeFile(path.join(folder, "scripts", "disclaimer.ts"), "");
    expect((await bindings("set", "Disclaimer", "Source", "Priority", "200")).err).toBe("");
    await bindings("set", "Disclaimer", "Source", "Priority", "300");
    await bindings("set", "Disclaimer", "sink", "Footer", "007");
    await bindings("set", "Disclaimer", "binding", "limits.timeoutMs", "250");
    await bindings("disable", "Disclaimer");
    const [binding] = (await loadConfig(file)).bindings;
    expect(binding).toMatchObject({
      event: "OnTransportSubmission",
      enabled: false,
      sourceProperties: { rule: "MAIL FROM=*", priority: 300 },
      sinkProperties: { ScriptName: "disclaimer.ts", Footer: "007" },
      limits: { timeoutMs: 250 },
    });
    expect((await bindings("list")).out).toMatch(
      /^NAME +EVENT.*\nDisclaimer +OnTransportSubmission +\(all\) +300 +disabled +disclaimer\.ts +MAIL FROM=\* +\{/,
    );
    expect((await bindings("enable", binding?.id ?? "")).code).toBe(0);
    expect((await bindings("unset", "Disclaimer", "sink", "Footer")).code).toBe(0);
    expect((await bindings("unset", "Disclaimer", "sink", "Footer")).code).toBe(1);
    expect((await bindings("remove", "Disclaimer")).code).toBe(0);
    expect((await bindings("list")).out).toMatch(
      /^the configuration file has no bindings; `onarrival scripts list`/,
    );
  });

  test("the list tells the virtual server of each, and which are called no more", async () => {
    const tag = "event: OnArrival, sinkClass: OnArrival.AddHeader";
    const other = "{00000000-0000-0000-0000-000000000001}";
    await writeFile(
      file,
      `mailroot: ./m
virtualServers: [{ name: inside }, { name: outside, listen: ["127.0.0.1:2626"] }]
bindings:
  - { displayName: Plain, ${tag}, server: outside }
  - { displayName: Past, ${tag}, expiration: 2020-02-03, enabled: false }
  - { displayName: Spent, ${tag}, id: "${GUID}", maxFirings: 3 }
  - { displayName: Begun, ${tag}, id: "${other}", maxFirings: 3 }
  - { displayName: Endless, ${tag}, maxFirings: -1 }
`,
    );
    const counted = path.join(folder, "m", "firings.json");
    await mkdir(path.dirname(counted));
    await writeFile(counted, JSON.stringify({ [GUID]: 3, [other]: 1 }));
    const { out, err } = await bindings("list");
    expect([
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {2,}/).slice(0, 5)),
      err,
    ]).toEqual([
      [
        ["NAME", "EVENT", "SERVER", "PRIORITY", "STATE"],
        ["Plain", "OnTransportSubmission", "outside", "24575", "enabled"],
        ["Past", "OnTransportSubmission", "(all)", "24575", "disabled, expired 2020-02-03T00:00:00Z"],
        ["Spent", "OnTransportSubmission", "(all)", "24575", "used up, 3 of 3 calls"],
        ["Begun", "OnTransportSubmission", "(all)", "24575", "enabled, 1 of 3 calls"],
        ["Endless", "OnTransportSubmission", "(all)", "24575", "enabled"],
      ],
      "",
    ]);
    const listed: unknown = JSON.parse((await bindings("list", "--json")).out);
    expect(listed).toMatchObject([
      { server: "outside", state: { enabled: true, expired: false, usedUp: false } },
      { state: { enabled: false, expired: true } },
      { state: { usedUp: true, firings: 3 } },
      { state: { usedUp: false, firings: 1 } },
      {},
    ]);
    expect((await bindings("list", "--mailroot", folder)).out).toContain("0 of 3 calls");
    await writeFile(counted, "{");
    expect((await bindings("list")).err).toMatch(/^warning: the counts of maxFirings cannot be read: /);
  });

  test("the list tells which scripts are disabled, and which bindings their scripts switch off", async () => {
    const script = (name: string): string =>
      `event: OnArrival, sinkClass: CDO.SS_SMTPOnArrivalSink, sinkProperties: { ScriptName: ${name} }`;
    await writeFile(
      file,
      `mailroot: ./m
bindings:
  - { displayName: Plain, ${script("plain.ts")} }
  - { displayName: Asleep, ${script("asleep.ts")} }
  - { displayName: Woken, ${script("asleep.ts")}, enabled: true }
  - { displayName: Switched, ${script("off.ts")} }
  - { displayName: Both, ${script("off.ts")}, enabled: false }
  - { displayName: Absent, ${script("absent.ts")} }
`,
    );
    const kept = path.join(folder, "m", "Scripts");
    const generations = new Generations(kept);
    const live = { since: 1, entryPoint: "default", code: "", sourceMap: "" };
    for (const [name, version, binding] of [
      ["plain.ts", "a0", {}],
      ["asleep.ts", "a1", { enabled: false }],
      ["off.ts", "a2", {}],
    ] as const)
      await generations.save({ ...live, name, version, binding });
    await new ScriptSwitches(path.join(kept, "switches.json"), silentLogger).set("off.ts", {
      disabled: true,
    });
    const states = (await bindings("list")).out.split("\n").map((line) => line.split(/ {2,}/)[4]);
    expect(states.slice(1, -1)).toEqual([
      "enabled",
      "disabled by its script",
      "enabled",
      "script disabled",
      "disabled, script disabled",
      "enabled",
    ]);
    const listed: { state: unknown }[] = JSON.parse((await bindings("list", "--json")).out);
    expect(listed.map(({ state }) => state)).toMatchObject([
      { enabled: true, scriptDisabled: false },
      { enabled: false, scriptDisabled: false },
      { enabled: true },
      { enabled: true, scriptDisabled: true },
      { enabled: false, scriptDisabled: true },
      { enabled: true },
    ]);
  });

  test("a rule of which nothing counts is stored as the original stored it, with a warning", async () => {
    const dead =
      'warning: binding "Dead": its rule has conditions that do not count: "sender=*" (conditions begin with EHLO, MAIL FROM or RCPT TO); none is left, so it is never called\n';
    const added = await bindings("add", "OnArrival", "Dead", "OnArrival.AddHeader", "sender=*");
    expect(added).toMatchObject({ code: 0, err: dead });
    expect(await bindings("disable", "Dead")).toMatchObject({ code: 0, out: "disabled Dead\n", err: dead });
    const set = await bindings("set", "Dead", "source", "rule", "mail from=*;rcpt to=<a@b.example>");
    expect(set.err).toBe(
      'warning: binding "Dead": its rule has conditions that do not count: "rcpt to=<a@b.example>" (addresses stand in rules without < and >)\n',
    );
    expect(await bindings("set", "Dead", "source", "rule", "mail from=*")).toMatchObject({
      code: 0,
      err: "",
    });
    const late = await bindings("set", "Dead", "binding", "expiration", "2020-01-01", "--json");
    expect(JSON.parse(late.out)).toEqual({ done: "set expiration of Dead", warnings: [] });
    expect((await bindings("enable", "Dead")).err).toMatch(
      /^warning: .* is not called: it expired at 2020-01-01/,
    );
    expect((await loadConfig(file)).bindings[0]?.sourceProperties?.rule).toBe("mail from=*");
  });

  test("what cannot be done changes nothing", async () => {
    await bindings("add", "OnArrival", "One", "OnArrival.AddHeader", "RCPT TO=*", "7");
    const before = await readFile(file, "utf8");
    expect(await bindings("remove", "one")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no binding has the display name one"),
    });
    expect((await bindings("add", "OnArival", "Two", "./sink.ts")).err).toContain(
      'did you mean "OnArrival"?',
    );
    for (const sinkClass of [[], ["cdo.ss_smtponarrivalsink"]])
      expect(await bindings("add", "OnArrival", "Two", ...sinkClass)).toMatchObject({
        code: 2,
        err: expect.stringContaining("needs --script FILE"),
      });
    expect(await bindings("add", "OnArrival", "Two", "./absent.ts")).toMatchObject({
      code: 1,
      err: expect.stringContaining("absent.ts cannot be loaded"),
    });
    expect((await bindings("add", "DSN", "Two", "OnArrival.AddHeader")).err).toContain(
      "OnArrival.AddHeader is a sink of OnTransportSubmission, the binding is for DSN",
    );
    expect((await bindings("set", "One", "source", "priority", "high")).code).toBe(1);
    expect(await readFile(file, "utf8")).toBe(before);
  });
});

describe("queue", () => {
  const entry: QueueEntry = {
    id: "m1",
    queue: "example.net:25",
    state: "retry",
    reason: "451 try\u001b[2J later",
    sender: "",
    recipients: [{ address: "b@example.net", state: "pending", lastReply: "451 later" }],
    size: 4096,
    arrivalTime: 0,
    attempts: 2,
    nextAttempt: 60_000,
  };

  test("is listed and shown for people and for programs", async () => {
    await serve([entry]);
    const { out } = await queue("list");
    expect(out).toMatch(
      /^ID +QUEUE.*\nm1 +example\.net:25 +retry +2 +1970-01-01T00:01:00Z +<> +1 +4096 +451 try\?\[2J later\n$/,
    );
    expect(JSON.parse((await queue("list", "--json")).out)).toEqual([{ ...entry, server: "default" }]);
    expect((await queue("show", "m1")).out).toContain("recipient     <b@example.net> pending: 451 later\n");
    expect(await queue("show", "m2")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no message m2"),
    });
  });

  test("changes go to the ids named, or to all only when that is said", async () => {
    const asked = await serve([]);
    expect((await queue("list")).out).toBe("the queues are empty\n");
    expect(await queue("hold", "m1", "m2")).toMatchObject({ code: 0, out: "hold: 1 message\n" });
    expect((await queue("remove")).code).toBe(2);
    expect((await queue("remove", "m1", "--all")).code).toBe(2);
    expect((await queue("remove", "--all")).code).toBe(0);
    expect(asked).toEqual(["m1,m2", ""]);
  });

  test("an id that is gone, and a service that is not there, end with 1", async () => {
    await serve([], 0);
    expect((await queue("retry", "m9")).code).toBe(1);
    await server?.close();
    server = undefined;
    const { code, err } = await queue("list");
    expect(code).toBe(1);
    expect(err).toMatch(/^error: no service answers on .*\nwhat to do: Start the service/);
    expect(JSON.parse((await queue("list", "--json")).out)).toMatchObject({
      error: { code: "CONTROL_UNREACHABLE" },
    });
  });
});

describe("password", () => {
  test("prints a hash that the server accepts", async () => {
    const { code, out } = await run(["password"], [], "correct horse\n");
    expect(code).toBe(0);
    expect(await verifyPassword("correct horse", out.trim())).toBe(true);
  });

  test("refuses an empty one", async () => {
    expect((await run(["password"], [], "\n")).code).toBe(2);
  });
});
