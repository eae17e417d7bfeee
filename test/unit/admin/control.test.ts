import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { callControl } from "../../../src/admin/control-client.ts";
import { serviceMethods, type ControlMethods } from "../../../src/admin/control-methods.ts";
import { queueMethods } from "../../../src/admin/queue-methods.ts";
import { startControlServer, type ControlServer } from "../../../src/admin/control-server.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { QueueAdmin, QueueEntry } from "../../../src/transport/queues/queue-view.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const NOBODY = 65_534;
const clock = new ManualClock();
let folder = "";
let server: ControlServer | undefined;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-control-"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

const ENTRY: QueueEntry = {
  id: "m1",
  queue: "example.net",
  state: "retry",
  sender: "a@example.com",
  recipients: [{ address: "b@example.net", state: "pending" }],
  size: 100,
  arrivalTime: 0,
  attempts: 1,
};

/** A queue of one message that remembers what it was asked for. */
function createAdmin(asked: string[], there: readonly string[] = []): QueueAdmin {
  const act =
    (verb: string) =>
    (ids: readonly string[]): number => {
      asked.push(`${verb} ${ids.join(",") || "all"}`);
      return 1;
    };
  return {
    list: () => [ENTRY],
    show: (id) => (id === ENTRY.id ? ENTRY : undefined),
    retry: act("retry"),
    retryDomains: () => 0,
    listParked: () => Promise.resolve([]),
    showParked: () => Promise.resolve(undefined),
    idsWith: (prefix, most) => there.filter((id) => id.startsWith(prefix)).slice(0, most),
    queues: () => [],
    frozenBy: (queue) => (queue === "frozen.example" ? "operator" : undefined),
    frozenWith: () => undefined,
    freeze: () => Promise.resolve(true),
    thaw: () => Promise.resolve(true),
    force: () => 0,
    hold: act("hold"),
    release: act("release"),
    keptBack: () => ({ messages: 0, queues: [] }),
    remove: act("remove"),
  };
}

async function start(methods: ControlMethods, mailroot = folder): Promise<ControlServer> {
  server = await startControlServer({ mailroot, methods, clock, log: silentLogger });
  return server;
}

/** Sends bytes as they are and answers all that comes back until the server closes, or one line. */
function raw(socketPath: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(socketPath, () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith("\n")) socket.end();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", (error) => (text === "" ? resolve("closed") : reject(error)));
  });
}

test("every verb of the queue reaches it with its ids", async () => {
  const asked: string[] = [];
  await start({
    ...serviceMethods(() => ({ version: "1" })),
    ...queueMethods(() => [{ name: "inner", admin: createAdmin(asked) }]),
  });
  expect(await callControl(folder, "ping")).toBe("pong");
  expect(await callControl(folder, "status")).toEqual({ version: "1" });
  expect(await callControl(folder, "queue.list")).toEqual([{ ...ENTRY, server: "inner" }]);
  expect(await callControl(folder, "queue.show", { id: "m1" })).toEqual({ ...ENTRY, server: "inner" });
  for (const verb of ["retry", "hold", "release", "remove"]) {
    expect(await callControl(folder, `queue.${verb}`, { ids: ["m1", "m2"] })).toEqual({ changed: 1 });
  }
  await callControl(folder, "queue.retry", { all: true });
  expect(asked).toEqual(["retry m1,m2", "hold m1,m2", "release m1,m2", "remove m1,m2", "retry all"]);
});

test("a list has what is in memory and what is parked, server by server, up to its limit", async () => {
  const withParked = (id: string): QueueAdmin => ({
    ...createAdmin([]),
    listParked: (most) => Promise.resolve([{ ...ENTRY, id }].slice(0, most)),
  });
  await start(
    queueMethods(() => [
      { name: "one", admin: withParked("p1") },
      { name: "two", admin: withParked("p2") },
    ]),
  );
  const all = ["m1", "p1", "m1", "p2"].map((id, index) => ({
    ...ENTRY,
    id,
    server: index < 2 ? "one" : "two",
  }));
  expect(await callControl(folder, "queue.list")).toEqual(all);
  expect(await callControl(folder, "queue.list", { limit: 3 })).toEqual(all.slice(0, 3));
});

