// Stream.LoadFromFile: files below the script folder that the binding grants, through the real script host; nothing else.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Capabilities, DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { createScriptHost, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { compiledProgram } from "../../support/compiled.ts";

const SCRIPT = `export default function onArrival(msg, status, event) {
  const s = new ActiveXObject("ADODB.Stream"); s.Type = 1; s.Open(); s.Write(new Uint8Array(9));
  try { s.LoadFromFile(event.properties.file); console.log(s.Position, s.Size, [...s.Read()].join()) } catch (e) { console.log(e.name, e.message, s.Size) }
}`;

let folder = "";
let host: ScriptHost;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-stream-"));
  await mkdir(path.join(folder, "assets"));
  await writeFile(path.join(folder, "s.js"), SCRIPT);
  await writeFile(path.join(folder, "assets/a.bin"), Buffer.from([1, 2, 255]));
  await writeFile(path.join(folder, "secret.txt"), "secret");
  host = createScriptHost({
    folder,
    log: silentLogger,
    watch: false,
    program: await compiledProgram(),
    settings: { processes: 1 },
  });
  await host.start();
});
afterAll(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

async function load(file: string, allow: Capabilities): Promise<string> {
  const script = host.scripts.get("s.js");
  if (script === undefined) throw new Error(host.broken.get("s.js") ?? "no script");
  const { outcomes } = await host.run({
    messageId: "m",
    content: Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
    envelope: {
      sender: "",
      recipients: ["b@example.org"],
      arrivalTime: 0,
      clientAddress: "",
      pickupFileName: "",
      status: 0,
    },
    calls: [
      {
        script,
        bindingName: "b",
        sinkProperties: { file },
        limits: DEFAULT_SCRIPT_LIMITS,
        allow,
        cacheable: true,
        continueOnFault: false,
      },
    ],
  });
  return outcomes[0]?.fault?.message ?? outcomes[0]?.logs[0]?.text ?? "";
}

test("a granted file becomes the content, at its start", async () => {
  expect(await load("assets/a.bin", { read: ["assets/**"] })).toBe("0 3 1,2,255");
});

test.each([
  ["nothing is granted", "assets/a.bin", {}, /^CDO_E_NOT_AVAILABLE .*allow: \{ read.* 9$/],
  ["the file is not covered", "secret.txt", { read: ["assets/**"] }, /^CDO_E_UNSAFE_OPERATION .*allow.* 9$/],
  [
    "the path leaves the folder",
    "assets/../secret.txt",
    { read: ["assets/**"] },
    /^CDO_E_UNSAFE_OPERATION .* 9$/,
  ],
  ["it is no file of the folder", "http://example.com/x", { read: ["**"] }, /^CDO_E_NOT_AVAILABLE .* 9$/],
  ["there is no such file", "assets/none", { read: ["assets/**"] }, /^CDO_E_HTTP_NOT_FOUND .* 9$/],
])("the stream stays as it is when %s", async (_why, file, allow: Capabilities, said) => {
  expect(await load(file, allow)).toMatch(said);
});
