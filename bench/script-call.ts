// The call of a script alone: frames to one sandbox process and back, no SMTP and no store.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../src/core/logger.ts";
import { Content } from "../src/message/content.ts";
import { createScriptHost, type RunRequest, type ScriptHost } from "../src/sandbox/script-host.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../runtime/contract.ts";
import { buildMessage } from "./messages.ts";
import { BOTH_BODIES_SCRIPT, HEADER_SCRIPT } from "./scripts.ts";

const IN_FLIGHT = 20;
const WARM_UP_CALLS = 5000;
const MEASURED_CALLS = 20_000;

const SCRIPTS = {
  "an empty script": "export default function onArrival() {}",
  "header read and set": HEADER_SCRIPT,
  "both bodies rewritten": BOTH_BODIES_SCRIPT,
} as const;

function requestFor(host: ScriptHost, content: Content): RunRequest {
  const script = host.scripts.get("script.js");
  if (script === undefined) throw new Error(host.broken.get("script.js") ?? "the script is not live");
  const call = {
    script,
    bindingName: "bench",
    sinkProperties: {},
    limits: DEFAULT_SCRIPT_LIMITS,
    allow: {},
    cacheable: true,
    continueOnFault: false,
  };
  const envelope = {
    sender: "a@example.com",
    recipients: ["b@example.org"],
    arrivalTime: Date.now(),
    clientAddress: "127.0.0.1",
    pickupFileName: "",
    status: 0,
  };
  return { messageId: "BENCH", content, envelope, calls: [call] };
}

async function callMany(host: ScriptHost, request: RunRequest, calls: number): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let done = 0; done < calls / IN_FLIGHT; done += 1) {
      const { outcomes } = await host.run(request);
      const fault = outcomes[0]?.fault;
      if (fault !== undefined) throw new Error(fault.message);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

/** One line per script: calls per second through one sandbox process, and the relay's own CPU time per call. */
export async function measureScriptCalls(): Promise<string[]> {
  const lines: string[] = [];
  const content = Content.fromBuffer(buildMessage("4k"));
  for (const [what, source] of Object.entries(SCRIPTS)) {
    const folder = mkdtempSync(join(tmpdir(), "onarrival-call-"));
    writeFileSync(join(folder, "script.js"), source);
    const host = createScriptHost({ folder, log: silentLogger, watch: false, settings: { processes: 1 } });
    try {
      await host.start();
      const request = requestFor(host, content);
      await callMany(host, request, WARM_UP_CALLS);
      const cpu = process.cpuUsage();
      const started = performance.now();
      await callMany(host, request, MEASURED_CALLS);
      const seconds = (performance.now() - started) / 1000;
      const used = process.cpuUsage(cpu);
      const relayMicros = (used.user + used.system) / MEASURED_CALLS;
      lines.push(
        `script call alone, 4k, ${what}: ${(MEASURED_CALLS / seconds).toFixed(0)} per second and process, ${relayMicros.toFixed(0)} µs of the relay per call`,
      );
    } finally {
      await host.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return lines;
}
