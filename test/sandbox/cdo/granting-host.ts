// A real script host with one script, which runs the lines that a test gives it on a message, with what `allow` grants.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Capabilities, DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { createScriptHost, type ScriptHostOptions } from "../../../src/sandbox/script-host.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { compiledProgram } from "../../support/compiled.ts";

/** Each line that it logs is one of `said`; an exception of the object model is told as "NAME number message". */
const SCRIPT = `export default function onArrival(msg, status, event) {
  try { new Function("msg", event.properties.code)(msg); } catch (e) { console.log(e.name + " " + e.number + " " + e.message); }
}`;

export interface Ran {
  /** What the script logged, and our own warnings. */
  readonly said: readonly string[];
  readonly fault: string | undefined;
  /** The message as the script saved it. */
  readonly message: string;
}

export interface GrantingHost extends AsyncDisposable {
  /** The script folder. */
  readonly folder: string;
  /** The folder around it. */
  readonly root: string;
  run(
    code: string,
    allow?: Capabilities,
    more?: { limits?: Partial<ScriptLimits>; message?: string },
  ): Promise<Ran>;
}

export const MESSAGE =
  "From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nold text\r\n";

export async function startGrantingHost(
  options: (root: string) => Partial<ScriptHostOptions> = () => ({}),
): Promise<GrantingHost> {
  const temporary = await tempFolder("onarrival-granting");
  const root = temporary.path;
  const folder = path.join(root, "scripts");
  await mkdir(folder);
  await writeFile(path.join(folder, "s.js"), SCRIPT);
  const host = createScriptHost({
    folder,
    log: silentLogger,
    watch: false,
    program: await compiledProgram(),
    settings: { processes: 1 },
    ...options(root),
  });
  await host.start();
  return {
    folder,
    root,
    async run(code, allow = {}, { limits = {}, message = MESSAGE } = {}) {
      const script = host.scripts.get("s.js");
      if (script === undefined) throw new Error(host.broken.get("s.js") ?? "no script");
      const content = Content.fromBuffer(Buffer.from(message));
      const call = {
        script,
        bindingName: "b",
        sinkProperties: { code },
        limits: { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 5000, cpuMs: 5000, ...limits },
        allow,
        cacheable: true,
        continueOnFault: false,
      };
      const envelope = {
        sender: "",
        recipients: ["b@example.org"],
        arrivalTime: 0,
        clientAddress: "",
        pickupFileName: "",
        status: 0,
      };
      const { outcomes } = await host.run({ messageId: "m", content, envelope, calls: [call] });
      const [outcome] = outcomes;
      const changed = await content.splice(outcome?.splices ?? []).toBuffer();
      return {
        said: outcome?.logs.map(({ text }) => text) ?? [],
        fault: outcome?.fault?.message,
        message: changed.toString(),
      };
    },
    async [Symbol.asyncDispose]() {
      await host.stop();
      await temporary[Symbol.asyncDispose]();
    },
  };
}
