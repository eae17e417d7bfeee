// Scripts that wait, in real sandbox processes behind a real pool; what they ask for is fetched from a real HTTP server.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createCapabilityBroker } from "../../../src/sandbox/capabilities/broker.ts";
import type { RunCall } from "../../../src/sandbox/pool/call-runner.ts";
import { type CapabilityBroker, refuse } from "../../../src/sandbox/capabilities/broker-contract.ts";
import { createScriptHost, type RunAnswer, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";
import { DEFAULT_BROKER_SETTINGS } from "../../support/default-settings.ts";
import { eventually } from "../../support/eventually.ts";
import { callOf, createFixture, requestOf, taskOf } from "./pool-fixture.ts";
import { compiledProgram } from "../../support/compiled.ts";

const SCRIPTS: Record<string, string> = {
  "fetching.js": `export default async function onArrival(msg, status, { messageId }) {
    const r = await fetch("/" + messageId); console.log(messageId, await r.text()) }`,
  "fresh.js": `export default async function onArrival(msg, status, { messageId }) {
    console.log(messageId, await (await fetch("/" + messageId)).text()) }`,
  "quick.js": "export default function onArrival(msg, status, { messageId }) { console.log(messageId) }",
  "never.js": "export default async () => { await new Promise(() => {}) }",
  "spinning.js": 'export default async () => { await fetch("/now"); for (;;); }',
  "dying.js": `export default async (msg, status, { messageId }) => {
    if (messageId === "die") Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 0) }`,
  "turning.js": `export default function onArrival(msg, status, { messageId }) {
    if (messageId === "spin") for (;;); }`,
  "turning-later.js": `export default async function onArrival(msg, status, { messageId }) {
    await fetch("/now"); if (messageId === "spin") for (;;); }`,
  "defect.js": 'export default async () => { await dns.resolve("a.example") }',
};

/** Answers "/now…" at once and keeps the others until they are released. */
class Pages {
  readonly held = new Map<string, ServerResponse>();
  readonly asked: string[] = [];
  closed = 0;
  readonly #server: Server = createServer((request, response) => {
    const path = request.url ?? "";
    this.asked.push(path);
    response.on("close", () => {
      if (!response.writableEnded) this.closed += 1;
    });
    if (path.startsWith("/now")) response.end("now");
    else this.held.set(path, response);
  });
  base = "";

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    this.base = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  holds(path: string): Promise<ServerResponse> {
    return eventually(() => this.held.get(path), { what: `a request for ${path}` });
  }

  async release(path: string): Promise<void> {
    (await this.holds(path)).end(`text of ${path}`);
    this.held.delete(path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const pages = new Pages();
const broker: CapabilityBroker = {
  async perform(request, _body, { signal }) {
    if (request.kind !== "fetch") throw new Error("a defect of the broker");
    if (request.url === "/refused") return refuse("not that one");
    const response = await fetch(pages.base + request.url, { signal });
    const bytes = Buffer.from(await response.arrayBuffer());
    const { status, statusText, url } = response;
    return { answer: { kind: "fetch", status, statusText, url, headers: [...response.headers] }, bytes };
  },
};

let folder: string;
let host: ScriptHost;

beforeAll(async () => {
  await pages.start();
  folder = await mkdtemp(join(tmpdir(), "waiting-"));
  for (const [name, code] of Object.entries(SCRIPTS)) await writeFile(join(folder, name), code);
  const settings = { processes: 1, killGraceMs: 200 };
  const program = await compiledProgram();
  host = createScriptHost({ folder, log: silentLogger, watch: false, program, settings, broker });
  await host.start();
  // Each version has proved itself before the tests begin.
  const first = [run("fetching.js", "now-first"), run("quick.js", "q"), run("dying.js", "live")];
  expect((await Promise.all(first)).map(faultOf)).toEqual([undefined, undefined, undefined]);
});

afterAll(async () => {
  await host.stop();
  await pages.stop();
  await rm(folder, { recursive: true });
});

function call(name: string, limits: Partial<ScriptLimits> = {}): RunCall {
  const script = host.scripts.get(name);
  if (script === undefined) throw new Error(`${name}: ${host.broken.get(name)}`);
  return {
    script,
    bindingName: name,
    sinkProperties: {},
    limits: { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 20_000, cpuMs: 20_000, ...limits },
    allow: { fetch: ["/"], dns: true },
    cacheable: true,
    continueOnFault: false,
  };
}

const run = (name: string, messageId: string, limits: Partial<ScriptLimits> = {}): Promise<RunAnswer> =>
  host.run(requestOf([call(name, limits)], { messageId }));
const logOf = ({ outcomes }: RunAnswer): string | undefined =>
  outcomes[0]?.logs[0]?.text ?? outcomes[0]?.fault?.message;
const faultOf = ({ outcomes }: RunAnswer): object | undefined => outcomes[0]?.fault;

describe("while a script waits", () => {
  test("100 other messages of the same script and of another pass through the same process", async () => {
    const slow = run("fetching.js", "slow");
    const held = await pages.holds("/slow");
    const others = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        i % 2 === 0 ? run("fetching.js", `now${i}`) : run("quick.js", `q${i}`),
      ),
    );
    expect(others.map(logOf)).toEqual(others.map((_, i) => (i % 2 === 0 ? `now${i} now` : `q${i}`)));
    expect(held.writableEnded).toBe(false);
    await pages.release("/slow");
    expect(logOf(await slow)).toBe("slow text of /slow");
  });

  test("also when the message that waits is the first of its version", async () => {
    const slow = run("fresh.js", "fresh");
    const others = [run("fresh.js", "now-1"), run("fresh.js", "now-2")];
    await pages.holds("/fresh");
    expect((await Promise.all(others)).map(logOf)).toEqual(["now-1 now", "now-2 now"]);
    await pages.release("/fresh");
    expect(logOf(await slow)).toBe("fresh text of /fresh");
  });

  test("many wait in one process, and each gets its own answer", async () => {
    const ids = Array.from({ length: 40 }, (_, i) => `many${i}`);
    const waiting = ids.map((id) => run("fetching.js", id));
    await Promise.all(ids.map((id) => pages.holds(`/${id}`)));
    // Backwards, so that none is answered in the order in which it asked.
    for (const id of ids.toReversed()) await pages.release(`/${id}`);
    expect((await Promise.all(waiting)).map(logOf)).toEqual(ids.map((id) => `${id} text of /${id}`));
  });

  test("X03 its wall time ends: the call fails, the request is ended, and the next message is served", async () => {
    const closed = pages.closed;
    expect(faultOf(await run("fetching.js", "late", { timeoutMs: 150 }))).toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("waiting for fetch"),
    });
    await eventually(() => pages.closed > closed, { what: "the end of the request" });
    expect(logOf(await run("fetching.js", "now-after"))).toBe("now-after now");
  });

  test("X03 a promise that nothing can settle ends at once", async () => {
    expect(faultOf(await run("never.js", "n"))).toMatchObject({ kind: "invalid" });
  });

  test("X02 running behind an answer is running time", async () => {
    const fault = faultOf(await run("spinning.js", "s", { cpuMs: 100 }));
    expect(fault).toMatchObject({ kind: "timeout", message: expect.stringContaining("100 ms (cpuMs)") });
  });

  test("a refusal and a defect of who performs it are errors of the script", async () => {
    expect(faultOf(await run("fetching.js", "refused"))).toMatchObject({ message: /not that one/ });
    expect(faultOf(await run("defect.js", "d"))).toMatchObject({ message: /its log says why/ });
  });

  test("the versions of its run stay in the process, although they are no longer live", async () => {
    const settings = { processes: 1, settleMs: 5 };
    const program = await compiledProgram();
    const watching = createScriptHost({ folder, log: silentLogger, program, settings, broker });
    await watching.start();
    try {
      const [first, second] = ["fetching.js", "quick.js"].map((name) => {
        const script = watching.scripts.get(name);
        return script === undefined ? call(name) : { ...call(name), script };
      });
      if (first === undefined || second === undefined) throw new Error("two scripts are needed");
      const waiting = watching.run(requestOf([first, second], { messageId: "retired" }));
      await pages.holds("/retired");
      await writeFile(join(folder, "quick.js"), "export default () => 1");
      await eventually(() => watching.scripts.get("quick.js")?.version !== second.script.version, {
        what: "the new version",
      });
      await pages.release("/retired");
      expect((await waiting).outcomes.map(({ fault, verdict }) => [fault, verdict])).toEqual([
        [undefined, 0],
        [undefined, 0],
      ]);
    } finally {
      await watching.stop();
    }
  });
});

