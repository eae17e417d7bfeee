// Scripts in a chain run as machine code, though the isolate of each is empty most of the time (docs/decisions/0046).
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RUNTIME_ENTRY } from "../../../src/sandbox/pool/sandbox-program.ts";
import { bundleRuntime } from "../../../src/sandbox/versions/compiler.ts";
import { compiledProgram } from "../../support/compiled.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { callOf, createFixture, requestOf, scriptOf } from "./pool-fixture.ts";

const CHAIN = [1, 2, 3, 4];
/** V8 takes a function for worth compiling after 400 calls. */
const MESSAGES = 1200;

test.skipIf(process.platform === "win32")("what V8 began to compile in any isolate is in use", async () => {
  await using folder = await tempFolder();
  const wrapper = join(folder.path, "wrapper");
  const trace = join(folder.path, "trace");
  await writeFile(wrapper, `#!/bin/sh\nnode=$1; shift\nexec "$node" --trace-opt "$@" >>${trace}\n`, {
    mode: 0o755,
  });
  const runtimeBundle = await bundleRuntime(RUNTIME_ENTRY);
  const program = await compiledProgram();
  {
    await using fixture = createFixture({ program, runtimeBundle, wrapper: [wrapper] });
    const calls = CHAIN.map((number) =>
      callOf("any", { script: scriptOf(`function onArrival() { return 0; } // ${number}`) }),
    );
    for (let sent = 0; sent < MESSAGES; sent += 20) {
      const some = Array.from({ length: 20 }, () => fixture.runner.run(requestOf(calls)));
      for (const { outcomes } of await Promise.all(some)) expect(outcomes).toHaveLength(CHAIN.length);
    }
  }
  const lines = (await readFile(trace, "utf8")).split("\n");
  const count = (start: string): number => lines.filter((line) => line.startsWith(start)).length;
  const finish = lines.filter((line) => line.startsWith("[completed compiling") && line.includes(" finish "));
  expect(finish.length).toBeGreaterThanOrEqual(CHAIN.length);
  const unfinished = count("[compiling method") - count("[completed compiling") - count("[aborted");
  // Each of the two processes may have been ended in the middle of one.
  expect(unfinished).toBeLessThanOrEqual(2);
});
