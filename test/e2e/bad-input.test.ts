// Wrong settings: one clear line that names what to change, exit code 1, and nothing half started.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compiledFile } from "../support/compiled.ts";
import { eventually } from "../support/eventually.ts";
import { runCommand, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const { serveCommand }: typeof import("../../src/cli/serve.ts") = await import(
  compiledFile("src/cli/serve.ts")
);
const { createProgram, runProgram }: typeof import("../../src/cli/program.ts") = await import(
  compiledFile("src/cli/program.ts")
);

/** Starts a service that must not start; answers what it says of that. */
async function refusedStart(files: Record<string, string>, args: readonly string[] = []): Promise<string> {
  await using folder = await tempFolder("refused");
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);
  const at = (name: string): string => join(folder.path, name);
  const config = files["onarrival.yaml"] === undefined ? [] : ["--config", at("onarrival.yaml")];
  const listen = args.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const places = ["--mailroot", at("mailroot"), "--scripts", at("scripts")];
  let all = "";
  const output = { out: (text: string) => void (all += text), err: (text: string) => void (all += text) };
  // Ends as a process does (see the mailroot of a running service), without one for each mistake.
  const program = createProgram([serveCommand()], { output });
  const code = await runProgram(program, ["serve", ...config, ...listen, ...places, ...args], output);
  expect(code, all).toBe(1);
  expect(all).not.toMatch(/\n\s+at .+:\d+:\d+/);
  return all;
}

test("an unknown key is refused with its path", async () => {
  const all = await refusedStart({
    "onarrival.yaml": 'virtualServers:\n  - name: default\n    prot: "25"\n',
  });
  expect(all).toMatch(/prot/);
  expect(all).toMatch(/virtualServers/);
});

test("a value of the wrong kind is refused with line and column", async () => {
  const all = await refusedStart({
    "onarrival.yaml": "virtualServers:\n  - name: default\n    limits: { maxMessageSize: many }\n",
  });
  expect(all).toMatch(/maxMessageSize/);
  expect(all).toMatch(/3:\d+/);
});

test("a file that is no YAML is refused with its line", async () => {
  const all = await refusedStart({ "onarrival.yaml": "virtualServers:\n  - name: [default\n" });
  expect(all).toMatch(/onarrival\.yaml/);
});

test("a configuration that is not there is refused by name", async () => {
  const all = await refusedStart({}, ["--config", join(tmpdir(), "onarrival-missing.yaml")]);
  expect(all).toMatch(/missing\.yaml/);
});

test("a port in use is refused with the address", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = address !== null && typeof address !== "string" ? address.port : 0;
  try {
    const all = await refusedStart({}, ["--listen", `127.0.0.1:${port}`]);
    expect(all).toContain(`127.0.0.1:${port}`);
    expect(all).toMatch(/in use|LISTEN_FAILED/i);
  } finally {
    server.close();
  }
});

test("a scripts folder that cannot be listed is not taken for an empty one", async () => {
  const all = await refusedStart({ scripts: "" });
  expect(all).toMatch(/scripts\.folder: .*scripts/);
  expect(all).toContain("what to do");
});

test("a scripts folder that is gone though scripts have run from it is refused, by check as by the start", async () => {
  await using service = await startService({ scripts: { "a.js": "export default () => {};" } });
  expect(await service.kill()).toBe(0);
  await rm(service.scriptsFolder, { recursive: true });
  const check = await service.command("check");
  expect([check.code, check.stdout]).toEqual([1, expect.stringMatching(/scripts have run from it/)]);
  await service.start().catch(() => undefined);
  expect(await service.exited).toBe(1);
});

test("a mailroot that cannot be a folder is refused with its path", async () => {
  await using folder = await tempFolder("refused");
  const taken = join(folder.path, "taken");
  await writeFile(taken, "a file stands where the folder should be");
  expect(await refusedStart({}, ["--mailroot", taken])).toContain(taken);
});

test("a mailroot of a running service is refused", async () => {
  await using service = await startService();
  await using folder = await tempFolder();
  const args = ["serve", "--listen", "127.0.0.1:0", "--mailroot", service.mailroot];
  const result = await runCommand(args, { cwd: folder.path });
  expect(result.code).toBe(1);
  expect(result.stdout + result.stderr).toMatch(/MAILROOT_LOCKED|another running service|holds/i);
});

test("a certificate that is not there is refused with its path", async () => {
  const config = serviceConfig({ server: { tls: { certificate: "absent.pem", key: "absent.key" } } });
  const all = await refusedStart({ "onarrival.yaml": JSON.stringify(config) });
  expect(all).toMatch(/absent\.(pem|key)/);
});

test("an unknown option is wrong use and exits with 2", async () => {
  await using folder = await tempFolder();
  const result = await runCommand(["serve", "--nope"], { cwd: folder.path });
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(/--nope/);
});

test("run takes the address of a client that can be one only", async () => {
  await using folder = await tempFolder("run");
  const result = await runCommand(["run", "none.js", "none.eml", "--client-ip", "localhost"], {
    cwd: folder.path,
  });
  expect(result).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--client-ip localhost is no IP") as string,
  });
});

const BROKEN = "export default function onArrival(msg) {\n  return (;\n}\n";

test("a script that never compiled is named with its line, and no mail is held for it", async () => {
  await using service = await startService({ config: {}, scripts: { "broken.js": BROKEN } });
  await service.logged(/broken\.js:2:\d+.*its last good version stays, where it has one/);
  expect((await send(service.port, { data: plainMessage("goes on") })).code).toBe(250);
  expect((await service.dropped(1)).length).toBe(1);
});

test("mail that the configuration binds to a script waits when the script never compiled", async () => {
  await using service = await startService({
    scripts: { "broken.js": BROKEN },
    config: serviceConfig({
      bindings: [
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "broken.js" },
        },
      ],
    }),
  });
  expect((await send(service.port, { data: plainMessage("held") })).code).toBe(250);
  const [entry] = await eventually(async () => {
    const entries = await service.queue();
    return entries.some(({ state }) => state === "held") ? entries : undefined;
  });
  expect(entry?.reason).toMatch(/broken\.js/);
  expect(await service.drop()).toEqual([]);
});

test("`check` lists what is wrong and exits with 1", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "scripts"));
  await writeFile(join(folder.path, "scripts/bad.ts"), "export default (: string) => 1;\n");
  // Loaded as the service loads it, wherever it lies.
  const sink = `import { defineSink } from "onarrival";\nexport default defineSink({ event: "EventLog", onEvent: () => undefined });\n`;
  await writeFile(join(folder.path, "sink.ts"), sink);
  const config = { bindings: [{ displayName: "Log", event: "EventLog", sinkClass: "./sink.ts" }] };
  await writeFile(join(folder.path, "onarrival.yaml"), JSON.stringify(config));
  const result = await runCommand(["check"], { cwd: folder.path });
  expect(result.code).toBe(1);
  expect(result.stdout + result.stderr).toMatch(/bad\.ts:1:\d+/);
});
