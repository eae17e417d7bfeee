// Which messages wait for the trial of a version, and in which order they go on.
import { expect, test } from "vitest";
import { Content } from "../../../../src/message/content.ts";
import { Probation } from "../../../../src/sandbox/pool/probation.ts";
import type { Entry } from "../../../../src/sandbox/pool/entry.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../runtime/contract.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

/** A message on its way through the scripts named as `name@version`. */
function entryOf(...scripts: string[]): Entry {
  const bundles = scripts.map((script) => ({
    version: script,
    scriptName: script.slice(0, script.indexOf("@")),
    code: Buffer.alloc(0),
  }));
  return {
    task: {
      kind: "job",
      messageId: "1",
      content: Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
      envelope: NO_ENVELOPE,
      calls: bundles.map(({ version }) => ({
        version,
        bindingName: version,
        sinkProperties: "{}",
        limits: DEFAULT_SCRIPT_LIMITS,
        allow: {},
        cacheable: true,
        continueOnFault: false,
      })),
      bundles,
    },
    settle: () => undefined,
    cost: 1,
    probe: false,
    wasBystander: false,
    deaths: 0,
  };
}

test("a new version is not tried while messages with the old one wait for the trial of another script", () => {
  const probation = new Probation();
  probation.prove("a@1");
  const trial = entryOf("a@1", "b@2");
  const old = entryOf("a@1", "b@2");
  const newer = entryOf("a@2", "b@2");
  const newest = entryOf("a@2");
  expect(probation.begin("b@2", trial)).toBe(true);
  expect(probation.begin("b@2", old)).toBe(false);
  expect(probation.begin("a@2", newer)).toBe(false);
  expect(probation.begin("a@2", newest)).toBe(false);
  expect(probation.end(trial)).toEqual([old, newer, newest]);
  expect(probation.begin("a@2", newer)).toBe(true);
});

test("trials of scripts that no message has in common run beside each other", () => {
  const probation = new Probation();
  expect(probation.begin("a@1", entryOf("a@1"))).toBe(true);
  expect(probation.begin("a@1", entryOf("a@1"))).toBe(false);
  expect(probation.begin("b@1", entryOf("b@1"))).toBe(true);
});

test("messages that started with a version before it was replaced need no new trial, and the memory of it is bounded", () => {
  const probation = new Probation();
  probation.prove("a@0");
  probation.retire("a@0");
  expect(probation.unprovenOf(entryOf("a@0").task)).toBeUndefined();
  for (let version = 1; version <= 100; version += 1) probation.retire(`a@${version}`);
  expect(probation.unprovenOf(entryOf("a@0").task)).toBe("a@0");
});

test("a trial that is run again, because its process ended while it waited, does not wait for itself", () => {
  const probation = new Probation();
  const trial = entryOf("a@1");
  expect(probation.begin("a@1", trial)).toBe(true);
  expect(probation.begin("a@1", entryOf("a@1"))).toBe(false);
  expect(probation.begin("a@1", trial)).toBe(true);
  expect(probation.end(trial)).toHaveLength(1);
});

test("waiting is proof of a version that never offended, and of no other", () => {
  const probation = new Probation();
  expect(probation.proveByWaiting("a@1")).toBe(true);
  expect(probation.unprovenOf(entryOf("a@1").task)).toBeUndefined();
  probation.suspect("a@1");
  expect(probation.proveByWaiting("a@1")).toBe(false);
  expect(probation.unprovenOf(entryOf("a@1").task)).toBe("a@1");
});
