// The life of virtual servers in a running service: paused, stopped, started, added and removed.
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { callControl } from "../../src/admin/control-client.ts";
import type { ServerStatus } from "../../src/composition/observation/service-status.ts";
import { checkCommand } from "../../src/cli/check.ts";
import { serverCommand } from "../../src/cli/server.ts";
import { statusCommand } from "../../src/cli/status.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/logger.ts";
import { type Relay, startRelay } from "../../src/relay.ts";
import { segmentFileName } from "../../src/store/segments/record.ts";
import { runInProcess } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { startLdapResponder } from "../support/ldap-responder.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface Line {
  readonly text: string;
  readonly [field: string]: unknown;
}

function linesTo(lines: Line[]): Logger {
  const write = (fields: object, text: string): void => void lines.push({ ...fields, text });
  return { debug: write, info: write, warn: write, error: write, child: () => linesTo(lines) };
}

interface Running {
  readonly relay: Relay;
  readonly mailroot: string;
  readonly log: readonly Line[];
  /** Loads this text and has it taken over. */
  reload(text: string): Promise<void>;
  server(verb: string, name?: string): Promise<readonly ServerStatus[]>;
}

const INNER = '{ name: inner, listen: ["127.0.0.1:0"], domains: { local: [inner.example] } }';
const OUTER = '{ name: outer, listen: ["127.0.0.1:0"], domains: { local: [outer.example] } }';
const STAMP = `export default { event: "OnTransportSubmission", onEvent(msg) { msg.sender = "stamped@x.example"; } };\n`;
const fileOf = (...servers: readonly string[]): string => `virtualServers: [${servers.join(", ")}]\n`;

async function start(text: string): Promise<Running> {
  const folder = await tempFolder("relay");
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const file = path.join(folder.path, "onarrival.yaml");
  const load = async (content: string): ReturnType<typeof loadConfig> => {
    await writeFile(file, content);
    return loadConfig(file);
  };
  const log: Line[] = [];
  const relay = await startRelay(await load(text), linesTo(log), systemClock);
  onTestFinished(() => relay.stop());
  const mailroot = path.join(folder.path, "mailroot");
  return {
    relay,
    mailroot,
    log,
    reload: async (content) => relay.reload(await load(content)),
    server: async (verb, name) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the method answers
      (await callControl(mailroot, `server.${verb}`, { name })) as readonly ServerStatus[],
  };
}

const statesOf = (servers: readonly ServerStatus[]): string[] =>
  servers.map(({ name, state }) => `${name} ${state}`);

async function portOf(running: Running, name: string): Promise<number> {
  const servers = await running.server("list");
  return Number(servers.find((one) => one.name === name)?.addresses[0]?.split(":")[1]);
}

const dropped = async (mailroot: string): Promise<number> =>
  (await readdir(path.join(mailroot, "Drop"))).filter((name) => name.endsWith(".eml")).length;

async function droppedText(mailroot: string): Promise<string> {
  const [name = ""] = await readdir(path.join(mailroot, "Drop"));
  return readFile(path.join(mailroot, "Drop", name), "latin1");
}

const untilDropped = (mailroot: string, count: number): Promise<true> =>
  eventually(async () => (await dropped(mailroot)) === count, { what: `${count} messages in ${mailroot}` });

async function putInto(pickup: string, to: string): Promise<void> {
  await mkdir(pickup, { recursive: true });
  await writeFile(
    path.join(pickup, "one.eml"),
    `x-sender: a@x.example\r\nx-receiver: ${to}\r\n${plainMessage("picked")}`,
  );
}

