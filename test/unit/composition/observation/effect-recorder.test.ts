// The lines of the effect log as the recorder writes them, read back as explain reads them.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { explainMessage } from "../../../../src/cli/explain-text.ts";
import { EffectWriter } from "../../../../src/composition/observation/effect-recorder.ts";
import { messageIdOf } from "../../../../src/composition/observation/effect-text.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { createBinding } from "../../../../src/events/binding.ts";
import { SinkChain } from "../../../../src/events/dispatcher.ts";
import type { ScriptEffect } from "../../../../src/events/effects.ts";
import {
  type NativeBound,
  type ScriptBound,
  compileRule,
  createPropertyBag,
} from "../../../../src/events/sink.ts";
import { Content } from "../../../../src/message/content.ts";
import type { MessageLine } from "../../../../src/observe/effect-lines.ts";
import { EffectLog, effectFiles } from "../../../../src/observe/effect-log.ts";
import { type RecordedRun, findEffects } from "../../../../src/observe/effect-search.ts";
import { AskedRequests } from "../../../../src/sandbox/capabilities/asked-requests.ts";
import type { CapabilityBroker } from "../../../../src/sandbox/capabilities/broker-contract.ts";
import type { ScriptTarget } from "../../../../src/sandbox/script-sink.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../runtime/contract.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { allocPropertyIds } from "../../../support/property-ids.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

function script(name: string, rule?: string): ScriptBound<ScriptTarget> {
  const binding = createBinding({ displayName: name, event: "OnTransportSubmission", sinkClass: "x", rule });
  const live = { name, version: "v1", entryPoint: "default", binding: {}, since: 0 };
  return {
    kind: "script",
    binding,
    rule: compileRule(binding, silentLogger),
    script: { scriptName: name, script: live, limits: DEFAULT_SCRIPT_LIMITS, allow: {}, cacheable: true },
  };
}

const contentOf = (header: string): Content => Content.fromBuffer(Buffer.from(`${header}\r\n\r\nbody\r\n`));

interface Recorded {
  readonly run: RecordedRun | undefined;
  readonly bytes: number;
}

async function recorded(
  sinks: readonly ScriptBound<ScriptTarget>[],
  effect: ScriptEffect,
  more: { header?: string; to?: readonly string[]; asked?: AskedRequests } = {},
): Promise<Recorded> {
  await using folder = await tempFolder("recorder");
  const clock = new ManualClock();
  const log = new EffectLog(
    folder.path,
    { enabled: true, keepHours: 1, maxSize: 2 ** 24 },
    clock,
    silentLogger,
  );
  const writer = new EffectWriter(log, clock, more.asked);
  const recipients = (more.to ?? ["b@example.com"]).map((address) => ({ address }));
  const envelope = { sender: "a@example.com", recipients };
  const run = writer.begin("ID1", envelope, contentOf(more.header ?? "Subject: x"), new SinkChain(sinks), 0);
  run?.script(0, effect);
  if (run !== undefined) writer.end(run, { kind: "submitted" }, []);
  await log.close();
  const { messages } = await findEffects(folder.path, "ID1");
  const found = messages[0]?.runs[0];
  return { run: found, bytes: JSON.stringify(found?.line).length };
}

const done: ScriptEffect = { verdict: 0, micros: 12 };

test("explain says which event each run belongs to, also where the bindings are the same, and reads lines that do not say it", async () => {
  await using folder = await tempFolder("recorder");
  const clock = new ManualClock();
  const settings = { enabled: true, keepHours: 1, maxSize: 2 ** 24 };
  const log = new EffectLog(folder.path, settings, clock, silentLogger);
  const writer = new EffectWriter(log, clock);
  const envelope = { sender: "a@example.com", recipients: [{ address: "b@example.com" }] };
  for (const event of ["OnPreCategorize", "OnPostCategorize"] as const) {
    const binding = createBinding({ displayName: "both", event, sinkClass: "./both.ts" });
    const sink: NativeBound = {
      kind: "native",
      binding,
      rule: undefined,
      sink: { event, onEvent: () => undefined },
      context: {
        properties: createPropertyBag({}),
        log: silentLogger,
        binding,
        nextMessageId: () => "ID2",
        allocPropertyIds,
      },
    };
    const run = writer.begin(
      "ID1",
      envelope,
      contentOf("Subject: x"),
      new SinkChain<ScriptTarget>([sink]),
      0,
    );
    if (run !== undefined) writer.end(run, { kind: "submitted" }, []);
  }
  await log.close();
  const explained = async (): Promise<string> =>
    (await findEffects(folder.path, "ID1")).messages.flatMap((message) => explainMessage(message)).join("\n");
  expect(await explained()).toMatch(/^run 1, OnPreCategorize, ended [^]*^run 2, OnPostCategorize, ended /m);
  const [name = ""] = await effectFiles(folder.path);
  const file = path.join(folder.path, name);
  await writeFile(file, (await readFile(file, "utf8")).replaceAll(/"event":"\w+",/g, ""));
  expect(await explained()).toMatch(/^run 1, ended [^]*both: not reached[^]*^run 2, ended /m);
});

