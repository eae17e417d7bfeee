// A real script host with hostile scripts beside an innocent one, and what must be true of both.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { createScriptHost, type RunAnswer, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { LOOPING_REJECTION } from "../wall/hostile-scripts.ts";
import { MESSAGE, requestOf } from "./pool-fixture.ts";
import { compiledProgram } from "../../support/compiled.ts";

export const HOSTILE: Record<string, string> = {
  "heap.js": "const a = []; while (1) a.push(new Array(1000));",
  "stringify.js": 'JSON.stringify(Array(1e8).fill("aaaaaaaaaaaa"));',
  "uninterruptible.js": "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 0);",
  "depth.js": 'JSON.parse("[".repeat(5e7));',
  "loop.js": "while (true);",
  "rejection.js": LOOPING_REJECTION,
};
/** 1 GB in one turn, of which isolated-vm refuses what is beyond memoryMb. */
export const HOARDING: Record<string, string> = {
  "buffers.js": "const a = []; for (let i = 0; i < 1024; i++) a.push(new Uint8Array(1 << 20).fill(1));",
};
const INNOCENT = `export default function onArrival(msg) {
  msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes";
  msg.Fields.Update();
  msg.DataSource.Save();
}`;

export interface HostileHost extends AsyncDisposable {
  run(name: string): Promise<RunAnswer>;
}

/** One with `innocent.js`, `thrower.ts` and all of HOSTILE and HOARDING. */
export async function startHostileHost(): Promise<HostileHost> {
  const folder = await mkdtemp(join(tmpdir(), "hostile-"));
  await writeFile(join(folder, "innocent.js"), INNOCENT);
  await writeFile(
    join(folder, "thrower.ts"),
    "export default function onArrival(msg: object): void {\n  const none: any = null;\n  none.x;\n}\n",
  );
  for (const [name, code] of Object.entries({ ...HOSTILE, ...HOARDING }))
    await writeFile(join(folder, name), `export default function onArrival(msg) { ${code} }`);
  const host = createScriptHost({
    folder,
    log: silentLogger,
    watch: false,
    program: await compiledProgram(),
    settings: { processes: 2 },
  });
  await host.start();
  return {
    run: (name) => run(host, name),
    [Symbol.asyncDispose]: async () => {
      await host.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function run(host: ScriptHost, name: string): Promise<RunAnswer> {
  const script = host.scripts.get(name);
  if (script === undefined) throw new Error(`${name}: ${host.broken.get(name)}`);
  const limits = { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 300 };
  const call = {
    script,
    bindingName: name,
    sinkProperties: {},
    limits,
    allow: {},
    cacheable: true,
    continueOnFault: false,
  };
  return host.run(requestOf([call], { content: Content.fromBuffer(MESSAGE) }));
}

/** Runs a hostile script between innocent ones: only its own message is lost. */
export async function losesOnlyItsOwn(host: HostileHost, name: string): Promise<void> {
  const innocents = Array.from({ length: 12 }, () => host.run("innocent.js"));
  const guilty = host.run(name);
  const more = Array.from({ length: 12 }, () => host.run("innocent.js"));
  for (const { outcomes } of await Promise.all([...innocents, ...more])) {
    expect(outcomes[0]?.fault).toBeUndefined();
    expect(outcomes[0]?.splices?.[0]?.bytes.toString()).toMatch(/x-seen: yes\r\n/i);
  }
  expect(["crash", "timeout", "memory"]).toContain((await guilty).outcomes[0]?.fault?.kind);
}