describe("when the process ends", () => {
  test("messages that wait are run again, and their open requests are ended", async () => {
    const closed = pages.closed;
    const waiting = ["again1", "again2", "again3"].map((id) => run("fetching.js", id));
    for (const id of [1, 2, 3]) await pages.holds(`/again${id}`);
    pages.held.clear();
    for (const pid of host.pids) process.kill(pid, "SIGKILL");
    for (const id of [1, 2, 3]) await pages.release(`/again${id}`);
    expect((await Promise.all(waiting)).map(logOf)).toEqual(
      [1, 2, 3].map((id) => `again${id} text of /again${id}`),
    );
    expect(pages.closed - closed).toBeGreaterThanOrEqual(3);
    expect(pages.asked.filter((path) => path === "/again1")).toHaveLength(2);
  });

  test("because of another script, those that wait lose nothing but time", async () => {
    const waiting = run("fetching.js", "bystander");
    await pages.holds("/bystander");
    pages.held.clear();
    // Its isolate is made before its time runs: on a busy machine that time could end before it comes to what ends the process.
    expect(faultOf(await run("dying.js", "live"))).toBeUndefined();
    const guilty = run("dying.js", "die", { timeoutMs: 400, cpuMs: 400 });
    await pages.release("/bystander");
    expect(logOf(await waiting)).toBe("bystander text of /bystander");
    expect(faultOf(await guilty)).toMatchObject({ kind: expect.stringMatching(/crash|timeout/) });
  });
});

