import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openTrialCapabilities, trialTerms } from "../../../../src/composition/scripts/trial-capabilities.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { compiledFile } from "../../../support/compiled.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const { openTrialBench }: typeof import("../../../../src/composition/scripts/script-trial.ts") = await import(
  compiledFile("src/composition/scripts/script-trial.ts")
);

const CONFIG = `
scripts: { secretsFile: secrets }
bindings:
  - event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: count.js }
    allow: { kv: true, fetch: ["https://a.test/"], smtp: ["mail.test:25"] }
`;

const COUNT = `import { kv, secret } from "cdo";
export default async function onArrival() {
  const count = Number((await kv.get("count")) ?? 0) + 1;
  await kv.set("count", String(count));
  console.log(count + " with " + secret("KEY"));
}
`;

test("what is tried may do what its binding grants and what is granted beside it, and its store is gone afterwards", async () => {
  await using folder = await tempFolder();
  const script = join(folder.path, "count.js");
  await writeFile(join(folder.path, "onarrival.yaml"), CONFIG);
  await writeFile(join(folder.path, "secrets"), "KEY=hunter2!\n", { mode: 0o600 });
  await writeFile(script, COUNT);
  const config = await loadConfig(join(folder.path, "onarrival.yaml"));
  const { allow } = trialTerms(config, script, { secrets: ["KEY"], fetch: ["https://b.test/"] });
  expect(allow).toMatchObject({
    kv: true,
    dns: false,
    send: false,
    secrets: ["KEY"],
    fetch: ["https://a.test/", "https://b.test/"],
    smtp: ["mail.test:25"],
  });

  const lines: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is shown
    await using capabilities = await openTrialCapabilities(config);
    // oxlint-disable-next-line no-await-in-loop
    const bench = await openTrialBench(script, false, capabilities.hostOptions);
    // oxlint-disable-next-line no-await-in-loop
    const { outcome } = await bench.run({ message: Buffer.from("Subject: x\r\n\r\n"), allow });
    lines.push(...outcome.logs.map(({ text }) => text), outcome.fault?.message ?? "no fault");
    // oxlint-disable-next-line no-await-in-loop
    await bench.close();
  }
  expect(lines).toEqual(["1 with [secret KEY]", "no fault", "1 with [secret KEY]", "no fault"]);
  expect(existsSync(join(folder.path, "mailroot"))).toBe(false);
});

test("what is tried has the limits and sink properties of its binding", async () => {
  await using folder = await tempFolder();
  const script = join(folder.path, "verbose.js");
  await writeFile(
    join(folder.path, "onarrival.yaml"),
    `
bindings:
  - event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: verbose.js, Banner: of the binding }
    limits: { logLines: 2, timeoutMs: 5000 }
    cacheable: false
`,
  );
  await writeFile(
    script,
    `export const binding = { limits: { logLines: 1, hostCalls: 500 }, sinkProperties: { Banner: "own", Other: "own" } };
export default function onArrival(msg, status, event) {
  for (let line = 0; line < 5; line += 1) console.log(event.properties.Banner, event.properties.Other);
}`,
  );
  const config = await loadConfig(join(folder.path, "onarrival.yaml"));
  const terms = trialTerms(config, script, {});
  expect(terms).toMatchObject({ limits: { logLines: 2, timeoutMs: 5000 }, cacheable: false });
  const bench = await openTrialBench(script);
  const { outcome } = await bench.run({ message: Buffer.from("Subject: x\r\n\r\n"), ...terms });
  await bench.close();
  expect(outcome.fault).toBe(undefined);
  expect(outcome.logs.map(({ text }) => text)).toEqual(["of the binding own", "of the binding own"]);
  expect(outcome.logsDropped).toBe(3);
});

test("a configuration that does not mention the script grants nothing", async () => {
  expect(trialTerms(await loadConfig(undefined), "/scripts/other.js", {})).toEqual({
    allow: { send: false, kv: false, dns: false, fetch: [], secrets: [], read: [] },
    limits: {},
    properties: {},
    cacheable: undefined,
  });
});

test.skipIf(process.platform === "win32")(
  "what is tried runs in the sandbox of the configuration, behind its wrapper",
  async () => {
    await using folder = await tempFolder();
    const wrapper = join(folder.path, "wrapper");
    const script = join(folder.path, "quiet.js");
    await writeFile(wrapper, `#!/bin/sh\necho "$@" >${folder.path}/command\nexec "$@"\n`, { mode: 0o755 });
    await writeFile(script, "export default () => 0");
    await writeFile(
      join(folder.path, "onarrival.yaml"),
      `sandbox: { workers: 7, jitless: true, wrapper: [${wrapper}] }`,
    );
    const config = await loadConfig(join(folder.path, "onarrival.yaml"));
    await using capabilities = await openTrialCapabilities(config);
    const bench = await openTrialBench(script, false, capabilities.hostOptions);
    const { outcome } = await bench.run({ message: Buffer.from("Subject: x\r\n\r\n") });
    await bench.close();
    expect(outcome.fault).toBe(undefined);
    const command = await readFile(join(folder.path, "command"), "utf8");
    expect(command).toContain(" --regexp-interpret-all ");
  },
);

test.skipIf(process.platform === "win32")(
  "X36 a sandbox that cannot be started is no fault of the script, and its last words are told",
  async () => {
    await using folder = await tempFolder();
    const wrapper = join(folder.path, "wrapper");
    const script = join(folder.path, "quiet.js");
    const lastWords = [
      "Error: Access to this API has been restricted.",
      "    at openSync {",
      "  resource: '/opt/linked/index.js'",
      "}",
    ];
    const said = lastWords.map((line) => `echo "${line}" >&2\n`).join("");
    await writeFile(wrapper, `#!/bin/sh\n${said}exit 1\n`, { mode: 0o755 });
    await writeFile(script, "export default () => 0");
    const settings = { wrapper: [wrapper], respawnBackoffMs: 1 };
    await expect(openTrialBench(script, false, { settings })).rejects.toMatchObject({
      code: "SANDBOX_UNAVAILABLE",
      message:
        "quiet.js: no sandbox process can be started: ended by exit code 1 (Error: Access to this API has been restricted. resource: '/opt/linked/index.js')",
    });
  },
);
