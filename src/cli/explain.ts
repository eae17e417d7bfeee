// `onarrival explain ID`: what the sinks and the categorizer did to a message, read from the effect log. Works without a running service.
import path from "node:path";
import { Command } from "commander";
import { findConfigFile, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { OnArrivalError } from "../core/errors.ts";
import { EFFECTS_FOLDER } from "../observe/effect-log.ts";
import { type FoundEffects, type MessageEffects, findEffects } from "../observe/effect-search.ts";
import { explainMessage } from "./explain-text.ts";
import { printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { meantMailroot } from "./running-service.ts";

interface Options {
  readonly config?: string;
  readonly mailroot?: string;
  readonly json?: boolean;
}

export const explainCommand: CommandFactory = (output) =>
  new Command("explain")
    .description("what the sinks did to a message, how it was categorized, and why a script was not called")
    .argument(
      "<message-id>",
      "id of the message in the queue and the log or its beginning, or its Message-ID",
    )
    .option("-c, --config <file>", "configuration file, which names the mailroot")
    .option("--mailroot <dir>", "mailroot of the service")
    .option("--json", "answer as JSON")
    .action((id: string, options: Options) => explain(output, id, options));

async function explain(output: Output, wanted: string, options: Options): Promise<void> {
  const { mailroot, effects } = await placeOf(options);
  const found = await findEffects(path.join(mailroot, EFFECTS_FOLDER), wanted.trim());
  const messages = chosen(found, wanted.trim(), effects);
  const text = messages.map((message) => explainMessage(message).join("\n")).join("\n\n");
  printResult(output, options.json, messages, text);
}

/** Records are read whatever is wrong with the file. */
async function placeOf(options: Options): Promise<Place> {
  try {
    const { effects, mailroot } = await loadConfig(findConfigFile(options.config));
    return { mailroot: options.mailroot ?? mailroot, effects };
  } catch {
    const { mailroot } = await meantMailroot(options);
    return { mailroot, effects: undefined };
  }
}

interface Place {
  readonly mailroot: string;
  readonly effects: Config["effects"] | undefined;
}

const MAX_SHOWN_IDS = 10;
const isMessageId = (wanted: string): boolean => /[<@>]/.test(wanted);

/** A Message-ID may have come in more than once; the beginning of an id has to be of one message. */
function chosen(
  { messages, since }: FoundEffects,
  wanted: string,
  settings: Config["effects"] | undefined,
): readonly MessageEffects[] {
  if (wanted === "") throw new OnArrivalError("WRONG_USE", "the id is empty");
  if (messages.length === 0)
    throw new OnArrivalError("EFFECTS_NOT_FOUND", whyAbsent(wanted, since, settings));
  const exact = messages.filter(({ id }) => id === wanted.toUpperCase());
  if (exact.length > 0) return exact;
  if (messages.length > 1 && !isMessageId(wanted)) {
    const ids = messages.slice(0, MAX_SHOWN_IDS).map(({ id }) => id);
    const more = messages.length > ids.length ? ` and ${messages.length - ids.length} more` : "";
    throw new OnArrivalError("WRONG_USE", `${wanted} is the beginning of ${ids.join(", ")}${more}`);
  }
  return messages;
}

const ID_TIME_DIGITS = 9;

function whyAbsent(
  wanted: string,
  since: number | undefined,
  settings: Config["effects"] | undefined,
): string {
  const none = `there is no record of ${wanted}`;
  if (settings?.enabled === false) return `${none}: effects.enabled is false, nothing is recorded`;
  if (since === undefined) return `${none}: no records are there`;
  const oldest = new Date(since).toISOString();
  // The id begins with the time at which the message came in (src/core/message-ids.ts).
  const arrived = /^[0-9A-Z]{18}$/i.test(wanted) ? parseInt(wanted.slice(0, ID_TIME_DIGITS), 36) : undefined;
  if (settings !== undefined && arrived !== undefined && arrived < since)
    return `${none}: it came in at ${new Date(arrived).toISOString()}, and older records than of ${oldest} are gone (effects.keepHours ${settings.keepHours}, effects.maxSize ${settings.maxSize})`;
  return `${none}; the oldest record is of ${oldest}`;
}
