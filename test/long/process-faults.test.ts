// The process of the service short of descriptors, among signals, and with native sinks that throw behind its back (FAULTS C13, C20, C23).
import { spawnSync } from "node:child_process";
import { readdir, rename, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { eventually, sleep } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";
import { Talk } from "../unit/smtp/server/support.ts";

const MANY = { limits: { maxConnections: 5000, maxConnectionsPerAddress: 5000 } };

/** Processor time of a process in ms. */
function cpuMs(pid: number): number {
  const { stdout } = spawnSync("cat", [`/proc/${pid}/stat`], { encoding: "latin1" });
  const fields = stdout.slice(stdout.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function openMany(service: Service, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(service.port, "127.0.0.1");
    socket.on("error", () => undefined);
    return socket;
  });
  await sleep(1000);
  return sockets;
}

/** A module of a native sink that does this at each message. */
async function writeSink(folder: TempFolder, statement: string): Promise<string> {
  const file = path.join(folder.path, "careless.mjs");
  const text = `export default { event: "OnTransportSubmission", onEvent() { ${statement}; return 0; } };\n`;
  await writeFile(file, text);
  return file;
}

const bound = (sinkClass: string): Record<string, unknown> =>
  serviceConfig({ bindings: [{ displayName: "careless", event: "OnTransportSubmission", sinkClass }] });

test("C13 without descriptors left, sessions go on, nobody spins, and all is well when they are back", async ({
  skip,
}) => {
  skip(spawnSync("prlimit", ["--version"]).status !== 0, "no prlimit");
  await using service = await startService({
    config: serviceConfig({ server: MANY }),
    through: ["prlimit", "--nofile=160:160"],
  });
  const early = await Talk.open(service.port);
  await early.greet();
  const sockets = await openMany(service, 300);
  const before = cpuMs(service.pid);
  await sleep(2000);
  expect(cpuMs(service.pid) - before).toBeLessThan(1000);
  expect(await early.say("MAIL FROM:<a@example.net>")).toMatch(/^250/);
  expect(await early.say("RCPT TO:<b@localhost>")).toMatch(/^250/);
  expect(await early.say("DATA")).toMatch(/^354/);
  early.write("Subject: short of descriptors\r\n\r\nx\r\n");
  const answer = await early.say(".");
  expect(answer).toMatch(/^(?:250|45[12])/);
  for (const socket of sockets) socket.destroy();
  await eventually(
    async () => {
      await send(service.port, { data: plainMessage("afterwards") });
      return true;
    },
    { what: "a message from a new connection", intervalMs: 100 },
  );
  await service.dropped(answer.startsWith("250") ? 2 : 1, 90_000);
  expect(service.running).toBe(true);
  early.socket.destroy();
});

test("C13 what Pickup claimed without descriptors left is submitted when they are back", async ({ skip }) => {
  skip(spawnSync("prlimit", ["--version"]).status !== 0, "no prlimit");
  // Nor can Drop be written by then.
  const retry = { glitchIntervalMs: 500 };
  await using service = await startService({ config: serviceConfig({ server: { retry } }) });
  const limit = (files: number): unknown =>
    spawnSync("prlimit", ["--pid", `${service.pid}`, `--nofile=${files}:`]);
  const open = new Set((await readdir(`/proc/${service.pid}/fd`)).map(Number));
  const free = Array.from({ length: 1000 }, (_, number) => number).find((number) => !open.has(number));
  // One is left, to look into Pickup with.
  limit((free ?? 0) + 1);
  for (let file = 0; file < 14; file += 1) {
    const beside = path.join(service.folder, `${file}.eml`);
    await writeFile(beside, "x-sender: a@example.com\r\nx-receiver: b@localhost\r\n\r\nbody\r\n");
    await rename(beside, path.join(service.mailroot, "Pickup", `${file}.eml`));
  }
  await service.logged(/Pickup stands still/);
  limit(1000);
  await service.dropped(14, 30_000);
  await eventually(async () => (await readdir(path.join(service.mailroot, "Queue", "pickup"))).length === 0, {
    what: "an empty claim folder",
  });
});

test("C20 a promise that a native sink forgot is told in the log when it fails, and ends nothing", async () => {
  await using folder = await tempFolder("sink");
  const sink = await writeSink(folder, `Promise.reject(new Error("nobody waits for me"))`);
  await using service = await startService({ config: bound(sink) });
  await send(service.port, { data: plainMessage("first") });
  expect(await service.logged(/nobody waits for me/)).toContain("careless.mjs");
  await send(service.port, { data: plainMessage("second") });
  await service.dropped(2);
  expect(service.running).toBe(true);
});

test("C20 an exception out of a callback of a native sink ends the process, and its next run delivers what was accepted", async () => {
  await using folder = await tempFolder("sink");
  const sink = await writeSink(
    folder,
    `setTimeout(() => { throw new Error("out of a timer"); }); return new Promise(() => {})`,
  );
  await using service = await startService({ config: bound(sink) });
  await send(service.port, { data: plainMessage("first") }).catch(() => undefined);
  expect(await service.exited).not.toBe(0);
  expect(service.log.join("\n")).toContain("out of a timer");
  await writeSink(folder, "");
  await service.start();
  await service.dropped(1);
});

test("X36 mail for scripts waits while no sandbox process can be started, and passes when one can", async () => {
  await using folder = await tempFolder("wrapper");
  const wrapper = path.join(folder.path, "wrapper");
  await using service = await startService({
    config: serviceConfig({
      server: { retry: { glitchRetries: 100, glitchIntervalMs: 200 } },
      file: { sandbox: { wrapper: [wrapper] } },
      bindings: [
        {
          displayName: "mark",
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "mark.js" },
        },
      ],
    }),
    scripts: {
      "mark.js": `export default function onArrival(msg) { msg.Subject = "marked " + msg.Subject; msg.DataSource.Save(); }`,
    },
  });
  await send(service.port, { data: plainMessage("waits") });
  await eventually(async () => (await service.queue())[0]?.state === "held", { what: "the message, held" });
  expect(await service.drop()).toEqual([]);
  await writeFile(wrapper, `#!/bin/sh\nexec "$@"\n`, { mode: 0o755 });
  const [file] = await service.dropped(1, 60_000);
  expect(file?.content.toString("latin1")).toMatch(/^Subject: marked waits\r$/m);
});

test("C23 signals by the dozen end the service once, in order, and lose nothing", async () => {
  await using service = await startService({ config: serviceConfig({}) });
  for (let number = 0; number < 20; number += 1)
    await send(service.port, { data: plainMessage(`before ${number}`) });
  for (let number = 0; number < 50; number += 1)
    process.kill(service.pid, number % 2 === 0 ? "SIGHUP" : "SIGPIPE");
  await send(service.port, { data: plainMessage("among reloads") });
  for (let number = 0; number < 20; number += 1)
    if (service.running) process.kill(service.pid, number % 2 === 0 ? "SIGTERM" : "SIGINT");
  expect(await service.exited).toBe(0);
  await service.start();
  await service.dropped(21);
  expect(await service.queue()).toEqual([]);
});
