// A version that is no longer live when a message whose run it is part of has left for the process, and it is not known yet that the message waits.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { type CapabilityBroker, refuse } from "../../../src/sandbox/capabilities/broker-contract.ts";
import type { RunCall } from "../../../src/sandbox/pool/call-runner.ts";
import { RUNTIME_ENTRY } from "../../../src/sandbox/pool/sandbox-program.ts";
import { createScriptHost } from "../../../src/sandbox/script-host.ts";
import { bundleRuntime } from "../../../src/sandbox/versions/compiler.ts";
import { compiledProgram } from "../../support/compiled.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { callOf, createFixture, requestOf } from "./pool-fixture.ts";

const SCRIPTS = {
  "asking.js": 'export default async () => { await dns.resolve("a.example").catch(() => 0) }',
  "next.js": "export default function onArrival() { return 1 }",
};
const broker: CapabilityBroker = { perform: () => Promise.resolve(refuse("not here")) };

/** As the host compiles them, for a pool of our own. */
async function compiled(folder: string): Promise<RunCall[]> {
  for (const [name, code] of Object.entries(SCRIPTS)) await writeFile(join(folder, name), code);
  const program = await compiledProgram();
  const host = createScriptHost({ folder, log: silentLogger, watch: false, program, broker });
  try {
    await host.start();
    return Object.keys(SCRIPTS).map((name) => {
      const script = host.scripts.get(name);
      if (script === undefined) throw new Error(`${name}: ${host.broken.get(name)}`);
      const { limits } = callOf(name);
      return callOf(name, { script, limits: { ...limits, timeoutMs: 10_000 }, allow: { dns: true } });
    });
  } finally {
    await host.stop();
  }
}

test("it stays in the process until the message has passed", async () => {
  await using folder = await tempFolder("retired");
  const calls = await compiled(folder.path);
  const runtimeBundle = await bundleRuntime(RUNTIME_ENTRY);
  await using fixture = createFixture({ program: await compiledProgram(), runtimeBundle, broker });
  // Both have proved themselves, and the process has both: the next message is sent at once.
  for (const call of calls) await fixture.runner.run(requestOf([call]));
  await fixture.runner.run(requestOf(calls));
  const running = fixture.runner.run(requestOf(calls));
  fixture.pool.retire(calls[1]?.script.version ?? "");
  const { outcomes } = await running;
  expect(outcomes.map(({ fault, verdict }) => [fault, verdict])).toEqual([
    [undefined, 0],
    [undefined, 1],
  ]);
});

test("one that a message still brings along goes with it", async () => {
  await using fixture = createFixture({ isRetired: (version) => version === "v-echo" });
  for (const behaviour of ["tag", "echo"]) await fixture.runner.run(requestOf([callOf(behaviour)]));
  const { outcomes } = await fixture.runner.run(requestOf([callOf("loaded")]));
  expect(outcomes[0]?.logs[0]?.text).toBe("tag,loaded");
});
