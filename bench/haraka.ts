// A private Haraka to compare with: its own configuration and queue below the temporary folder, one loopback port. It is not among
// our dependencies: HARAKA names the folder of its package, where it was installed by `npm install Haraka`.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./postfix.ts";
import { NODE } from "./forked-program.ts";
import { end, startSink, waitForGreeting, type Subject } from "./subject.ts";

const packageFolder = (): string => process.env["HARAKA"] ?? "";

/** Why Haraka cannot take part here, or undefined when it can. */
export function harakaMissing(): string | undefined {
  if (existsSync(join(packageFolder(), "bin/haraka"))) return undefined;
  return "the environment variable HARAKA does not name the folder of its package";
}

const relayAll = (port: number): string => `exports.hook_connect = (next, connection) => {
  connection.relaying = true;
  next();
};
exports.hook_get_mx = (next) => next(OK, [{ priority: 0, exchange: "127.0.0.1", port: ${port} }]);
`;

const BANNER = `exports.hook_data = (next, connection) => {
  const text = "This message was checked by the gateway.";
  connection.transaction.set_banner("\\n-- \\n" + text + "\\n", text);
  next();
};
`;

/** Durable queue and relay; `banner`: a disclaimer in both bodies of every message. */
export async function startHaraka(choices: { readonly banner?: boolean } = {}): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "haraka-bench-"));
  const sink = await startSink();
  const port = await freePort();
  for (const name of ["plugins", "queue"]) mkdirSync(join(folder, name));
  // What it is shipped with, and then the lines that a relay needs.
  cpSync(join(packageFolder(), "config"), join(folder, "config"), { recursive: true });
  const configure = (file: string, text: string): void =>
    writeFileSync(join(folder, "config", file), `${text}\n`);
  const plugins = ["accept", "relayall", ...(choices.banner === true ? ["banner"] : [])];
  configure("smtp.ini", `listen=127.0.0.1:${port}\nnodes=0`);
  configure("plugins", plugins.join("\n"));
  configure("me", "gateway.example.net");
  configure("log.ini", "[main]\nlevel=warn");
  configure("outbound.ini", "enable_tls=false\nlocal_mx_ok=true\nconcurrency_max=100");
  writeFileSync(join(folder, "plugins/accept.js"), "exports.hook_rcpt = (next) => next(OK);\n");
  writeFileSync(join(folder, "plugins/relayall.js"), relayAll(sink.port));
  writeFileSync(join(folder, "plugins/banner.js"), BANNER);
  const child = spawn(NODE, [join(packageFolder(), "bin/haraka"), "-c", folder], {
    cwd: folder,
    stdio: "ignore",
  });
  const stop = async (): Promise<void> => {
    await end(child);
    await sink.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await waitForGreeting(port, () => child.exitCode === null);
    return { port, pids: [child.pid ?? 0], sink, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
