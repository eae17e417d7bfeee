// `onarrival run`: one script on one message, without a server, in the real sandbox.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { runScriptOnce, type RunInput, type RunReport, type RunSent } from "../composition/run-script.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import { CommandFailed, type Output, printable } from "./output.ts";
import type { CommandFactory } from "./program.ts";

interface Options {
  readonly from?: string;
  readonly to?: readonly string[];
  readonly clientIp?: string;
  readonly json?: boolean;
  readonly out?: string;
  readonly allowSend?: boolean;
  readonly allowRead?: readonly string[];
}

const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];

export function runCommand(): CommandFactory {
  return (output) =>
    new Command("run")
      .description("run one script on one message, in the sandbox, without a server")
      .argument("<script>", "script file")
      .argument("<message>", "message file (RFC 5322)")
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
      .option("--out <file>", "write the message as the script left it")
      .option("--json", "answer as JSON")
      .action((script: string, message: string, options: Options) => run(output, script, message, options));
}

async function run(output: Output, script: string, message: string, options: Options): Promise<void> {
  const input: RunInput = {
    script: path.resolve(script),
    message: await readMessage(message),
    sender: options.from,
    recipients: options.to,
    clientAddress: options.clientIp,
    allow: { send: options.allowSend ?? false, read: options.allowRead ?? [] },
  };
  const report = await runScriptOnce(input);
  if (options.out !== undefined) await writeFile(options.out, report.content);
  const { content: _, ...shown } = report;
  output.out(
    options.json === true
      ? `${JSON.stringify(shown, undefined, 2)}\n`
      : `${describeReport(report).join("\n")}\n`,
  );
  if (report.fault !== undefined) throw new CommandFailed();
}

async function readMessage(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (thrown) {
    throw new OnArrivalError("WRONG_USE", `${file} cannot be read: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
}

const VERDICTS = ["run the next sink", "skip the remaining sinks"] as const;
const STATUSES = ["deliver", "retry later", "abort delivery: deleted, no report", "move to Badmail"] as const;

const describeSent = ({ sender, recipients, message }: RunSent): string[] => [
  `from ${sender} to ${recipients.join(", ")}`,
  ...message.split("\r\n").map((line) => `| ${line}`),
];

function describeReport(report: RunReport): string[] {
  const { script, version, fault, verdict, status, milliseconds, heapBytes } = report;
  const memory = heapBytes === undefined ? "" : `, ${(heapBytes / 1024 / 1024).toFixed(1)} MiB heap`;
  const lines = [
    `script    ${script} (version ${version})`,
    `time      ${milliseconds.toFixed(2)} ms${memory}`,
  ];
  if (fault === undefined) {
    lines.push(
      `verdict   ${verdict} (${VERDICTS[verdict]})`,
      `status    ${status} (${STATUSES[status] ?? "?"})`,
    );
  } else {
    lines.push(`fault     ${fault.kind}: ${printable(fault.message)}`, "nothing that the script did counts");
  }
  const sections: [string, readonly string[]][] = [
    ["envelope", report.envelopeChanges],
    ["headers", report.headerChanges],
    ["body", report.bodyChanges],
    ["sent", report.sent.flatMap(describeSent)],
    ["log", report.logs.map((line) => `${line.level}: ${line.text}`)],
  ];
  for (const [title, entries] of sections) {
    if (entries.length === 0 && (title === "log" || title === "sent")) continue;
    lines.push(
      "",
      title,
      ...(entries.length === 0 ? ["  unchanged"] : entries.map((entry) => `  ${printable(entry)}`)),
    );
  }
  return lines;
}
