// `onarrival password`: turns a password into what `auth.users[].passwordHash` holds.
import { Command } from "commander";
import type { Readable } from "node:stream";
import { OnArrivalError } from "../core/errors.ts";
import { hashPassword } from "../smtp/server/authentication/password-hash.ts";
import { printResult } from "./output.ts";
import type { CommandFactory } from "./program.ts";

const MAX_PASSWORD_BYTES = 1024;

/** Never an argument: those can be read by every user of the machine. */
export function passwordCommand(input: Readable = process.stdin): CommandFactory {
  return (output) =>
    new Command("password")
      .description("read a password from standard input and print its hash for auth.users")
      .option("--json", "answer as JSON")
      .action(async (options: { json?: boolean }) => {
        const passwordHash = await hashPassword(await readFirstLine(input));
        printResult(output, options.json, { passwordHash }, passwordHash);
      });
}

async function readFirstLine(input: Readable): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes("\n") || text.length > MAX_PASSWORD_BYTES) break;
  }
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  if (line === "") throw new OnArrivalError("WRONG_USE", "the password is empty");
  if (line.length > MAX_PASSWORD_BYTES)
    throw new OnArrivalError("WRONG_USE", `the password is longer than ${MAX_PASSWORD_BYTES} bytes`);
  return line;
}