test("an id may be shortened to 6 characters, and is found on whichever virtual server it waits", async () => {
  const asked: string[] = [];
  const one = ["0M9ABCDEF000RUNTAG", "0M9ABCDEF001RUNTAG", "0M8XYZ000RUNTAG"];
  const two = ["0M9ABCDXX000RUNTAG"];
  await start(
    queueMethods(() => [
      { name: "one", admin: createAdmin(asked, one) },
      { name: "two", admin: createAdmin([], two) },
    ]),
  );
  await callControl(folder, "queue.hold", {
    ids: ["0M9ABCDEF001", "0M9ABCDX", "0M9AB", "elsewhere", "0M8XYZ"],
  });
  expect(asked).toEqual(["hold 0M9ABCDEF001RUNTAG,0M9ABCDXX000RUNTAG,0M9AB,elsewhere,0M8XYZ000RUNTAG"]);
  await expect(callControl(folder, "queue.remove", { ids: ["0M9ABCD"] })).rejects.toMatchObject({
    code: "MESSAGE_AMBIGUOUS",
    message: `0M9ABCD begins the ids of several messages: ${[...one.slice(0, 2), ...two].join(", ")}`,
  });
  expect(asked).toHaveLength(1);
});

test("a queue that is frozen is not forced, those of the same name on other servers are", async () => {
  const free = { ...createAdmin([]), frozenBy: () => undefined, force: () => 3 };
  await start(
    queueMethods(() => [
      { name: "one", admin: createAdmin([]) },
      { name: "two", admin: free },
    ]),
  );
  const frozen = [{ server: "one", frozenBy: "operator" }];
  const answer = await callControl(folder, "queue.force", { queue: "frozen.example" });
  expect(answer).toEqual({ changed: 3, frozen });
});

test("of messages that are let go it is said how many stay in frozen queues, and on which server", async () => {
  const kept = { messages: 1, queues: ["frozen.example"] };
  await start(
    queueMethods(() => [
      { name: "one", admin: { ...createAdmin([]), keptBack: () => kept } },
      { name: "two", admin: createAdmin([]) },
    ]),
  );
  const frozen = [{ server: "one", queue: "frozen.example", frozenBy: "operator" }];
  for (const verb of ["retry", "release"])
    expect(await callControl(folder, `queue.${verb}`, { all: true })).toEqual({
      changed: 2,
      keptBack: 1,
      frozen,
    });
});

test.each([
  ["queue.show", { id: "absent" }, "MESSAGE_NOT_FOUND"],
  ["queue.show", { id: 7 }, "WRONG_USE"],
  ["queue.remove", {}, "WRONG_USE"],
  ["queue.remove", { ids: [] }, "WRONG_USE"],
  ["queue.remove", { ids: [1] }, "WRONG_USE"],
  ["queue.remove", { ids: [""] }, "WRONG_USE"],
  ["queue.remove", { ids: ["m".repeat(257)] }, "WRONG_USE"],
  ["queue.remove", { ids: [], all: true }, "WRONG_USE"],
  ["queue.remove", { all: true, server: "outer" }, "WRONG_USE"],
  ["queue.remove", { all: true, server: "inner" }, undefined],
  ["queue.show", { id: "m".repeat(257) }, "WRONG_USE"],
  ["queue.list", { limit: 0 }, "WRONG_USE"],
  ["queue.remove", { ids: ["m1"], all: "yes" }, undefined],
  ["constructor", {}, "WRONG_USE"],
  ["__proto__", {}, "WRONG_USE"],
])("%s with %j answers %s", async (method, params, code) => {
  await start(queueMethods(() => [{ name: "inner", admin: createAdmin([]) }]));
  const call = callControl(folder, method, params);
  await (code === undefined
    ? expect(call).resolves.toEqual({ changed: 1 })
    : expect(call).rejects.toMatchObject({ code }));
});

test("a request that comes in pieces is one request", async () => {
  const { socketPath } = await start(serviceMethods(() => 1));
  const socket = connect(socketPath);
  const answer = new Promise((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
  for (const piece of ['{"method":', '"ping",', '"id":1}\n']) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => socket.write(piece, resolve));
    // oxlint-disable-next-line no-await-in-loop
    await setImmediate();
  }
  expect(await answer).toBe('{"id":1,"result":"pong"}\n');
  socket.destroy();
});

