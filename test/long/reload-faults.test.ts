// Reloading when the machine has nothing left: no inotify instance, no file descriptor.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startService, type Service } from "../support/service.ts";

const SCRIPT = "export default function onArrival() { return 0; }\n";

const isLinux = process.platform === "linux";
const mayUnshare = isLinux && spawnSync("unshare", ["-r", "true"]).status === 0;
const mayLimit = isLinux && spawnSync("prlimit", ["--version"]).status === 0;

async function version(service: Service): Promise<string | undefined> {
  const { stdout } = await service.command("scripts", "list", "--json", "--mailroot", service.mailroot);
  const found: { name: string; version?: string }[] = JSON.parse(stdout);
  return found.find(({ name }) => name === "a.js")?.version;
}

test.skipIf(!mayUnshare)(
  "R11: without an inotify instance the folder is looked at every pollMs, which the log tells once",
  async () => {
    // The limit holds in a user namespace of its own.
    const through = [
      "unshare",
      "-r",
      "sh",
      "-c",
      'echo 0 > /proc/sys/user/max_inotify_instances; exec "$@"',
      "sh",
    ];
    const config = { scripts: { folder: "./scripts", pollMs: 100 } };
    await using service = await startService({ config, scripts: { "a.js": SCRIPT }, through });
    await service.logged(/cannot be watched/);
    await service.writeScript("a.js", SCRIPT.replace("0", "1"));
    await service.logged(/script reloaded/);
    expect(service.log.filter((line) => line.includes("cannot be watched"))).toHaveLength(1);
  },
);

test.skipIf(!isLinux)(
  "R08: what the kernel could not tell because its queue was full is found by the next scan",
  async () => {
    await using service = await startService({ scripts: { "a.js": SCRIPT } });
    const queueLength = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
    // While nobody reads the queue, more comes than it holds: the edit at the end is not in it.
    process.kill(service.pid, "SIGSTOP");
    try {
      for (let number = 0; number < queueLength; number += 1) {
        const file = join(service.scriptsFolder, `noise-${number % 50}.txt`);
        writeFileSync(file, "x");
        rmSync(file);
      }
      await service.writeScript("a.js", SCRIPT.replace("0", "1"));
    } finally {
      process.kill(service.pid, "SIGCONT");
    }
    await service.logged(/script reloaded/, 30_000);
  },
);

test.skipIf(!mayLimit)(
  "a service that ran out of descriptors while a script was saved takes the new version when it has some again",
  async () => {
    await using service = await startService({ scripts: { "a.js": SCRIPT } });
    const before = await version(service);
    const open = readdirSync(`/proc/${service.pid}/fd`).length;
    const limit = (files: number): unknown =>
      execFileSync("prlimit", ["--pid", String(service.pid), `--nofile=${files}:`]);
    limit(open - 5);
    await service.writeScript("a.js", SCRIPT.replace("0", "1"));
    await service.logged(/EMFILE/);
    limit(4096);
    await eventually(async () => (await version(service)) !== before, {
      what: "the new version",
      intervalMs: 300,
    });
  },
);
