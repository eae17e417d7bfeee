// Native sinks that leave a timer or a connection open: what is done with its work ends all the same.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startProgram } from "../support/program.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SINK = `import { defineSink } from "onarrival";
setInterval(() => undefined, 1000);
export default defineSink({ event: "OnTransportSubmission", onEvent: () => undefined });
`;
const CONFIG = `mailroot: mail
virtualServers: [{ listen: ["127.0.0.1:0"] }]
bindings: [{ event: OnTransportSubmission, displayName: open, sinkClass: ./open.mjs }]
`;

test("what a native sink leaves open keeps neither a command nor the service alive", async () => {
  await using temp = await tempFolder();
  await writeFile(join(temp.path, "open.mjs"), SINK);
  await writeFile(join(temp.path, "onarrival.yaml"), CONFIG);
  await using check = startProgram(["check"], { cwd: temp.path });
  expect(await check.exited).toBe(0);
  await using serve = startProgram(["serve"], { cwd: temp.path });
  await serve.says(/ready on/);
  await using second = startProgram(["serve"], { cwd: temp.path });
  expect(await second.exited).toBe(1);
  expect(second.text).toContain("is in use by another running service");
  expect(await serve.end("SIGTERM")).toBe(0);
});

test("what such a sink does after the end is no failure of the service", async () => {
  await using temp = await tempFolder();
  const fails = `process.on("SIGTERM", () => setTimeout(() => void Promise.reject(new Error("late")), 500));`;
  await writeFile(join(temp.path, "open.mjs"), `${SINK}${fails}\n`);
  await writeFile(join(temp.path, "onarrival.yaml"), CONFIG);
  await using serve = startProgram(["serve"], { cwd: temp.path });
  await serve.says(/ready on/);
  expect(await serve.end("SIGTERM")).toBe(0);
});

test("a command that leaves nothing open ends by itself: process.exit() may wait for ever for a compiler thread", async () => {
  await using temp = await tempFolder();
  await writeFile(join(temp.path, "onarrival.yaml"), "mailroot: mail\n");
  const exit = `const { exit } = process; process.exit = (code) => { process._rawDebug("forced"); exit(code); };`;
  const env = {
    NODE_OPTIONS: `--import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(exit)}`)}`,
  };
  await using check = startProgram(["check"], { cwd: temp.path, env });
  expect(await check.exited).toBe(0);
  await using bindings = startProgram(["bindings", "list"], { cwd: temp.path, env });
  expect(await bindings.exited).toBe(0);
  expect(`${check.text}${bindings.text}`).not.toContain("forced");
});