test("a method that fails is told as our fault and the server goes on", async () => {
  await start({
    ...serviceMethods(() => 1),
    bad: () => {
      throw new Error("broken\nthing");
    },
  });
  await expect(callControl(folder, "bad")).rejects.toMatchObject({
    code: "INTERNAL",
    message: "broken thing",
  });
  expect(await callControl(folder, "ping")).toBe("pong");
});

test("rubbish and endless requests end their own connection only", async () => {
  const { socketPath } = await start(serviceMethods(() => 1));
  for (const bytes of ["\n", "[]\n", '{"method":7}\n', "\u0000\u00ff\n"]) {
    expect(await raw(socketPath, bytes)).toContain('"code":"WRONG_USE"');
  }
  expect(await raw(socketPath, "x".repeat(9 * 1024 * 1024))).not.toContain("result");
  expect(await raw(socketPath, '{"method":"ping","id":1}\n{"method":"pi')).toContain("pong");
  expect(await callControl(folder, "ping")).toBe("pong");
});

test("only the user of the service may open the socket", async () => {
  const { socketPath } = await start(serviceMethods(() => 1));
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
});

test("another user hears that he may not ask, not that no service runs", async () => {
  const deep = path.join(folder, "a".repeat(60), "b".repeat(60));
  await mkdir(deep, { recursive: true });
  for (const mailroot of [folder, deep]) {
    // oxlint-disable-next-line no-await-in-loop -- one server at a time
    const { socketPath } = await start(
      serviceMethods(() => 1),
      mailroot,
    );
    const isRoot = process.getuid?.() === 0;
    // oxlint-disable-next-line no-await-in-loop
    if (isRoot) process.seteuid?.(NOBODY);
    else await chmod(socketPath, 0);
    try {
      // oxlint-disable-next-line no-await-in-loop
      await expect(callControl(mailroot, "ping")).rejects.toMatchObject({
        code: "CONTROL_FORBIDDEN",
        message: expect.stringContaining("EACCES") as string,
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    // oxlint-disable-next-line no-await-in-loop
    await server?.close();
  }
});

test("a socket left by a crash is replaced, one that answers is not", async () => {
  await writeFile(path.join(folder, "control.sock"), "left behind");
  await start(serviceMethods(() => 1));
  await expect(
    startControlServer({ mailroot: folder, methods: {}, clock, log: silentLogger }),
  ).rejects.toMatchObject({ code: "MAILROOT_LOCKED" });
  expect(await callControl(folder, "ping")).toBe("pong");
});

test("a mailroot too deep for a socket path works through a pointer, which goes with the server", async () => {
  const deep = path.join(folder, "a".repeat(60), "b".repeat(60));
  await mkdir(deep, { recursive: true });
  const { socketPath } = await start(
    serviceMethods(() => 1),
    deep,
  );
  expect(await callControl(deep, "ping")).toBe("pong");
  await server?.close();
  server = undefined;
  await expect(stat(path.dirname(socketPath))).rejects.toThrow("ENOENT");
  await expect(callControl(deep, "ping")).rejects.toMatchObject({ code: "CONTROL_UNREACHABLE" });
});

test.each([
  ["control.sock", "."],
  ["control.path", path.join("a".repeat(60), "b".repeat(60))],
])("a %s that somebody has removed is made again, also in a mailroot that was gone", async (name, below) => {
  const mailroot = path.join(folder, below);
  await mkdir(mailroot, { recursive: true });
  await start(
    serviceMethods(() => 1),
    mailroot,
  );
  const isBack = async (): Promise<boolean> => {
    await clock.advance(5000);
    return callControl(mailroot, "ping").then(
      (answer) => answer === "pong",
      () => false,
    );
  };
  await rm(path.join(mailroot, name));
  await expect(callControl(mailroot, "ping")).rejects.toMatchObject({ code: "CONTROL_UNREACHABLE" });
  await eventually(isBack);
  await rm(mailroot, { recursive: true });
  expect(await isBack()).toBe(false);
  await mkdir(mailroot);
  await eventually(isBack);
});

test("no service, a silent one and one that hangs up are told apart from an answer", async () => {
  await expect(callControl(folder, "ping")).rejects.toMatchObject({ code: "CONTROL_UNREACHABLE" });
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => {
    silent.listen(path.join(folder, "control.sock"), resolve);
  });
  await expect(callControl(folder, "ping", {}, 50)).rejects.toThrow(/nothing within 50 ms/);
  silent.close();
});
