// Asynchronous scripts in a real sandbox process: turns, contexts, and what ends a call that waits.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CapabilityAnswer, CapabilityRequest, ScriptCall } from "../../../runtime/contract.ts";
import { MESSAGE, outcomesOf, requestsOf, type Turn, WorkerUnderTest } from "./support.ts";

const asyncScript = (body: string): string =>
  `export default async function onArrival(msg, status) {\n${body}\n}`;
const FETCHING = asyncScript(
  'const r = await fetch("https://a.example/x"); console.log(msg.Subject, r.status, await r.text());',
);
const GRANTED: Partial<ScriptCall> = {
  allow: { fetch: ["https://a.example/"], kv: true, dns: true, secrets: ["TOKEN"] },
  secrets: { TOKEN: "s3cret" },
};
const granted = { call: GRANTED };
const page = (text: string, more: object = {}): { answer: CapabilityAnswer; bytes: Buffer } => ({
  answer: {
    kind: "fetch",
    status: 200,
    statusText: "OK",
    url: "https://a.example/y",
    headers: [["X-One", "1"]],
    ...more,
  },
  bytes: Buffer.from(text),
});

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const message = (subject: string): Buffer =>
  Buffer.from(`Subject: ${subject}\r\nFrom: a@example.com\r\n\r\nbody\r\n`);

async function started(
  source: string,
  options: { subject?: string; limits?: object; call?: object } = {},
): Promise<Turn> {
  const all = {
    call: { ...GRANTED, ...options.call },
    ...(options.limits ? { limits: options.limits } : {}),
  };
  return worker.start(message(options.subject ?? "s"), await worker.calls([source], all), all);
}

const firstRequest = (turn: Turn): number => requestsOf(turn)[0]?.request ?? 0;
const resumed = (turn: Turn, text: string): Promise<Turn> =>
  worker.resume(turn.head.job, firstRequest(turn), page(text));
const logsOf = (turn: Turn): string[] =>
  outcomesOf(turn).flatMap(({ logs }) => logs.map((line) => line.text));

