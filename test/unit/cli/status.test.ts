// `onarrival status` of a service whose configuration file was broken since it started: both are told.
import { rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { statusCommand } from "../../../src/cli/status.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { startRelay } from "../../../src/relay.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";
import { rsaKey } from "../../support/signing-keys.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const PROBLEM = /^error: onarrival.yaml:2:1 virtualServer: unknown key/m;

test("a file with problems is told beside the state of the service, which is found by the mailroot of the file or the default one", async () => {
  await using folder = await tempFolder("status");
  const file = path.join(folder.path, "onarrival.yaml");
  const status = (...more: readonly string[]): Promise<CommandRun> =>
    runInProcess([statusCommand], ["status", "--config", file, ...more]);
  const servers = 'virtualServers: [{ name: a, listen: ["127.0.0.1:0"] }]';
  const broken = servers.replace("Servers", "Server");
  await writeFile(file, `mailroot: ./mail\n${servers}`);
  const relay = await startRelay(await loadConfig(file), silentLogger, systemClock);
  try {
    expect(await status()).toMatchObject({ code: 0, err: "" });
    await writeFile(file, `mailroot: ./mail\n${broken}`);
    const both = await status();
    expect(both).toMatchObject({ code: 1, err: expect.stringMatching(PROBLEM) as string });
    expect(both.out).toMatch(/^health +healthy$/m);
    expect(JSON.parse((await status("--json")).out)).toMatchObject({
      health: { healthy: true },
      configuration: { code: "CONFIG_INVALID", message: expect.stringContaining("unknown key") as string },
    });
    // Not even a map: the service of the default mailroot is asked, and there is none.
    await writeFile(file, "mailroot");
    const none = await status();
    expect(none).toMatchObject({ code: 1, out: "" });
    expect(none.err).toMatch(/^error: onarrival.yaml:1:1 file: .+\nno service answers on /);
  } finally {
    await relay.stop();
  }
  await rename(path.join(folder.path, "mail"), path.join(folder.path, "mailroot"));
  await writeFile(file, `log: { level: info }\n`);
  const again = await startRelay(
    await loadConfig(file, { listen: ["127.0.0.1:0"] }),
    silentLogger,
    systemClock,
  );
  try {
    await writeFile(file, "mailroot: [x]");
    expect(await status()).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^health +healthy$/m) as string,
    });
  } finally {
    await again.stop();
  }
});

test("a reload that was refused for a file that is named is told until one succeeds", async () => {
  await using folder = await tempFolder("status");
  const file = path.join(folder.path, "onarrival.yaml");
  const key = path.join(folder.path, "key.pem");
  const signing = "signing: [{ domain: a.example, selector: s, keyFile: key.pem }]";
  await writeFile(file, `mailroot: ./mail\nvirtualServers: [{ listen: ["127.0.0.1:0"], ${signing} }]\n`);
  await writeFile(key, rsaKey(1024).pem, { mode: 0o600 });
  const status = (...more: readonly string[]): Promise<CommandRun> =>
    runInProcess([statusCommand], ["status", "--config", file, ...more]);
  const relay = await startRelay(await loadConfig(file), silentLogger, systemClock);
  try {
    expect(await status()).toMatchObject({ code: 0, err: "" });
    await writeFile(key, "no key");
    await expect(relay.reload(await loadConfig(file))).rejects.toMatchObject({
      code: "SIGNING_KEY_UNUSABLE",
    });
    const told = await status();
    expect(told).toMatchObject({ code: 1, err: "" });
    expect(told.out).toMatch(
      /^health +healthy\n[^]*^reload +refused, the configuration stays .*keyFile: .*key\.pem/m,
    );
    expect(JSON.parse((await status("--json")).out)).toMatchObject({
      health: { healthy: true },
      refusedReload: expect.stringContaining("keyFile") as string,
    });
    await writeFile(key, rsaKey(1024).pem);
    await relay.reload(await loadConfig(file));
    expect((await status()).code).toBe(0);
  } finally {
    await relay.stop();
  }
});