describe("a process that lies about waiting", () => {
  const answering: CapabilityBroker = {
    perform: () => Promise.resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) }),
  };
  const liars = createFixture({ broker: answering, killGraceMs: 5000 });
  afterAll(() => liars.pool.stop());
  const lies = [
    "waits-for-nothing",
    "waits-other-job",
    "waits-in-other-call",
    "waits-malformed",
    "waits-twice-the-number",
    "waits-too-often",
    "waits-with-bytes",
    "waits-for-ever",
  ];
  test.each(lies)("is ended: %s", async (lie) => {
    const limits = { ...callOf(lie).limits, requests: 3, requestBytes: 1000 };
    const answer = await liars.pool.run(taskOf([callOf(lie, { limits })]), { alone: true });
    expect(answer.kind).toBe("crash");
    expect(await liars.pool.run(taskOf([callOf("echo")]))).toMatchObject({ kind: "outcomes" });
  });

  test("and one whose time ended with its frame on the way is told so, and ended when it waits on", async () => {
    const limits = { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 100 };
    const ran = (behaviour: string): ReturnType<typeof liars.pool.run> =>
      liars.pool.run(taskOf([callOf(behaviour, { limits })]), { alone: true });
    expect(await ran("waits-late")).toMatchObject({ outcomes: [{ logs: [{ text: "abandoned" }] }] });
    expect(await ran("waits-late-and-on")).toMatchObject({ kind: "crash" });
  });

  test("and one that waits as it should is served", async () => {
    expect(await liars.pool.run(taskOf([callOf("waits")]))).toMatchObject({ kind: "outcomes" });
  });

  test("without anybody who serves capabilities the request is refused", async () => {
    await using fixture = createFixture();
    expect(await fixture.pool.run(taskOf([callOf("waits")]))).toMatchObject({
      outcomes: [{ logs: [{ text: expect.stringContaining("no capability is served here") }] }],
    });
  });
});

describe("a script that was good and begins to spin", () => {
  test.each(["turning.js", "turning-later.js"])(
    "X32 holds up itself and not the others: %s",
    async (name) => {
      const limits = { timeoutMs: 300, cpuMs: 300 };
      expect(faultOf(await run(name, "good", limits))).toBeUndefined();
      const ended: string[] = [];
      const spinning = Array.from({ length: 8 }, () =>
        run(name, "spin", limits).then((answer) => ended.push(answer.outcomes[0]?.fault?.kind ?? "good")),
      );
      const innocent = run("quick.js", "beside").then((answer) => ended.push(logOf(answer) ?? ""));
      await Promise.all([...spinning, innocent]);
      expect(ended.filter((kind) => ["timeout", "suspended", "crash"].includes(kind))).toHaveLength(8);
      // One of them ran before it, and perhaps some beside it.
      expect(ended.indexOf("beside")).toBeLessThan(5);
      expect(await run("quick.js", "after").then(logOf)).toBe("after");
    },
  );
});