test("texts of clients and scripts come back as they were, cut to their bounds, and never end a line", async () => {
  const hostile = 'a"b\\c\n{"id":"X"}\u2028\u0000é';
  const { run } = await recorded(
    [script("one")],
    { ...done, sender: `${hostile}@example.com`, changes: [{ what: hostile + "w".repeat(300) }] },
    { header: `Message-ID: <"quoted"@é>`, to: ['"q\\"u"@example.com'] },
  );
  const line: MessageLine | undefined = run?.line;
  expect(line?.to).toEqual(['"q\\"u"@example.com']);
  expect(line?.calls[0]?.sender).toBe(`${hostile}@example.com`);
  expect(line?.calls[0]?.changes?.[0]?.what).toHaveLength(200);
  expect(line?.messageId).toBe(Buffer.from('<"quoted"@é>').toString("latin1"));
});

test("a thousand bindings whose rules do not match cost the line of a message nothing", async () => {
  const one = await recorded([script("one")], done);
  const others = Array.from({ length: 1000 }, (_, index) => script(`s${index}`, "RCPT TO=x@other.example"));
  const many = await recorded([script("one"), ...others], done);
  expect(many.bytes).toBe(one.bytes);
  expect(many.run?.chain?.bindings).toHaveLength(1001);
  expect(many.run?.chain?.bindings[1000]).toMatchObject({ name: "s999", rule: "RCPT TO=x@other.example" });
});

test("the same edit at the same place is one entry, further ones are counted, and a fault has none", async () => {
  const same = { what: "header X", line: 1, column: 1 };
  const others = Array.from({ length: 60 }, (_, index) => ({ what: `header ${index}` }));
  const { run } = await recorded([script("one")], { ...done, changes: [same, same, same, ...others] });
  const call = run?.line.calls[0];
  expect(call?.changes?.[0]).toEqual({ what: "header X", times: 3 });
  expect(call?.changes).toHaveLength(50);
  expect(call?.moreChanges).toBe(11);
  const faulted = await recorded([script("one")], {
    ...done,
    place: { pid: 12, job: 3 },
    sender: "other@example.com",
    changes: [same],
    fault: { kind: "timeout", message: "too slow" },
  });
  expect(faulted.run?.line.calls[0]).toEqual({
    position: 0,
    version: "v1",
    micros: 12,
    verdict: 0,
    status: 0,
    pid: 12,
    job: 3,
    fault: { kind: "timeout", message: "too slow" },
  });
});

test("what a script asked for is in its call, without the queries of URLs and without secrets", async () => {
  const broker: CapabilityBroker = {
    perform: (request) =>
      Promise.resolve({
        answer:
          request.kind === "fetch"
            ? { kind: "fetch", status: 200, statusText: "OK", url: request.url, headers: [] }
            : { kind: "refused", message: "no" },
        bytes: Buffer.alloc(0),
      }),
  };
  const asked = new AskedRequests(broker, (text) => text.replaceAll("token", "[secret]"));
  const grant = {
    allow: {},
    script: "one",
    version: "v1",
    messageId: "ID1",
    maxAnswerBytes: 1,
    signal: new AbortController().signal,
  };
  const url = "https://user:word@host.example/token?key=secret";
  await asked.perform({ kind: "fetch", url, method: "GET", headers: [] }, Buffer.alloc(0), grant);
  await asked.perform({ kind: "kv", operation: "set", key: "k" }, Buffer.alloc(0), grant);
  const { run } = await recorded([script("one")], done, { asked });
  expect(run?.line.calls[0]?.asked).toEqual([
    "fetch GET https://host.example/[secret]: 200",
    "kv set k: refused",
  ]);
  expect(asked.take("ID1", "v1")).toEqual([]);
});

test.each([
  ["Message-ID: <a@b>", "<a@b>"],
  ["Subject: x\r\nMessage-Id:\r\n <folded@b>", "<folded@b>"],
  ["message-id:<c@d>\r\nTo: <e@f>", "<c@d>"],
  ["Resent-Message-ID: <no@b>\r\nTo: x", undefined],
  ["Message-ID: none\r\nTo: <e@f>", undefined],
  [`Message-ID: <${"x".repeat(400)}@b>`, undefined],
])("the Message-ID of %j is %s", (header, expected) => {
  expect(messageIdOf({ content: contentOf(header) })).toBe(expected);
});
