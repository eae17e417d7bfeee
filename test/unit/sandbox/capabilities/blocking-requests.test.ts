// Blocking requests of a sandbox process at the relay: their form, their limits, and in whose name they are made.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type BlockingRequest,
  type Capabilities,
  DEFAULT_SCRIPT_LIMITS,
  MAX_BLOCKING_HEAD_BYTES,
  type ScriptLimits,
} from "../../../../runtime/contract.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { Content } from "../../../../src/message/content.ts";
import { BlockingRequests, blockingBytesOf } from "../../../../src/sandbox/capabilities/blocking-requests.ts";
import type { JobTask } from "../../../../src/sandbox/pool/tasks.ts";
import { type TempFolder, tempFolder } from "../../../support/temp-folder.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

let folder: TempFolder;
let requests: BlockingRequests;
const NAME = "0000000000010ABCDEF".slice(0, 18).concat(".eml");

beforeAll(async () => {
  folder = await tempFolder();
  await mkdir(join(folder.path, "scripts"));
  await mkdir(join(folder.path, "Drop"));
  await writeFile(join(folder.path, "Drop", NAME), "Subject: x\r\n\r\n");
  await writeFile(join(folder.path, "secret.eml"), "secret");
  requests = new BlockingRequests({
    scriptFolder: join(folder.path, "scripts"),
    drop: (server) => ({ folder: join(folder.path, server ?? "", "Drop"), maxMessages: 10 }),
    broker: undefined,
    clock: systemClock,
  });
});
afterAll(() => folder[Symbol.asyncDispose]());

function taskOf(...grants: readonly (readonly [Capabilities, Partial<ScriptLimits>?])[]): JobTask {
  return {
    kind: "job",
    messageId: "m",
    content: Content.fromBuffer(Buffer.from("\r\n")),
    envelope: NO_ENVELOPE,
    bundles: grants.map((_grant, index) => ({
      version: `v${index}`,
      scriptName: `s${index}.js`,
      code: Buffer.alloc(0),
    })),
    calls: grants.map(([allow, limits = {}], index) => ({
      version: `v${index}`,
      bindingName: "b",
      sinkProperties: "{}",
      limits: { ...DEFAULT_SCRIPT_LIMITS, ...limits },
      allow,
      cacheable: true,
      continueOnFault: false,
    })),
  };
}

function encode(request: unknown, bytes = ""): Buffer {
  const head = Buffer.from(typeof request === "string" ? request : JSON.stringify(request));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length, 0);
  return Buffer.concat([length, head, Buffer.from(bytes)]);
}

const by = (call: number, request: BlockingRequest["request"]): BlockingRequest => ({
  call,
  waitMs: 100,
  request,
});
const save = { kind: "save", name: "out.txt", replace: true } as const;
const read = (name: string): BlockingRequest["request"] => ({ kind: "drop", operation: "read", name });

test("a job reads the Drop folder of the virtual server that has its message", async () => {
  await mkdir(join(folder.path, "outer", "Drop"), { recursive: true });
  await writeFile(join(folder.path, "outer", "Drop", NAME), "Subject: outer\r\n\r\n");
  const task = { ...taskOf([{ drop: true }]), server: "outer" };
  const reply = await requests.perform(task, encode(by(0, read(NAME))));
  expect(reply?.bytes.toString()).toBe("Subject: outer\r\n\r\n");
});

test("a request is made in the name of the call that asks, and not of another one", async () => {
  const task = taskOf([{}], [{ write: ["*.txt"] }]);
  await expect(requests.perform(task, encode(by(0, save), "x"))).resolves.toMatchObject({
    answer: { kind: "refused", why: "denied" },
  });
  await expect(requests.perform(task, encode(by(1, save), "saved"))).resolves.toMatchObject({
    answer: { kind: "done" },
  });
  expect(await readFile(join(folder.path, "scripts/out.txt"), "utf8")).toBe("saved");
});

