// Commands to a running service whose configuration file was broken since it started: they need its control socket only.
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { explainCommand } from "../../../src/cli/explain.ts";
import { queueCommand } from "../../../src/cli/queue.ts";
import { scriptsCommand } from "../../../src/cli/scripts.ts";
import { serverCommand } from "../../../src/cli/server.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { startRelay } from "../../../src/relay.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const COMMANDS = [
  ["queue", "summary"],
  ["queue", "freeze", "local"],
  ["scripts", "list"],
  ["server", "pause", "a"],
] as const;

test("queue, scripts and server commands work with a file that has problems, and tell them where no service answers", async () => {
  await using folder = await tempFolder("broken-config");
  const file = path.join(folder.path, "onarrival.yaml");
  const give = (args: readonly string[]): Promise<CommandRun> =>
    runInProcess([explainCommand, queueCommand, scriptsCommand, serverCommand], [...args, "--config", file]);
  await writeFile(file, `mailroot: ./mail\nvirtualServers: [{ name: a, listen: ["127.0.0.1:0"] }]\n`);
  const relay = await startRelay(await loadConfig(file), silentLogger, systemClock);
  try {
    await writeFile(file, "mailroot: ./mail\nvirtualServers: [\n");
    for (const args of COMMANDS) expect(await give(args)).toMatchObject({ code: 0, err: "" });
    expect((await give(["server", "list"])).out).toMatch(/^a +paused/m);
    // These read what is kept in the mailroot.
    for (const args of [
      ["explain", "<x@y>"],
      ["scripts", "diff", "x"],
    ])
      expect((await give(args)).err).toMatch(/^error: there is no record of /);
    // What the service itself refuses is told alone.
    expect((await give(["queue", "show", "000000"])).err).toMatch(/^error: [^\n]*000000/);
    // Without the file nobody knows which service was meant.
    await rm(file);
    for (const args of [...COMMANDS, ["explain", "<x@y>"], ["scripts", "diff", "x"]])
      expect(await give(args)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^error: .*onarrival.yaml cannot be read/) as string,
      });
  } finally {
    await relay.stop();
  }
  await writeFile(file, "mailroot: ./mail\nvirtualServers: [\n");
  for (const args of COMMANDS)
    expect(await give(args)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: onarrival.yaml:3:1 [^\n]+\nno service answers on /) as string,
    });
});
