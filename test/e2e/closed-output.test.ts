// Commands whose output nobody takes: the pipe is closed early, or the disk is full.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { callControl } from "../../src/admin/control-client.ts";
import { MAIN } from "../support/compiled.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

const NODE = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const SERVICE = ["--listen", "127.0.0.1:0", "--mailroot", "mail", "--scripts", "scripts"];

const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));

interface Unread extends Disposable {
  readonly child: ChildProcess;
  readonly said: Promise<string>;
}

/** Nobody reads what it writes. */
function startUnread(args: readonly string[], cwd: string, options: readonly string[] = []): Unread {
  const child = spawn(NODE, [...options, MAIN, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  return { child, said: text(child.stderr), [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

test("a reader that has enough ends a command without a word", async () => {
  await using temp = await tempFolder();
  // Nor is it ended by force: process.exit() may wait for ever for a compiler thread.
  const exit = `data:text/javascript,process.exit = () => process._rawDebug("forced")`;
  using help = startUnread(["help"], temp.path, ["--import", exit]);
  expect(await ended(help.child)).toBe(0);
  expect(await help.said).toBe("");
});

test.skipIf(process.platform !== "linux")("a full disk is told in one line, and is a failure", async () => {
  await using temp = await tempFolder();
  await using full = await open("/dev/full", "w");
  const child = spawn(NODE, [MAIN, "help"], { cwd: temp.path, stdio: ["ignore", full.fd, "pipe"] });
  const said = child.stderr === null ? "" : text(child.stderr);
  expect(await ended(child)).toBe(1);
  expect(await said).toMatch(/^error: the output cannot be written: ENOSPC[^\n]*\n$/);
});

test("the service goes on without a reader (C21), dev ends", async () => {
  await using temp = await tempFolder();
  await mkdir(join(temp.path, "scripts"), { recursive: true });
  using serve = startUnread(["serve", ...SERVICE], temp.path);
  const status = await eventually(() =>
    callControl(join(temp.path, "mail"), "status").catch(() => undefined),
  );
  expect(status).toMatchObject({ health: { healthy: true } });
  serve.child.kill("SIGTERM");
  expect(await ended(serve.child)).toBe(0);
  expect(await serve.said).toBe("");
  using dev = startUnread(["dev", ...SERVICE], temp.path);
  expect(await ended(dev.child)).toBe(0);
  expect(await dev.said).toBe("");
});
