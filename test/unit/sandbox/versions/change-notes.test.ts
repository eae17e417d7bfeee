// What a sandbox process claims to have changed goes into a log that people read: it is checked as input from an enemy.
import { build } from "esbuild";
import { expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../runtime/contract.ts";
import { Content } from "../../../../src/message/content.ts";
import { LoadedScript } from "../../../../src/sandbox/versions/loaded-script.ts";
import { checkDone } from "../../../../src/sandbox/pool/outcome-validation.ts";
import type { CheckedOutcome, JobTask } from "../../../../src/sandbox/pool/tasks.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

const task: JobTask = {
  kind: "job",
  messageId: "m",
  content: Content.fromBuffer(Buffer.from("A: b\r\n\r\n")),
  envelope: NO_ENVELOPE,
  calls: [
    {
      version: "v",
      bindingName: "b",
      sinkProperties: "{}",
      limits: DEFAULT_SCRIPT_LIMITS,
      allow: {},
      cacheable: true,
      continueOnFault: false,
    },
  ],
  bundles: [],
};

const check = (changes: unknown, beside: object = {}): CheckedOutcome[] =>
  checkDone(
    { outcomes: [{ verdict: 0, logs: [], logsDropped: 0, micros: 1, readBody: false, changes, ...beside }] },
    Buffer.alloc(0),
    task,
    { pid: 1, job: 1 },
  );

const note = { what: "header Subject", line: 3, column: 7 };

test("notes are taken over as they are, and nothing beside them", () => {
  const [outcome] = check([{ ...note, more: "x".repeat(1000) }, { what: "recipients" }]);
  expect(outcome?.changes).toEqual([note, { what: "recipients" }]);
});

test("where a call ran is what the relay knows, not what the process says", () => {
  for (const changes of [undefined, [note]])
    expect(check(changes, { place: { pid: 7, job: 7 } })[0]?.place).toEqual({ pid: 1, job: 1 });
});

test.each<[string, unknown, object]>([
  ["no list", note, {}],
  ["what only has a length", { length: 1 }, {}],
  ["more than a hundred", Array.from({ length: 101 }, () => note), {}],
  ["a text that is too long", [{ what: "x".repeat(201) }], {}],
  ["a text with control characters", [{ what: "header \u001b[2J" }], {}],
  ["a second line", [{ what: "a\nb" }], {}],
  ["no text", [{ line: 1 }], {}],
  ["a line that is no number", [{ ...note, line: "3" }], {}],
  ["a negative column", [{ ...note, column: -1 }], {}],
  ["a line without end", [{ ...note, line: 1e300 }], {}],
  ["notes beside a fault", [note], { fault: { kind: "throw", message: "x" } }],
])("a violation: %s", (_what, changes, beside) => {
  expect(() => check(changes, beside)).toThrow(/malformed frame/);
});

test("the place of a note is found in the author's file", async () => {
  const source =
    "// a comment that the bundle drops\nexport default (msg: { Subject: string }): void => {\n  msg.Subject = 'new';\n};\n";
  const built = await build({
    stdin: { contents: source, sourcefile: "hook.ts", loader: "ts" },
    bundle: true,
    format: "iife",
    sourcemap: "external",
    outfile: "bundle.js",
    write: false,
  });
  const [map = "", code = ""] = built.outputFiles.map((file) => file.text);
  const script = new LoadedScript({
    name: "hook.ts",
    version: "v1",
    since: 0,
    entryPoint: "default",
    binding: {},
    code,
    sourceMap: map,
  });
  const lines = code.split("\n");
  const line = lines.findIndex((text) => text.includes("msg.Subject")) + 1;
  const column = (lines[line - 1] ?? "").indexOf("msg.Subject") + "msg.".length + 1;
  expect(script.placeOf({ what: "header Subject", line, column })).toMatchObject({
    file: "hook.ts",
    line: 3,
  });
  expect(script.placeOf({ what: "header Subject" })).toBeUndefined();
  expect(script.placeOf({ what: "header Subject", line: 9999, column: 1 })?.line ?? 0).toBeLessThan(9999);
});