test("H10 the answer to a file of Drop is its bytes; no other name is read or deleted", async () => {
  const task = taskOf([{ drop: true }]);
  const answered = await requests.perform(task, encode(by(0, read(NAME))));
  expect(answered?.bytes.toString()).toBe("Subject: x\r\n\r\n");
  for (const name of ["../secret.eml", "secret.eml", "", `${NAME}/`, "x".repeat(1000)])
    // oxlint-disable-next-line no-await-in-loop
    expect((await requests.perform(task, encode(by(0, read(name)))))?.answer).toMatchObject({
      why: "absent",
    });
  const gone = NAME.replace(".eml", "-1.eml");
  const left = await requests.perform(
    task,
    encode(by(0, { kind: "drop", operation: "delete" }), `../secret.eml\n${gone}\n..\n`),
  );
  expect(left?.bytes.toString(), "what is gone already is deleted").toBe("../secret.eml\n..\n");
  expect(await readFile(join(folder.path, "secret.eml"), "utf8")).toBe("secret");
});

describe("what no script can ask for is no request", () => {
  const task = taskOf([{ write: ["**"], drop: true, fetch: ["http://example.com/"] }]);
  const fetch = { kind: "fetch", url: "http://example.com/", method: "GET", headers: [] };
  const asked = { call: 0, waitMs: 1, request: save };
  test.each([
    ["no length", Buffer.alloc(3)],
    ["a length beyond the end", Buffer.from([9, 0, 0, 0, 123])],
    ["a head that is too long", encode(`"${"x".repeat(MAX_BLOCKING_HEAD_BYTES)}"`)],
    ["no JSON", encode("{")],
    ["no object", encode("[]")],
    ["a call that is not there", encode({ ...asked, call: 1 })],
    ["a call that is no number", encode({ ...asked, call: "__proto__" })],
    ["a negative time", encode({ ...asked, waitMs: -1 })],
    ["no time", encode({ ...asked, waitMs: null })],
    ["an unknown kind", encode({ ...asked, request: { kind: "kv", operation: "get", key: "x" } })],
    ["a name that is no text", encode({ ...asked, request: { ...save, name: 1 } })],
    ["a name that is too long", encode({ ...asked, request: { ...save, name: "x".repeat(1025) } })],
    ["an unknown operation", encode({ ...asked, request: { kind: "drop", operation: "move" } })],
    ["another method", encode({ ...asked, request: { ...fetch, method: "POST" } })],
    ["a header of two lines", encode({ ...asked, request: { ...fetch, headers: [["a", "b\r\nc: d"]] } })],
    ["headers that are none", encode({ ...asked, request: { ...fetch, headers: ["a"] } })],
  ])("%s", (_what, request) => {
    expect(requests.perform(task, request)).toBeUndefined();
  });
});

test("a job that asks without end is refused, whatever its process counts", async () => {
  const task = taskOf([{ drop: true }, { requests: 2 }], [{}, { requests: 1 }]);
  const list = encode(by(0, { kind: "drop", operation: "list", folder: "" }));
  const answers = [];
  // oxlint-disable-next-line no-await-in-loop
  for (let count = 0; count < 4; count += 1) answers.push((await requests.perform(task, list))?.answer.kind);
  expect(answers).toEqual(["done", "done", "done", "refused"]);
});

test("an answer that is longer than the bytes that are left is refused", async () => {
  const task = taskOf([{ drop: true }, { requestBytes: 5 }]);
  expect((await requests.perform(task, encode(by(0, read(NAME)))))?.answer).toMatchObject({
    kind: "refused",
    why: "failed",
  });
  expect(blockingBytesOf(task)).toBe(4 + MAX_BLOCKING_HEAD_BYTES + 5);
});

test("a fetch without anybody to perform it is refused", async () => {
  const task = taskOf([{ fetch: ["http://example.com/"] }]);
  const fetch = { kind: "fetch", url: "http://example.com/", method: "GET", headers: [] } as const;
  expect((await requests.perform(task, encode(by(0, fetch))))?.answer).toMatchObject({ kind: "refused" });
});