/** Of another program. */
async function takenPort(): Promise<number> {
  const taken = createServer();
  await new Promise<void>((resolve) => {
    taken.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void taken.close());
  const address = taken.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("an operator", () => {
  test("pauses a virtual server: new clients get 421, open sessions go on, and its mail is delivered", async () => {
    const running = await start(fileOf(INNER, OUTER));
    const port = await portOf(running, "outer");
    await using open = conversation(port).expects(220).sends("EHLO x").expects(250);
    await open;
    expect(statesOf(await running.server("pause", "outer"))).toEqual(["inner running", "outer paused"]);
    await using late = conversation(port).expects(421, "4.3.2").expectsEnd();
    await late;
    await send(await portOf(running, "inner"), { to: "a@inner.example", data: plainMessage("x") });
    await open.sends("MAIL FROM:<a@x.example>").expects(250).sends("RCPT TO:<b@outer.example>").expects(250);
    await open
      .sends("DATA")
      .expects(354)
      .sends(`${plainMessage("x")}\r\n.`)
      .expects(250);
    await untilDropped(path.join(running.mailroot, "outer"), 1);
    expect(statesOf(await running.server("continue", "outer"))).toEqual(["inner running", "outer running"]);
    await send(port, { to: "c@outer.example", data: plainMessage("x") });
    await untilDropped(path.join(running.mailroot, "outer"), 2);
  });

  test("stops one, which keeps its mail, and starts it again, which goes on with it", async () => {
    const running = await start(
      fileOf(INNER, '{ name: outer, listen: ["127.0.0.1:0"], delivery: { smartHost: "127.0.0.1:1" } }'),
    );
    await send(await portOf(running, "outer"), { to: "a@far.example", data: plainMessage("x") });
    const port = await portOf(running, "outer");
    const [, stopped] = await running.server("stop", "outer");
    expect(stopped).toMatchObject({ state: "stopped", addresses: [], connections: 0 });
    await using late = conversation(port).expectsEnd();
    await late;
    await send(await portOf(running, "inner"), { to: "a@inner.example", data: plainMessage("x") });
    await untilDropped(running.mailroot, 1);
    await expect(running.server("pause", "outer")).rejects.toMatchObject({ code: "WRONG_USE" });
    const [, started] = await running.server("start", "outer");
    expect(started).toMatchObject({ state: "running", queues: { messages: 1 } });
    await running.server("stop", "inner");
    expect(statesOf(await running.server("stop", "inner"))).toEqual(["inner stopped", "outer running"]);
    await expect(running.server("start", "third")).rejects.toMatchObject({
      code: "WRONG_USE",
      message: expect.stringContaining("inner, outer"),
    });
  });

  test("starts one that does not start by itself; what lies in its Pickup waits until then", async () => {
    const running = await start(fileOf(INNER, OUTER.replace("{", "{ autoStart: false,")));
    const mailroot = path.join(running.mailroot, "outer");
    await putInto(path.join(mailroot, "Pickup"), "a@outer.example");
    expect(statesOf(await running.server("list"))).toEqual(["inner running", "outer stopped"]);
    expect(running.relay.addresses).toHaveLength(1);
    await running.server("start", "outer");
    await untilDropped(mailroot, 1);
  });
});

test("people see what each virtual server does and what waits in all of them", async () => {
  const unreachable = 'delivery: { smartHost: "127.0.0.1:1" } }';
  const running = await start(
    fileOf(
      `{ name: inner, listen: ["127.0.0.1:0"], ${unreachable}`,
      `{ name: outer, listen: ["127.0.0.1:0"], ${unreachable}`,
      OUTER.replace("{ name: outer", "{ autoStart: false, name: third"),
    ),
  );
  for (const name of ["inner", "outer"])
    await send(await portOf(running, name), { to: "a@far.example", data: plainMessage("x") });
  await running.server("pause", "outer");
  const place = ["--mailroot", running.mailroot];
  const listed = await runInProcess([serverCommand], ["server", "list", ...place]);
  const rows = listed.out.split("\n").map((line) => line.split(/ {2,}/));
  expect(rows.map(([name, state, , messages]) => [name, state, messages].join(" ").trim())).toEqual([
    "SERVER STATE MESSAGES",
    "inner running 1",
    "outer paused 1",
    "third stopped -",
    "",
  ]);
  const { out } = await runInProcess([statusCommand], ["status", ...place]);
  expect(out).toMatch(/^messages +2, the oldest since \d+ s$/m);
  expect(out).toMatch(/^server +outer\nstate +paused\naddresses +127\.0\.0\.1:\d+\n/m);
  expect(out).toMatch(/^server +third\nstate +stopped\naddresses *\nconnections +0\n$/m);
});

describe("a reload", () => {
  test("adds a virtual server, bindings and all, and removes one, whose mail stays", async () => {
    const running = await start(fileOf(INNER));
    const mailroot = path.join(running.mailroot, "outer");
    const sink = path.join(path.dirname(running.mailroot), "stamp.mjs");
    await writeFile(sink, STAMP);
    await putInto(path.join(mailroot, "Pickup"), "a@outer.example");
    const binding = "bindings: [{ event: OnTransportSubmission, sinkClass: ./stamp.mjs, server: outer }]\n";
    await running.reload(fileOf(INNER, OUTER) + binding);
    await untilDropped(mailroot, 1);
    expect(await droppedText(mailroot)).toContain("x-sender: stamped@x.example");
    await send(await portOf(running, "outer"), { to: "b@outer.example", data: plainMessage("x") });
    await untilDropped(mailroot, 2);
    const port = await portOf(running, "outer");

    await running.reload(fileOf(INNER));
    expect(statesOf(await running.server("list"))).toEqual(["inner running"]);
    await using late = conversation(port).expectsEnd();
    await late;
    const told = { text: "virtual server removed; its mailroot stays", mailroot };
    expect(running.log).toContainEqual(expect.objectContaining(told));
    expect(await dropped(mailroot)).toBe(2);
    expect(running.log.some(({ text }) => text.includes("next start"))).toBe(false);
  });

  test("changes nothing when an added virtual server cannot have its address", async () => {
    const port = await takenPort();
    const running = await start(fileOf(INNER));
    const changed = fileOf(
      INNER.replace("inner.example", "new.example"),
      OUTER,
      `{ name: third, listen: ["127.0.0.1:${port}"] }`,
    );
    await expect(running.reload(changed)).rejects.toMatchObject({ code: "LISTEN_FAILED" });
    expect(statesOf(await running.server("list"))).toEqual(["inner running"]);
    await send(await portOf(running, "inner"), { to: "a@inner.example", data: plainMessage("x") });
    await untilDropped(running.mailroot, 1);
    const everywhere = `{ name: all, listen: ["0.0.0.0:${await portOf(running, "inner")}"] }`;
    const fixed = INNER.replace(":0", `:${await portOf(running, "inner")}`);
    await expect(running.reload(fileOf(fixed, everywhere))).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    // Their mailroots are free again.
    await running.reload(fileOf(INNER, OUTER));
    expect(statesOf(await running.server("list"))).toEqual(["inner running", "outer running"]);
  });

  test("leaves the virtual servers as they are when a mailroot would change hands, and says so", async () => {
    const running = await start(fileOf(INNER));
    await running.reload(fileOf(OUTER, INNER.replace("inner.example", "new.example")));
    expect(statesOf(await running.server("list"))).toEqual(["inner running"]);
    expect(running.log.at(-1)).toMatchObject({
      text: "some changed settings apply at the next start",
      needRestart: ["virtualServers.mailroot", "virtualServers"],
    });
    await send(await portOf(running, "inner"), { to: "a@new.example", data: plainMessage("x") });
    await untilDropped(running.mailroot, 1);
  });

  test("leaves a virtual server whose name is changed as it is, takes all else over and says so", async () => {
    const bindingOf = (server: string): string =>
      `bindings: [{ event: OnTransportSubmission, sinkClass: ./stamp.mjs, server: ${server} }]\n`;
    const running = await start(fileOf(INNER, OUTER));
    await writeFile(path.join(path.dirname(running.mailroot), "stamp.mjs"), STAMP);
    await running.reload(fileOf(INNER, OUTER) + bindingOf("outer"));
    const port = await portOf(running, "outer");
    for (const [index, host] of ["127.0.0.1", "0.0.0.0"].entries()) {
      const renamed = OUTER.replace("outer,", `out${index},`).replace("127.0.0.1:0", `${host}:${port}`);
      await running.reload(
        fileOf(INNER.replace("inner.example", `new${index}.example`), renamed) + bindingOf(`out${index}`),
      );
      expect(statesOf(await running.server("list"))).toEqual(["inner running", "outer running"]);
      expect(running.log.at(-1)).toMatchObject({
        text: "some changed settings apply at the next start",
        needRestart: ["virtualServers"],
      });
      await send(await portOf(running, "inner"), { to: `a@new${index}.example`, data: plainMessage("x") });
      await untilDropped(running.mailroot, index + 1);
    }
    await send(port, { to: "a@outer.example", data: plainMessage("x") });
    const outer = path.join(running.mailroot, "outer");
    await untilDropped(outer, 1);
    expect(await droppedText(outer)).toContain("x-sender: stamped@x.example");
    // The first one has the mailroot of the service: its new name needs it too.
    await running.reload(fileOf(INNER.replace("inner,", "in,"), OUTER));
    expect(statesOf(await running.server("list"))).toEqual(["inner running", "outer running"]);
    expect(await readdir(running.mailroot)).not.toContain("out0");
    expect(running.log.some(({ text }) => text.startsWith("no virtual server has"))).toBe(false);
  });
});

describe("a reload that is refused", () => {
  test("closes what it made for the directory, and the one in use stays", async () => {
    await using ldap = await startLdapResponder(({ base, attributes }) =>
      attributes[0] === "1.1" ? [{ dn: base, attributes: {} }] : [],
    );
    const server = `servers: ["ldap://127.0.0.1:${ldap.port}"], tls: { startTls: never }`;
    const categorizer = (maxDepth: number): string =>
      `categorizer: { maxDepth: ${maxDepth}, ldap: { ${server}, base: "dc=x" } }`;
    const inner = (more: string): string =>
      `{ name: inner, listen: ["127.0.0.1:0"], domains: { local: [inner.example] }, ${more} }`;
    const running = await start(fileOf(inner(categorizer(5))));
    const sendOne = async (): Promise<void> => {
      const before = await dropped(running.mailroot);
      await send(await portOf(running, "inner"), { to: "a@inner.example", data: plainMessage("x") });
      await untilDropped(running.mailroot, before + 1);
    };
    await sendOne();
    expect(ldap.connections).toBe(1);
    const taken = `{ name: late, listen: ["127.0.0.1:${await takenPort()}"] }`;
    await expect(running.reload(fileOf(inner(categorizer(6)), taken))).rejects.toMatchObject({
      code: "LISTEN_FAILED",
    });
    await running.reload(fileOf(inner(`${categorizer(5)}, hostName: other.example`)));
    await sendOne();
    expect(ldap.connections).toBe(1);
    await running.reload(fileOf(inner(categorizer(6))));
    await sendOne();
    expect(ldap.connections).toBe(2);
  });
});

describe("a start", () => {
  test("tells of a setting that has no effect because of another one, and so does a reload", async () => {
    const running = await start(`${fileOf(INNER)}keywords: [SIZE, ETRN]\n`);
    const told = (): unknown[] => running.log.flatMap(({ problem }) => problem ?? []);
    const etrn = expect.stringMatching(/^onarrival\.yaml:2:18 keywords\[1\]: ETRN is listed, and no domain/);
    expect(told()).toEqual([etrn]);
    await running.reload(`${fileOf(INNER)}keywords: [BINARYMIME]\n`);
    expect(told()).toEqual([etrn, expect.stringMatching(/^onarrival\.yaml:2:12 keywords\[0\]: BINARYMIME/)]);
  });

  test("tells of a binding that has no script to call, and so does each reload until it is switched off", async () => {
    const bindings = (more = ""): string => `${fileOf(INNER)}bindings:
  - { id: "{1B3C0666-E470-11D1-AA67-00C04FA345F6}", displayName: Guard, event: OnTransportSubmission, sinkClass: CDO.SS_SMTPOnArrivalSink,
      sinkProperties: { ScriptName: guard.ts }${more} }
`;
    const running = await start(bindings());
    const told = (): unknown[] =>
      running.log.flatMap(({ text, problem }) =>
        text === "a binding has no script to call" ? [problem] : [],
      );
    const held = "guard.ts is not in the scripts folder, so all mail is held";
    expect(told()).toEqual([held]);
    await running.reload(bindings(", onError: badmail"));
    expect(told()).toEqual([held, held.replace("is held", "moves to Badmail")]);
    await running.reload(bindings(", enabled: false"));
    expect(told()).toHaveLength(2);
  });

  test("tells of a shadow that is to be compared with a live binding that is not there or switched off", async () => {
    const script = "event: OnTransportSubmission, sinkClass: CDO.SS_SMTPOnArrivalSink";
    const bindings = (enabled: boolean): string => `${fileOf(INNER)}bindings:
  - { displayName: Guard, ${script}, sinkProperties: { ScriptName: guard.ts }, onError: continue, enabled: ${enabled} }
  - { displayName: Trial, ${script}, sinkProperties: { ScriptName: trial.ts }, mode: shadow, compareWith: Guard }
`;
    const running = await start(bindings(true));
    const told = (): unknown[] =>
      running.log.flatMap(({ text, problem }) =>
        text === "a shadow binding has no live one to be compared with" ? [problem] : [],
      );
    expect(told()).toEqual([]);
    await running.reload(bindings(false));
    expect(told()).toEqual([
      expect.stringMatching(
        /bindings\[1\]\.compareWith: binding "Trial": its compareWith, "Guard", is neither/,
      ),
    ]);
  });

  test("tells of a mailroot with mail that no virtual server has", async () => {
    const running = await start(fileOf(INNER));
    const warnings = (): unknown[] =>
      running.log.flatMap(({ text, mailroot }) =>
        text.startsWith("no virtual server has") ? [mailroot] : [],
      );
    expect(warnings()).toEqual([]);
    for (const name of ["gone", "never-begun"])
      await mkdir(path.join(running.mailroot, name, "Queue"), { recursive: true });
    const segment = segmentFileName(1, Buffer.alloc(8));
    await writeFile(path.join(running.mailroot, "gone", "Queue", segment), "");
    await running.relay.stop();
    const file = path.join(path.dirname(running.mailroot), "onarrival.yaml");
    const config = await loadConfig(file);
    const log: Line[] = [];
    const again = await startRelay(config, linesTo(log), systemClock);
    const gone = `${path.join(running.mailroot, "gone")}: no virtual server has this mailroot`;
    expect((await runInProcess([statusCommand], ["status", "--mailroot", running.mailroot])).out).toContain(
      gone,
    );
    await again.stop();
    const check = checkCommand(() => Promise.resolve({ scripts: [], warnings: [] }));
    expect(await runInProcess([check], ["check", "--config", file])).toMatchObject({
      code: 0,
      out: expect.stringContaining(gone) as string,
    });
    expect(log).toContainEqual(expect.objectContaining({ mailroot: path.join(running.mailroot, "gone") }));
    expect(log.map(({ mailroot }) => mailroot)).not.toContain(path.join(running.mailroot, "never-begun"));
  });

  test("hands mail in a mailroot that changed hands over to the virtual server that it came by, and holds it while that does not run", async () => {
    const waits = `delivery: { smartHost: "127.0.0.1:9" }`;
    const inner = (more = ""): string =>
      `{ name: inner, listen: ["127.0.0.1:0"], domains: { local: [inner.example] } ${more} }`;
    const running = await start(fileOf(inner(`, ${waits}`)));
    const file = path.join(path.dirname(running.mailroot), "onarrival.yaml");
    await send(await portOf(running, "inner"), { to: "a@far.example", data: plainMessage("x") });
    const startAgain = async (text: string, log: Line[] = []): Promise<Relay> => {
      await writeFile(file, text);
      return startRelay(await loadConfig(file), linesTo(log), systemClock);
    };
    const listed = async (): Promise<unknown> => callControl(running.mailroot, "queue.list", {});
    await eventually(async () => JSON.stringify(await listed()).includes('"retry"'), { what: "a retry" });
    await running.relay.stop();
    // The first of the file has the mailroot of the service.
    const log: Line[] = [];
    const swapped = await startAgain(fileOf(OUTER, inner(", autoStart: false")), log);
    expect(await listed()).toMatchObject([
      { server: "outer", state: "held", advice: expect.stringContaining("onarrival queue release ") },
    ]);
    expect(JSON.stringify(await listed())).toContain("came by the virtual server inner");
    expect(log).toContainEqual(expect.objectContaining({ server: "outer", cameBy: "inner", messages: 1 }));
    await swapped.stop();
    const both = await startAgain(fileOf(OUTER, inner()), log);
    await untilDropped(path.join(running.mailroot, "inner"), 1);
    // Its end follows its file.
    await eventually(async () => JSON.stringify(await listed()) === "[]", { what: "empty queues" });
    expect(log).toContainEqual(
      expect.objectContaining({
        text: "messages of another virtual server were handed over to it",
        messages: 1,
      }),
    );
    await both.stop();
    const again = await startAgain(fileOf(OUTER, inner()));
    expect(await listed()).toEqual([]);
    await again.stop();
    expect([await dropped(running.mailroot), await dropped(path.join(running.mailroot, "inner"))]).toEqual([
      0, 1,
    ]);
  });

  test("fails when one of the addresses is taken, and holds nothing afterwards", async () => {
    const running = await start(fileOf(INNER));
    const other = fileOf(OUTER, `{ name: b, listen: ["127.0.0.1:${await portOf(running, "inner")}"] }`);
    await using folder = await tempFolder("relay");
    const file = path.join(folder.path, "onarrival.yaml");
    await writeFile(file, other);
    const again = async (): Promise<Relay> => startRelay(await loadConfig(file), linesTo([]), systemClock);
    await expect(again()).rejects.toMatchObject({ code: "LISTEN_FAILED" });
    await running.server("stop", "inner");
    const relay = await again();
    expect(relay.addresses).toHaveLength(2);
    await relay.stop();
  });

  test("is refused on the mailroot of another service, although none of its virtual servers is there", async () => {
    const elsewhere = "{ mailroot: elsewhere, listen: ['127.0.0.1:0'] }";
    const running = await start(fileOf(elsewhere));
    const config = await loadConfig(path.join(path.dirname(running.mailroot), "onarrival.yaml"));
    const other = {
      ...config,
      virtualServers: config.virtualServers.map((one) => ({ ...one, mailroot: `${one.mailroot}2` })),
    };
    await expect(startRelay(other, linesTo([]), systemClock)).rejects.toMatchObject({
      code: "MAILROOT_LOCKED",
    });
  });
});
