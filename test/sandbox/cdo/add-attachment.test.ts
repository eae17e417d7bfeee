// AddAttachment and AddRelatedBodyPart: files below the script folder that the binding grants, through the real script host.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Capabilities, DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { createScriptHost, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { compiledProgram } from "../../support/compiled.ts";

const SCRIPT = `export default function onArrival(msg, status, event) {
  const { code } = event.properties;
  try { console.log(new Function("msg", code)(msg) ?? "ok"); msg.DataSource.Save(); } catch (e) { console.log(e.name + " " + e.message); }
}`;
const MAKE_PIPE = "mkfifo";
const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const MESSAGE =
  "From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<img src=cid:logo><img src=logo.png>\r\n";
const ALLOWED: Capabilities = { read: ["assets/**"] };

let root = "";
let folder = "";
let host: ScriptHost;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "onarrival-files-"));
  folder = path.join(root, "scripts");
  await mkdir(path.join(folder, "assets/deep"), { recursive: true });
  await writeFile(path.join(folder, "s.ts"), SCRIPT);
  await writeFile(path.join(folder, "assets/logo.png"), PNG);
  await writeFile(path.join(folder, "assets/deep/Grüße ä.txt"), "text");
  await writeFile(path.join(folder, "assets/logo.constructor"), PNG);
  await writeFile(path.join(folder, "secret.txt"), "secret");
  await writeFile(path.join(root, "outside.txt"), "outside");
  await symlink(path.join(root, "outside.txt"), path.join(folder, "assets/link.txt"));
  // Windows has no such program and no such files.
  if (process.platform !== "win32") execFileSync(MAKE_PIPE, [path.join(folder, "assets/fifo.txt")]);
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
  await rm(root, { recursive: true, force: true });
});

async function run(
  code: string,
  allow: Capabilities = ALLOWED,
  limits: Partial<ScriptLimits> = {},
): Promise<{ said: string; message: string }> {
  const script = host.scripts.get("s.ts");
  if (script === undefined) throw new Error(host.broken.get("s.ts") ?? "no script");
  const content = Content.fromBuffer(Buffer.from(MESSAGE));
  const { outcomes } = await host.run({
    messageId: "m",
    content,
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
        sinkProperties: { code },
        limits: { ...DEFAULT_SCRIPT_LIMITS, ...limits },
        allow,
        cacheable: true,
        continueOnFault: false,
      },
    ],
  });
  const outcome = outcomes[0];
  const changed = await content.splice(outcome?.splices ?? []).toBuffer();
  return { said: outcome?.fault?.message ?? outcome?.logs[0]?.text ?? "", message: changed.toString() };
}

test("M13 an extension that is named like a member of objects says nothing of the type", async () => {
  const { said } = await run("return msg.AddAttachment('assets/logo.constructor').ContentMediaType");
  expect(said).toBe("application/octet-stream");
});

test("a granted file becomes an attachment with its type, its name and its bytes", async () => {
  const { said, message } = await run(
    `const p = msg.AddAttachment("assets/logo.png"); return p.FileName + " " + p.ContentMediaType + " " + msg.Attachments.Count`,
  );
  expect(said).toBe("logo.png image/png 1");
  expect(message).toMatch(/^Content-Type: multipart\/mixed/m);
  expect(message).toMatch(/^Content-Type: image\/png; name="?logo\.png"?\r$/m);
  expect(message).toMatch(/^Content-Disposition: attachment; filename="?logo\.png"?\r$/m);
  expect(message).toContain(PNG.toString("base64"));
});

test.each([
  ["a file URL", () => `file://${path.join(folder, "assets/logo.png")}`, "logo.png"],
  ["an absolute path", () => path.join(folder, "assets/logo.png"), "logo.png"],
  ["backslashes", () => "assets\\deep\\Grüße ä.txt", "Grüße ä.txt"],
  ["an encoded URL", () => "file://assets/deep/Gr%C3%BC%C3%9Fe%20%C3%A4.txt", "Grüße ä.txt"],
])("the file may be named by %s", async (_what, name, expected) => {
  expect((await run(`return msg.AddAttachment(${JSON.stringify(name())}).FileName`)).said).toBe(expected);
});

test("a related file stands beside the HTML, named by Content-ID or Content-Location", async () => {
  const { said, message } = await run(
    `msg.AddRelatedBodyPart("assets/logo.png", "logo", 0); msg.AddRelatedBodyPart("assets/logo.png", "logo.png", 1); return msg.HTMLBody.trim() + msg.Attachments.Count`,
  );
  // CDO reference 1.5.3: what the HTML shows is no attachment.
  expect(said).toBe("<img src=cid:logo><img src=logo.png>0");
  expect(message).toMatch(/^Content-Type: multipart\/related/m);
  expect(message).toMatch(/^Content-ID: <logo>\r$/m);
  expect(message).toMatch(/^Content-Location: logo\.png\r$/m);
});

describe("refused, and the message stays as it was", () => {
  test.each<[string, string, RegExp, Capabilities?]>([
    ["without the capability", "assets/logo.png", /^CDO_E_UNSAFE_OPERATION .*allow: \{ read/, {}],
    ["outside of the patterns", "secret.txt", /^CDO_E_UNSAFE_OPERATION/],
    ["the script itself", "s.ts", /^CDO_E_UNSAFE_OPERATION/],
    ["a way out of the folder", "assets/../../outside.txt", /^CDO_E_UNSAFE_OPERATION/, { read: ["**"] }],
    ["a way around", "assets/../secret.txt", /^CDO_E_UNSAFE_OPERATION/],
    ["a file of the machine", "file:///etc/passwd", /^CDO_E_UNSAFE_OPERATION/, { read: ["**"] }],
    ["a link that leads out", "assets/link.txt", /^CDO_E_UNSAFE_OPERATION/],
    ["a pipe", "assets/fifo.txt", /^CDO_E_HTTP_NOT_FOUND/],
    ["a folder", "assets/deep", /^CDO_E_HTTP_NOT_FOUND/],
    ["a file that is not there", "assets/none.png", /^CDO_E_HTTP_NOT_FOUND/],
    ["a name with NUL", "assets/a\0b", /^CDO_E_UNSAFE_OPERATION/],
    ["a name without end", `assets/${"a".repeat(2000)}`, /^CDO_E_HTTP_NOT_FOUND/],
    ["the network", "https://example.com/x.png", /^CDO_E_NOT_AVAILABLE .*allow\.fetch/],
    ["another scheme", "mailto:a@example.com", /^CDO_E_ARGUMENT1/],
    ["nothing", "", /^CDO_E_ARGUMENT1/],
  ])("%s", async (_what, name, expected, allow = ALLOWED) => {
    const { said, message } = await run(`msg.AddAttachment(${JSON.stringify(name)})`, allow);
    expect(said).toMatch(expected);
    expect(message).toBe(MESSAGE);
  });

  test("a file larger than the message may grow", async () => {
    const { said } = await run(`msg.AddAttachment("assets/logo.png")`, ALLOWED, { growthBytes: 7 });
    // The name alone is text that goes out of the isolate, so the limit itself may end the script first.
    expect(said).toMatch(/^CDO_E_HTTP_FAILED|growthBytes/);
  });

  test("a reference that is missing, and a type that does not exist", async () => {
    expect((await run(`msg.AddRelatedBodyPart("assets/logo.png", "", 0)`)).said).toMatch(/^CDO_E_ARGUMENT2/);
    expect((await run(`msg.AddRelatedBodyPart("assets/logo.png", "x", 2)`)).said).toMatch(/^CDO_E_ARGUMENT3/);
  });
});
