// `onarrival run`: one script on one message, without a server, in the real sandbox; with --watch again after each change.
import { readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import path from "node:path";
import { Command } from "commander";
import { type RunReport, runScript } from "../composition/scripts/run-script.ts";
import { openTrialBench } from "../composition/scripts/script-trial.ts";
import { sourceFrame } from "../composition/scripts/source-frame.ts";
import { openTrialCapabilities, trialTerms } from "../composition/scripts/trial-capabilities.ts";
import { loadConfig } from "../config/load.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Capabilities } from "../../runtime/contract.ts";
import { CommandFailed, type Output, reportError } from "./output.ts";
import { type Paint, createPaint } from "./paint.ts";
import { type CommandFactory, collect } from "./program.ts";
import { describeFrame, describeReport } from "./run-report.ts";
import { repeatOnChange } from "./watch.ts";

interface Options {
  readonly from?: string;
  readonly to?: readonly string[];
  readonly clientIp?: string;
  readonly json?: boolean;
  readonly out?: string;
  readonly allowSend?: boolean;
  readonly allowRead?: readonly string[];
  readonly allowFetch?: readonly string[];
  readonly allowKv?: boolean;
  readonly allowDns?: boolean;
  readonly allowSecret?: readonly string[];
  readonly config?: string;
  readonly watch?: boolean;
  readonly color: boolean;
}

export function runCommand(): CommandFactory {
  return (output) =>
    new Command("run")
      .description("run one script on one message, in the sandbox, without a server")
      .argument("<script>", "script file")
      .argument("<message>", "message file (RFC 5322)")
      .option("--watch", "again whenever the script, what it imports or the message changes, until Ctrl-C")
      .option("--from <address>", "envelope sender (default: From of the message)")
      .option(
        "--to <address>",
        "envelope recipient, may be repeated (default: To, Cc and Bcc of the message)",
        collect,
      )
      .option("--client-ip <ip>", "address of the client (default: none, as for Pickup)")
      .option(
        "--allow-send",
        "as with allow: { send: true }; what the script sends is shown and goes nowhere",
      )
      .option("--allow-read <pattern>", "as with allow: { read: [pattern] }, may be repeated", collect)
      .option("--allow-fetch <url>", "as with allow: { fetch: [url] }, may be repeated", collect)
      .option("--allow-kv", "as with allow: { kv: true }; the store begins empty and is gone afterwards")
      .option("--allow-dns", "as with allow: { dns: true }")
      .option(
        "--allow-secret <name>",
        "as with allow: { secrets: [name] }, from ONARRIVAL_SECRET_<name> or scripts.secretsFile; may be repeated",
        collect,
      )
      .option(
        "-c, --config <file>",
        "grant what the script's binding in this configuration grants, with its settings and those of the sandbox",
      )
      .option("--out <file>", "write the message as the script left it")
      .option("--no-color", "no colours (also: NO_COLOR in the environment, or output to a file)")
      .option("--json", "answer as JSON")
      .action((script: string, message: string, options: Options) =>
        run({ output, script: path.resolve(script), message, options, paint: createPaint(options.color) }),
      );
}

interface RunParts {
  readonly output: Output;
  /** Absolute path. */
  readonly script: string;
  readonly message: string;
  readonly options: Options;
  readonly paint: Paint;
}

async function run(parts: RunParts): Promise<void> {
  const { output, options, script, message } = parts;
  const { clientIp } = options;
  if (clientIp !== undefined && isIP(clientIp) === 0)
    throw new OnArrivalError("WRONG_USE", `--client-ip ${clientIp} is no IP address`);
  if (options.watch !== true) {
    const { fault } = await runOnce(parts);
    if (fault !== undefined) throw new CommandFailed();
    return;
  }
  let failed = false;
  const named: ReadonlySet<string> = new Set([script, path.resolve(message)]);
  await repeatOnChange(output, options.json === true, named, async () => {
    const files = new Set(named);
    try {
      const { fault } = await runOnce(parts, files);
      failed = fault !== undefined;
    } catch (thrown) {
      failed = true;
      reportError(output, thrown, options.json);
      // What could not be resolved may appear beside what is there.
      files.add(path.dirname(script));
    }
    return files;
  });
  if (failed) throw new CommandFailed();
}

/** `files` gets what the script was made of. */
async function runOnce(parts: RunParts, files?: Set<string>): Promise<RunReport> {
  const { output, script, message, options, paint } = parts;
  const bytes = await readMessage(message);
  const config = await loadConfig(options.config === undefined ? undefined : path.resolve(options.config));
  await using capabilities = await openTrialCapabilities(config);
  const bench = await openTrialBench(script, false, capabilities.hostOptions);
  try {
    for (const file of bench.files) files?.add(file);
    const report = await runScript(bench, {
      message: bytes,
      sender: options.from,
      recipients: options.to,
      clientAddress: options.clientIp,
      ...trialTerms(config, script, flagged(options)),
    });
    if (options.out !== undefined) await writeFile(options.out, report.content);
    const { content: _, ...shown } = report;
    const frame = await frameOf(script, report.fault?.message);
    output.out(
      options.json === true
        ? `${JSON.stringify(shown, undefined, 2)}\n`
        : `${describeReport(report, frame, paint).join("\n")}\n`,
    );
    return report;
  } catch (thrown) {
    const isBroken = thrown instanceof OnArrivalError && thrown.code === "SCRIPT_INVALID";
    if (isBroken && options.json !== true)
      for (const line of describeFrame(await frameOf(script, thrown.message), paint)) output.err(`${line}\n`);
    throw thrown;
  } finally {
    await bench.close();
  }
}

const flagged = (options: Options): Capabilities => ({
  send: options.allowSend ?? false,
  read: options.allowRead ?? [],
  fetch: options.allowFetch ?? [],
  kv: options.allowKv ?? false,
  dns: options.allowDns ?? false,
  secrets: options.allowSecret ?? [],
});

const frameOf = async (script: string, message: string | undefined): Promise<readonly string[]> =>
  message === undefined ? [] : sourceFrame(path.dirname(script), message);

async function readMessage(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (thrown) {
    throw new OnArrivalError("WRONG_USE", `${file} cannot be read: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
}
