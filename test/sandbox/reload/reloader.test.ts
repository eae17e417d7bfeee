// A script that is saved while no sandbox process can be started.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { PreparedAnswers } from "../../../src/sandbox/capabilities/prepared-answers.ts";
import { CDO_MODULE, RUNTIME_ENTRY } from "../../../src/sandbox/pool/sandbox-program.ts";
import { DEFAULT_SANDBOX_SETTINGS } from "../../../src/sandbox/sandbox-settings.ts";
import { bundleRuntime } from "../../../src/sandbox/versions/compiler.ts";
import { ScriptActivity } from "../../../src/sandbox/versions/script-activity.ts";
import type { WorkerPool } from "../../../src/sandbox/pool/worker-pool.ts";
import type { ReloadSettings } from "../../../src/sandbox/versions/script-slot.ts";
import { ScriptReloader } from "../../../src/sandbox/versions/script-reloader.ts";
import { ScriptSwitches } from "../../../src/sandbox/versions/script-switches.ts";
import { compiledProgram } from "../../support/compiled.ts";
import { eventually } from "../../support/eventually.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { createFixture } from "../pool/pool-fixture.ts";
import { OTHER, SCRIPT } from "./reload-fixture.ts";

function createReloader(folder: string, pool: WorkerPool, settings: Partial<ReloadSettings>): ScriptReloader {
  const [clock, log] = [systemClock, silentLogger];
  return new ScriptReloader({
    settings: { ...DEFAULT_SANDBOX_SETTINGS, ...settings },
    builder: {
      folder,
      cdoModule: CDO_MODULE,
      tools: "",
      pool,
      clock,
      runsCases: true,
      answers: new PreparedAnswers(undefined),
      testMs: 10_000,
    },
    generations: undefined,
    switches: new ScriptSwitches(undefined, log),
    activity: new ScriptActivity(DEFAULT_SANDBOX_SETTINGS, clock),
    clock,
    log,
    folderExists: () => Promise.resolve(true),
    changed: () => undefined,
    retired: () => undefined,
  });
}

test.skipIf(process.platform === "win32")(
  "a save that no process can look at is told, and tried again until one can",
  async () => {
    await using folder = await tempFolder("unavailable");
    const path = join(folder.path, "a.ts");
    await writeFile(path, SCRIPT);
    const program = await compiledProgram();
    const runtimeBundle = await bundleRuntime(RUNTIME_ENTRY);
    const wrapper = join(folder.path, "wrapper");
    const broken = join(folder.path, "broken");
    await writeFile(wrapper, `#!/bin/sh\n[ -e ${broken} ] && exit 1\nexec "$@"\n`, { mode: 0o755 });
    await using fixture = createFixture({ program, runtimeBundle, wrapper: [wrapper] });
    const reloader = createReloader(folder.path, fixture.pool, { retryMs: 20, reportMs: 1000 });
    await reloader.start(["a.ts"], new Set(["a.ts"]));
    const first = reloader.scripts.get("a.ts")?.version;
    await writeFile(broken, "");
    for (const pid of fixture.pool.pids) process.kill(pid, "SIGKILL");
    await writeFile(path, OTHER);
    reloader.touched(path);
    await eventually(() => reloader.broken.has("a.ts"), { what: "what is wrong" });
    expect(reloader.broken.get("a.ts")).toContain("no sandbox process can be started");
    expect(reloader.scripts.get("a.ts")?.version).toBe(first);
    await rm(broken);
    await eventually(() => !reloader.broken.has("a.ts"), { what: "the new version" });
    expect(reloader.scripts.get("a.ts")?.version).not.toBe(first);
    reloader.stop();
  },
);
