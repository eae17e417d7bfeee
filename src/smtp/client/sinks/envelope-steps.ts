// MAIL, RCPT, and DATA or BDAT as the steps of a dialogue that sinks take part in.
import { chunkCommand } from "../content-writer.ts";
import type { OutboundMessage, StageDeadlines } from "../destination.ts";
import type { EnvelopeCommands } from "../envelope-commands.ts";
import type { NativeCommand } from "./outbound-events.ts";

/** Before they are known. */
export const NO_COMMANDS: EnvelopeCommands = {
  mail: "",
  rcpts: [],
  places: [],
  refused: new Map(),
  parameters: false,
  rcptParameters: false,
};

interface RcptStep extends NativeCommand {
  readonly recipientIndex: number;
}

export const mailStep = (
  { mail }: EnvelopeCommands,
  { sender }: OutboundMessage,
  limitMs: number,
): NativeCommand => ({
  event: "OnMessageStart",
  verb: "MAIL",
  line: mail.trimEnd(),
  argument: sender,
  stage: "MAIL",
  limitMs,
});

export const rcptSteps = (
  { rcpts, places }: EnvelopeCommands,
  { recipients }: OutboundMessage,
  limitMs: number,
): readonly RcptStep[] =>
  rcpts.map((line, index) => {
    const place = places[index] ?? 0;
    return {
      event: "OnPerRecipient",
      verb: "RCPT",
      line: line.trimEnd(),
      argument: recipients[place]?.address ?? "",
      recipientIndex: place,
      stage: "RCPT",
      limitMs,
    };
  });

export const dataStep = ({ dataInitiationMs }: StageDeadlines): NativeCommand => ({
  event: "OnBeforeData",
  verb: "DATA",
  line: "DATA",
  argument: "",
  stage: "DATA",
  limitMs: dataInitiationMs,
});

/** `follow` writes the chunk. */
export const chunkStep = (
  message: OutboundMessage,
  { dataBlockMs }: StageDeadlines,
  follow: () => void,
): NativeCommand => ({
  event: "OnBeforeData",
  verb: "BDAT",
  line: chunkCommand(message),
  argument: `${message.content.size} LAST`,
  stage: "DATA",
  limitMs: dataBlockMs,
  follow,
});
