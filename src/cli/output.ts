// How commands speak: results on stdout as text or JSON, errors on stderr in two lines, exit codes 0, 1 and 2.
import { CommanderError } from "commander";
import { describeError, OnArrivalError } from "../core/errors.ts";
import { printable, printableJson } from "../core/printable.ts";
import { systemCodeOf } from "../core/system-error.ts";

export const EXIT = { done: 0, failed: 1, wrongUse: 2 } as const;

/** Thrown by a command that has said all there is to say, to end with this exit code. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly exitCode: number;

  constructor(exitCode: number = EXIT.failed) {
    super();
    this.exitCode = exitCode;
  }
}

/** Where a command writes. The tests give their own. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

export const processOutput: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** `act` decides when stdout takes no more; what stderr does not take is lost. Without listeners each ends the process with a stack. */
export function whenOutputFails(act: (why: Error) => void): void {
  process.stdout.once("error", act).on("error", () => undefined);
  process.stderr.on("error", () => undefined);
}

/** Whoever reads may have enough (`| head -1`); a disk that is full leaves a result that is not whole. */
export function endWithoutReader(why: Error): void {
  leave();
  if (systemCodeOf(why) === "EPIPE") return;
  process.exitCode = EXIT.failed;
  process.stderr.write(`error: the output cannot be written: ${describeError(why)}\n`);
}

const OPEN_HANDLES_MS = 1000;

/**
 * The process ends by itself: process.exit() waits for V8's compiler threads, of which one may be waiting until this thread collects
 * garbage, and neither goes on. What is still open, a connection or the timer of a native sink, keeps it no longer than this; what
 * fails in it by then is no failure of the command.
 */
export function leave(): void {
  process.on("uncaughtException", () => undefined);
  setTimeout(() => process.exit(), OPEN_HANDLES_MS).unref();
}

/** Lines of text, or with --json the value: names of files and what strangers wrote may stand in either. */
export function printResult(output: Output, json: boolean | undefined, value: unknown, text: string): void {
  if (json === true) output.out(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
  else if (text !== "") output.out(`${printableLines(text)}\n`);
}

const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");

/** Something was done, and may not be what was meant. On stderr, so that programs can read the result on stdout. */
export function warn(output: Output, warnings: readonly string[]): void {
  for (const warning of warnings) output.err(`warning: ${printable(warning)}\n`);
}

/** Columns as wide as their widest cell. Texts of clients stand in them: control characters are not passed on. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Says what went wrong and answers the exit code. Only faults of our own come with a stack. */
export function reportError(output: Output, error: unknown, json = false): number {
  if (error instanceof CommandFailed) return error.exitCode;
  if (error instanceof CommanderError) return reportWrongUse(output, error, json);
  const known = error instanceof OnArrivalError ? error : fileFault(error);
  if (json) {
    const { code, remedy } = known ?? { code: "INTERNAL", remedy: undefined };
    const message = messageOf(known ?? error);
    output.out(`${JSON.stringify({ error: { code, message, remedy } }, undefined, 2)}\n`);
  } else {
    output.err(`error: ${known?.owner === "operator" ? messageOf(known) : stackOf(error)}\n`);
    if (known !== undefined) output.err(`what to do: ${known.remedy}\n`);
  }
  return known?.code === "WRONG_USE" ? EXIT.wrongUse : EXIT.failed;
}

/** As text, commander has said it already. Asked for help, it ends with 0. */
function reportWrongUse(output: Output, { exitCode, message }: CommanderError, json: boolean): number {
  if (exitCode === 0) return EXIT.done;
  if (!json) return EXIT.wrongUse;
  return reportError(output, new OnArrivalError("WRONG_USE", message.replace(/^error: /, "")), json);
}

/** What the system says of a file that a command was given is no fault of ours. */
function fileFault(error: unknown): OnArrivalError | undefined {
  if (systemCodeOf(error) === undefined || !(error instanceof Error) || !("path" in error)) return undefined;
  return new OnArrivalError("FILE_UNUSABLE", describeError(error), { cause: error });
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** A list of problems keeps its lines. */
function messageOf(error: unknown): string {
  if (!(error instanceof OnArrivalError)) return describeError(error);
  return printableLines(error.message);
}

export const formatTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