test("a time-out in which the service let a request wait for its turn is no strike, and names the setting", async () => {
  const clock = systemClock;
  const fetching = createCapabilityBroker({
    settings: {
      ...DEFAULT_BROKER_SETTINGS,
      fetch: { ...DEFAULT_BROKER_SETTINGS.fetch, maxConcurrentPerScript: 2 },
    },
    kvFolder: join(folder, "kv"),
    clock,
    log: silentLogger,
    userAgent: "OnArrival/test",
  });
  const [name, both] = ["turns.js", "both-turns.js"];
  const page = `${pages.base}/turn`;
  await writeFile(join(folder, name), `export default async () => { await fetch("${page}"); }`);
  await writeFile(
    join(folder, both),
    `export default () => Promise.all([1, 2, 3].map(() => fetch("${page}")))`,
  );
  const settings = { processes: 1, strikes: 100 };
  const program = await compiledProgram();
  const only = [name, both];
  const turns = createScriptHost({
    folder,
    only,
    log: silentLogger,
    watch: false,
    program,
    settings,
    broker: fetching,
  });
  await turns.start();
  const messages = async (file: string, count: number): Promise<string[]> => {
    const script = turns.scripts.get(file);
    if (script === undefined) throw new Error(`${file}: ${turns.broken.get(file)}`);
    const limits = { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 400 };
    const one = { ...call("quick.js"), script, bindingName: file, limits, allow: { fetch: [pages.base] } };
    const answers = await Promise.all(
      Array.from({ length: count }, (_, i) => turns.run(requestOf([one], { messageId: `${file}${i}` }))),
    );
    return answers.map(({ outcomes }) => outcomes[0]?.fault?.message ?? "no fault").toSorted();
  };
  try {
    const waited =
      /^turns\.js:1:\d+: .* was waiting for fetch, which had to wait for its turn \(sandbox\.fetchMaxConcurrentPerScript\)$/;
    const own = /^turns\.js:1:\d+: .* was waiting for fetch$/;
    expect(await messages(name, 5)).toEqual([
      expect.stringMatching(own),
      expect.stringMatching(own),
      ...Array.from({ length: 3 }, () => expect.stringMatching(waited)),
    ]);
    expect(turns.counts.strikes).toBe(2);
    // The turns that its third request waits for it has itself.
    expect(await messages(both, 1)).toEqual([expect.stringMatching(/was waiting for fetch$/)]);
    expect(turns.counts.strikes).toBe(3);
  } finally {
    await turns.stop();
    await fetching.close();
  }
});

describe("how many may wait", () => {
  test("is bounded; those in excess wait for their turn, and scripts that do not wait pass", async () => {
    const open: (() => void)[] = [];
    const holding: CapabilityBroker = {
      perform: () =>
        new Promise((resolve) => {
          open.push(() => resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) }));
        }),
    };
    await using fixture = createFixture({ waitingJobs: 2, broker: holding });
    const limits = { ...callOf("waits").limits, timeoutMs: 60_000 };
    const wait = () => fixture.pool.run(taskOf([callOf("waits", { limits })]));
    const first = wait();
    await eventually(() => open.length === 1, { what: "the first request" });
    open.shift()?.();
    await first;
    const more = [wait(), wait()];
    await eventually(() => open.length === 2, { what: "two requests" });
    more.push(wait(), wait());
    expect(await fixture.pool.run(taskOf([callOf("echo")]))).toMatchObject({ kind: "outcomes" });
    expect(open).toHaveLength(2);
    let served = 0;
    while (served < 4) {
      await eventually(() => open.length > 0, { what: "a request" });
      open.shift()?.();
      served += 1;
    }
    for (const answer of await Promise.all(more)) expect(answer.kind).toBe("outcomes");
  });
});
