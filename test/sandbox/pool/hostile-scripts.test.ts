import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { createScriptHost, type RunAnswer, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { LOOPING_REJECTION } from "../wall/hostile-scripts.ts";
import { MESSAGE, requestOf } from "./pool-fixture.ts";
import { compiledProgram } from "../../support/compiled.ts";

const HOSTILE: Record<string, string> = {
  "heap.js": "const a = []; while (1) a.push(new Array(1000));",
  "stringify.js": 'JSON.stringify(Array(1e8).fill("aaaaaaaaaaaa"));',
  "uninterruptible.js": "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 0);",
  "depth.js": 'JSON.parse("[".repeat(5e7));',
  "loop.js": "while (true);",
  "rejection.js": LOOPING_REJECTION,
};
const INNOCENT = `export default function onArrival(msg) {
  msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes";
  msg.Fields.Update();
  msg.DataSource.Save();
}`;

let folder: string;
let host: ScriptHost;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-"));
  await writeFile(join(folder, "innocent.js"), INNOCENT);
  await writeFile(
    join(folder, "thrower.ts"),
    "export default function onArrival(msg: object): void {\n  const none: any = null;\n  none.x;\n}\n",
  );
  for (const [name, code] of Object.entries(HOSTILE))
    await writeFile(join(folder, name), `export default function onArrival(msg) { ${code} }`);
  host = createScriptHost({
    folder,
    log: silentLogger,
    watch: false,
    program: await compiledProgram(),
    settings: { processes: 2 },
  });
  await host.start();
});

afterAll(async () => {
  await host.stop();
  await rm(folder, { recursive: true });
});

function run(name: string): Promise<RunAnswer> {
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

describe("scripts that end their process", () => {
  test.each(Object.keys(HOSTILE))("X04 X06 X10 X14 lose only their own message: %s", async (name) => {
    const innocents = Array.from({ length: 12 }, () => run("innocent.js"));
    const guilty = run(name);
    const more = Array.from({ length: 12 }, () => run("innocent.js"));
    for (const { outcomes } of await Promise.all([...innocents, ...more])) {
      expect(outcomes[0]?.fault).toBeUndefined();
      expect(outcomes[0]?.splices?.[0]?.bytes.toString()).toMatch(/x-seen: yes\r\n/i);
    }
    expect(["crash", "timeout", "memory"]).toContain((await guilty).outcomes[0]?.fault?.kind);
  });

  test("a throw names the line of the source", async () => {
    const { outcomes } = await run("thrower.ts");
    expect(outcomes[0]?.fault).toMatchObject({
      kind: "throw",
      message: expect.stringMatching(/^thrower\.ts:3:\d+: /),
    });
  });
});
