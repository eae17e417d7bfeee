// The service where no snapshot of the runtime can be made, whether V8 says so or dies of it.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import { RUNTIME_ENTRY } from "../../../src/sandbox/pool/sandbox-program.ts";
import { bundleRuntime } from "../../../src/sandbox/versions/compiler.ts";
import { compiledProgram } from "../../support/compiled.ts";
import { REFUSES_SNAPSHOT } from "../refuses-snapshot.ts";
import { callOf, createFixture, requestOf, scriptOf } from "./pool-fixture.ts";

function recordingLog(): { readonly log: Logger; readonly refusals: unknown[] } {
  const refusals: unknown[] = [];
  const warn: Logger["warn"] = ({ reason }, message) => {
    if (message.includes("snapshot")) refusals.push(reason);
  };
  return { log: { ...silentLogger, warn }, refusals };
}

const numbers = [1, 2, 3, 4, 5, 6, 7];

describe("a service on a platform that refuses the snapshot", () => {
  test("runs its scripts without it and says so once", async () => {
    const { log, refusals } = recordingLog();
    const runtime = await bundleRuntime(RUNTIME_ENTRY);
    const runtimeBundle = Buffer.concat([runtime, Buffer.from(REFUSES_SNAPSHOT)]);
    await using fixture = createFixture({ program: await compiledProgram(), runtimeBundle, log });
    const verdicts = await Promise.all(
      numbers.map(async (number) => {
        const script = scriptOf(`function onArrival() { return ${number % 2}; } // ${number}`);
        const { outcomes } = await fixture.runner.run(requestOf([callOf("any", { script })]));
        return outcomes[0]?.fault ?? outcomes[0]?.verdict;
      }),
    );
    expect(verdicts).toEqual(numbers.map((number) => number % 2));
    expect(refusals).toEqual([expect.stringContaining("refused here")]);
  });

  test("blames no script when its processes end over it, and starts the next ones without", async () => {
    const { log, refusals } = recordingLog();
    await using fixture = createFixture({ processes: 2, log });
    const answers = await Promise.all(
      numbers.map(() => fixture.runner.run(requestOf([callOf("no-snapshot")]))),
    );
    expect(answers.map(({ outcomes }) => outcomes[0]?.fault)).toEqual(numbers.map(() => undefined));
    expect(refusals).toHaveLength(1);
  });
});

test.skipIf(process.platform !== "linux")(
  "without the setting no process is asked for a snapshot",
  async () => {
    await using fixture = createFixture({ snapshot: false });
    const { outcomes } = await fixture.runner.run(requestOf([callOf("echo")]));
    expect(outcomes[0]?.fault).toBeUndefined();
    const [pid = 0] = fixture.pool.pids;
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    expect(commandLine).toContain('{"snapshot":false}');
  },
);