describe("what a script can ask for", () => {
  test("fetch gives a response, and the request has method, headers and body", async () => {
    const seen: { request: CapabilityRequest; text: string }[] = [];
    const { outcome } = await worker.run(
      asyncScript(`const r = await fetch("https://a.example/x", { method: "post", headers: { "X-A": "b" }, body: "grün" });
        console.log(r.status, r.ok, r.statusText, r.url, r.headers.get("x-ONE"), r.headers.has("y"), [...r.headers].join());
        console.log((await r.json()).n, (await r.bytes()).length, (await r.arrayBuffer()).byteLength);`),
      {
        ...granted,
        perform: (request, bytes) => {
          seen.push({ request, text: bytes.toString() });
          return page('{"n":7}');
        },
      },
    );
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs.map((line) => line.text)).toEqual([
      "200 true OK https://a.example/y 1 false x-one,1",
      "7 7 7",
    ]);
    expect(seen).toEqual([
      {
        request: {
          kind: "fetch",
          url: "https://a.example/x",
          method: "POST",
          headers: [
            ["X-A", "b"],
            ["content-type", "text/plain;charset=UTF-8"],
          ],
        },
        text: "grün",
      },
    ]);
  });

  test("kv and dns, by import", async () => {
    const store = new Map<string, string>();
    const { outcome } = await worker.run(
      `import { dns, kv, secret } from "cdo";
       ${asyncScript(`await kv.set("a", "ä", { ttlMs: 5 }); await kv.setJson("b", [1]);
         console.log(await kv.get("a"), (await kv.getJson("b"))[0], await kv.get("c"), (await kv.getBytes("a")).length,
           await kv.delete("a"), await kv.delete("a"), JSON.stringify(await dns.resolve("a.example", "mx")), secret("TOKEN").length);`)}`,
      {
        ...granted,
        perform: (request, bytes) => {
          if (request.kind === "dns") return { answer: { kind: "dns", records: [request] } };
          if (request.kind !== "kv") throw new Error(request.kind);
          const found = store.has(request.key);
          const value = Buffer.from(store.get(request.key) ?? "");
          if (request.operation === "set") store.set(request.key, bytes.toString());
          if (request.operation === "delete") store.delete(request.key);
          return { answer: { kind: "kv", found }, bytes: value };
        },
      },
    );
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs[0]?.text).toBe(
      'ä 1 undefined 2 true false [{"kind":"dns","name":"a.example","type":"MX"}] 6',
    );
  });

  test.each([
    [
      'await fetch("https://a.example/")',
      'fetch is not granted: it needs allow: { fetch: ["https://host/path/"] }',
    ],
    ['await kv.get("a")', "kv is not granted: it needs allow: { kv: true }"],
    ['await dns.resolve("a")', "dns is not granted: it needs allow: { dns: true }"],
    ['secret("OTHER")', 'the secret OTHER is not granted: it needs allow: { secrets: ["OTHER"] }'],
  ])("%s without its grant fails and names it", async (code, text) => {
    const { outcome } = await worker.run(asyncScript(code));
    expect(outcome.fault).toMatchObject({ kind: "throw", message: expect.stringContaining(text) });
    expect(outcome.fault?.stack).toMatch(/onArrival.*test\.ts:\d+/);
  });

  test("a refusal is an error that the script can catch, with the line that asked", async () => {
    const refuse = () => ({ answer: { kind: "refused", message: "not that host" } as const });
    const caught = asyncScript(
      'try { await fetch("https://b.example/") } catch (e) { console.log(e.message) }',
    );
    const uncaught = asyncScript('\n\nawait fetch("https://b.example/")');
    const first = await worker.run(caught, { ...granted, perform: refuse });
    expect(first.outcome.logs[0]?.text).toBe("not that host");
    const second = await worker.run(uncaught, { ...granted, perform: refuse });
    expect(second.outcome.fault).toMatchObject({
      kind: "throw",
      message: "Error: not that host",
      stack: expect.stringMatching(/onArrival.*test\.ts:\d+/),
    });
  });

  test.each([
    ['fetch("https://a.example/", { headers: { "X-A": "b\\r\\nX-B: c" } })', "header"],
    ['fetch("https://a.example/", { method: "GET / HTTP/1.1" })', "method"],
    ['kv.set("k".repeat(2000), "")', "key"],
    ['kv.set("k", "", { ttlMs: -1 })', "ttlMs"],
    ["kv.set('k', { toString: null })", "a text, a Uint8Array"],
    ['dns.resolve("a b")', "name"],
  ])("%s is refused before it leaves the process", async (code, text) => {
    const { outcome } = await worker.run(asyncScript(`await ${code}`), granted);
    expect(outcome.fault).toMatchObject({ kind: "throw", message: expect.stringContaining(text) });
  });

  test("what a script needs is told when it is loaded; unused imports are not", async () => {
    const source = `import { cdoRunNextSink, fetch, kv, secret } from "cdo";
      const token = secret("TOKEN"); const other = secret("OTHER").length;
      export default async function onArrival() { await fetch("https://a.example/" + token + other + cdoRunNextSink) }`;
    const loaded = await worker.load(source, { inspectOnly: true });
    expect(loaded).toMatchObject({ entryPoint: "default" });
    expect(loaded.needs?.toSorted()).toEqual(["fetch", "secret OTHER", "secret TOKEN"]);
    expect((await worker.load(asyncScript(""), { inspectOnly: true })).needs).toBeUndefined();
  });

  test("a secret read at the top level is that of the call, also after it has changed", async () => {
    const source = 'export default () => console.log(t); const t = secret("TOKEN")';
    const texts: string[] = [];
    for (const TOKEN of ["one", "two", "two", "one"]) {
      // oxlint-disable-next-line no-await-in-loop -- one message after the other
      const { outcome } = await worker.run(source, { call: { ...GRANTED, secrets: { TOKEN } } });
      texts.push(outcome.logs[0]?.text ?? outcome.fault?.message ?? "");
    }
    expect(texts).toEqual(["one", "two", "two", "one"]);
    expect((await worker.run(source)).outcome.fault).toMatchObject({
      kind: "load",
      message: expect.stringContaining("TOKEN is not granted"),
    });
  });
});

describe("turns", () => {
  test("while one message waits, others of the same script and of another pass, each with its own state", async () => {
    const first = await started(FETCHING, { subject: "first" });
    const second = await started(FETCHING, { subject: "second" });
    expect((await worker.run(asyncScript("console.log(msg.Subject)"))).outcome.fault).toBeUndefined();
    expect(logsOf(await resumed(second, "b"))).toEqual(["second 200 b"]);
    expect(logsOf(await resumed(first, "a"))).toEqual(["first 200 a"]);
  });

  test("requests of one turn go out together, and each answer is a turn", async () => {
    const source = asyncScript(
      'const [a, b] = await Promise.all(["x", "y"].map(async (k) => (await kv.get(k)) + "!")); console.log(a, b)',
    );
    const turn = await started(source);
    const [x, y] = requestsOf(turn);
    const found = (text: string) => ({
      answer: { kind: "kv", found: true } as const,
      bytes: Buffer.from(text),
    });
    const { job } = turn.head;
    const between = await worker.resume(job, y?.request ?? 0, found("2"));
    expect(between.head).toMatchObject({ type: "waiting", call: 0, requests: [] });
    expect(logsOf(await worker.resume(job, x?.request ?? 0, found("1")))).toEqual(["1! 2!"]);
  });

  test("the next script of the run begins when the one that waits is done, and sees what it saved", async () => {
    const tag = asyncScript(
      'const r = await fetch("https://a.example/"); msg.Subject = await r.text(); msg.DataSource.Save()',
    );
    const result = await worker.run([tag, tag, "function onArrival(msg) { console.log(msg.Subject) }"], {
      ...granted,
      perform: () => page("fetched"),
    });
    expect(result.outcomes.map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
    expect(result.outcomes[2]?.logs[0]?.text).toBe("fetched");
    expect(result.message).toContain("Subject: fetched");
  });

  test("X03 a promise that waits for nothing is refused, also after an answer", async () => {
    const source = asyncScript('await fetch("https://a.example/"); await new Promise(() => {})');
    const { outcome } = await worker.run(source, { ...granted, perform: () => page("") });
    expect(outcome.fault).toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("never settle"),
    });
  });

  test("X03 a call that is abandoned ends with a timeout and without effect; the next message is served", async () => {
    const source = asyncScript(
      'msg.Subject = "changed"; msg.DataSource.Save(); await fetch("https://a.example/"); return 1',
    );
    const turn = await started(source);
    const [outcome] = outcomesOf(await worker.abandon(turn.head.job));
    expect(outcome).toMatchObject({
      verdict: 0,
      fault: { kind: "timeout", message: expect.stringContaining("fetch") },
    });
    expect(outcome?.splices).toBeUndefined();
    expect((await worker.run(source, { ...granted, perform: () => page("") })).outcome.verdict).toBe(1);
  });

  test("after an abandoned call whose binding continues the run goes on", async () => {
    const options = { call: { ...GRANTED, continueOnFault: true } };
    const calls = await worker.calls([FETCHING, "function onArrival() { return 1 }"], options);
    const turn = await worker.start(Buffer.from(MESSAGE), calls);
    const outcomes = outcomesOf(await worker.abandon(turn.head.job));
    expect(outcomes.map(({ verdict, fault }) => [verdict, fault?.kind])).toEqual([
      [0, "timeout"],
      [1, undefined],
    ]);
  });

  test("X02 a loop behind an answer is ended by the running time; those who wait in the same isolate are not harmed", async () => {
    const source = asyncScript(
      'const r = await fetch("https://a.example/"); if (await r.text() === "loop") for (;;) await 0; return 1',
    );
    const limits = { timeoutMs: 60_000, cpuMs: 150 };
    const guilty = await started(source, { limits });
    const innocent = await started(source, { limits });
    const [outcome] = outcomesOf(await resumed(guilty, "loop"));
    expect(outcome?.fault).toMatchObject({ kind: "timeout", message: expect.stringContaining("cpuMs") });
    const fresh = await started(source, { limits });
    expect(outcomesOf(await resumed(innocent, ""))[0]).toMatchObject({ verdict: 1 });
    expect(outcomesOf(await resumed(fresh, ""))[0]).toMatchObject({ verdict: 1 });
  });

  test("running time is that of all turns together, and waiting is none of it", async () => {
    const source = asyncScript(`const burn = () => { const end = Date.now() + 60; while (Date.now() < end); };
      for (let i = 0; i < 5; i++) { burn(); await kv.get("k") } return 1`);
    const answer = { answer: { kind: "kv", found: false } as const };
    const wait = async () => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return answer;
    };
    const run = (cpuMs: number) =>
      worker.run(source, { ...granted, limits: { timeoutMs: 60_000, cpuMs }, perform: wait });
    expect((await run(150)).outcome.fault?.kind).toBe("timeout");
    const enough = (await run(10_000)).outcome;
    expect(enough.verdict).toBe(1);
    expect(enough.micros).toBeGreaterThan(300_000);
  });

  test("memory that several waiting calls use up together costs none of them: each starts again, alone", async () => {
    const source = asyncScript(`msg.Subject += "+"; msg.DataSource.Save(); await fetch("https://a.example/1");
      const kept = []; for (let i = 0; i < 8; i++) kept.push(new Array(100000).fill(i + 0.5));
      await fetch("https://a.example/2"); console.log(kept.length, msg.Subject)`);
    const limits = { memoryMb: 20, timeoutMs: 20_000, cpuMs: 10_000 };
    let turns: Turn[] = [];
    for (let i = 0; i < 6; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one message after the other
      turns.push(await started(source, { limits }));
    }
    let restarts = 0;
    while (turns.length > 0) {
      const next: Turn[] = [];
      for (const turn of turns) {
        // oxlint-disable-next-line no-await-in-loop -- one message after the other
        const answer = await resumed(turn, "");
        if (answer.head.type === "waiting") next.push(answer);
        else expect(logsOf(answer)).toEqual(["8 s+"]);
        const [asked, before] = [answer, turn].map((one) =>
          one.head.type === "waiting" ? requestsOf(one)[0]?.body : undefined,
        );
        if (asked?.kind === "fetch" && before?.kind === "fetch" && asked.url.endsWith("1")) restarts += 1;
      }
      turns = next;
    }
    expect(restarts).toBeGreaterThan(0);
  });

  test("who alone needs too much memory after an answer is guilty", async () => {
    const source = asyncScript(
      'await fetch("https://a.example/"); const kept = []; for (let i = 0; i < 200; i++) kept.push(new Array(100000).fill(0.5))',
    );
    const limits = { memoryMb: 16, timeoutMs: 20_000, cpuMs: 10_000 };
    const { outcome } = await worker.run(source, { ...granted, limits, perform: () => page("") });
    expect(outcome.fault?.kind).toBe("memory");
  });

  test("more waiting calls than one isolate holds get a further one", async () => {
    await worker.load(FETCHING);
    const turns = await Promise.all(
      Array.from({ length: 20 }, (_, i) => started(FETCHING, { subject: `n${i}` })),
    );
    for (const [i, turn] of turns.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one message after the other
      expect(logsOf(await resumed(turn, "t"))).toEqual([`n${i} 200 t`]);
    }
  });
});

describe("limits and late effects", () => {
  test("requests and their bytes are bounded, and the limit ends the call", async () => {
    const many = asyncScript('for (;;) { try { await kv.get("k") } catch {} }');
    const perform = () => ({ answer: { kind: "kv", found: false } as const });
    const first = await worker.run(many, { ...granted, limits: { requests: 5 }, perform });
    expect(first.outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("requests (5)"),
    });
    const long = asyncScript('await kv.set("k", "x".repeat(2000)); await kv.set("k", "x".repeat(2000))');
    const second = await worker.run(long, { ...granted, limits: { requestBytes: 3000 }, perform });
    expect(second.outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("requestBytes"),
    });
    const answered = await worker.run(FETCHING, {
      ...granted,
      limits: { requestBytes: 3000 },
      perform: () => page("x".repeat(5000)),
    });
    expect(answered.outcome.fault).toMatchObject({ kind: "limit" });
  });

  test("more bytes than a frame holds are refused to the script, and not by the end of the process", async () => {
    const large = asyncScript(
      'const b = new Uint8Array(20e6); kv.set("a", b); try { await kv.set("b", b) } catch (e) { console.log(e.message) }',
    );
    const { outcome } = await worker.run(large, {
      ...granted,
      limits: { requestBytes: 1e9, growthBytes: 1e9, memoryMb: 200, timeoutMs: 10_000 },
      perform: () => ({ answer: { kind: "kv", found: false } }),
    });
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs[0]?.text).toContain("too many bytes in requests at once");
  });

  test("X30 what goes on after the verdict changes nothing, in this message and in the next", async () => {
    const late = `let last; let first = true;
      export default function onArrival(msg) {
        if (!first) { try { last.Subject = "late" } catch (e) { console.log(e.name) } return 1 }
        first = false; last = msg;
        new FinalizationRegistry(() => { last.Subject = "finalized"; last.DataSource.Save() }).register({}, 0);
        kv.get("k").then(() => { msg.Subject = "late"; msg.DataSource.Save() });
        (async () => { await 0; await 0; msg.Subject = "later"; msg.DataSource.Save() })().catch(() => {});
        return 0 }`;
    const first = await worker.run(late, granted);
    expect(first.outcome).toMatchObject({ verdict: 0 });
    expect(first.outcome.splices).toBeUndefined();
    const second = await worker.run(late, granted);
    expect(second.outcome).toMatchObject({ verdict: 1, logs: [{ text: "CDO_E_INACTIVE" }] });
    expect(second.outcome.splices).toBeUndefined();
  });

  test("X30 an answered promise ends the call, whatever else was asked for", async () => {
    const race = asyncScript(
      'const other = kv.get("slow").then(() => { msg.Subject = "late"; msg.DataSource.Save() }); await kv.get("quick"); return 1',
    );
    const turn = await started(race);
    const [, quick] = requestsOf(turn);
    const done = await worker.resume(turn.head.job, quick?.request ?? 0, {
      answer: { kind: "kv", found: false },
    });
    expect(outcomesOf(done)[0]).toMatchObject({ verdict: 1 });
    expect(outcomesOf(done)[0]?.splices).toBeUndefined();
  });

  test("capabilities outside of a message say so", async () => {
    const source = `export default () => console.log(text); let text = "none"; kv.get("k").catch((e) => { text = e.name })`;
    expect((await worker.run(source, granted)).outcome.logs[0]?.text).toBe("CDO_E_NOT_AVAILABLE");
  });
});
