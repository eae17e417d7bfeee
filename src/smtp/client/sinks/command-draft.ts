// What a sink of an outbound event sees and writes: the built-in command, and one of its own (ISmtpOutCommandContext, REFERENCE 3.3).
import type {
  OutboundCommandContext,
  OutboundState,
  ProtocolMessage,
  ProtocolServer,
  ProtocolSession,
} from "../../../events/contexts/protocol-contexts.ts";
import { requireState } from "./judgement.ts";
import type { NativeCommand } from "./outbound-events.ts";

/** RFC 5321 §4.5.3.1.4 has 512 bytes; extensions add to it. */
const MAX_COMMAND_CHARS = 2048;
const UNSAFE = /[\p{Cc}\ufffd]/u;

export class CommandDraft implements OutboundCommandContext {
  readonly native: NativeCommand;
  readonly server: ProtocolServer;
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
  nativeCommand: string;
  command: string | undefined;
  blob: Buffer | undefined;
  repeats = false;
  /** Commands of sinks so far, and calls that they wanted again. */
  sent = 0;
  state: OutboundState = "default";
  drops = false;

  constructor(
    native: NativeCommand,
    server: ProtocolServer,
    session: ProtocolSession,
    message: ProtocolMessage,
  ) {
    this.native = native;
    this.server = server;
    this.session = session;
    this.message = message;
    this.nativeCommand = native.line;
  }

  get verb(): string {
    return this.native.verb;
  }

  get recipientIndex(): number | undefined {
    return this.native.recipientIndex;
  }

  /** What a sink that fails has changed does not count. A session that it dropped ends all the same. */
  remember(): () => void {
    const { nativeCommand, command, blob, repeats, state } = this;
    return () => void Object.assign(this, { nativeCommand, command, blob, repeats, state });
  }

  /** What ends a session is not tried again. */
  get comesBack(): boolean {
    return this.native.event !== "OnSessionEnd";
  }

  /** The next sink, or the same one again. */
  begin(): void {
    this.command = undefined;
    this.blob = undefined;
    this.repeats = false;
  }

  setCommand(line: string): void {
    this.command = checked(line);
  }

  appendCommand(text: string): void {
    if (this.command === undefined) this.nativeCommand = checked(this.nativeCommand + text);
    else this.command = checked(this.command + text);
  }

  setBlob(bytes: Buffer): void {
    this.blob = Buffer.from(bytes);
  }

  repeat(): void {
    this.repeats = true;
  }

  changeState(state: OutboundState): void {
    this.state = requireState(state);
  }

  dropSession(): void {
    this.drops = true;
  }
}

/** A line break in a command would be a second command. */
function checked(line: string): string {
  if (line === "" || line.length > MAX_COMMAND_CHARS || UNSAFE.test(line))
    throw new RangeError(
      `not a command: ${JSON.stringify(line.slice(0, 100))} (one line of at most ${MAX_COMMAND_CHARS} characters)`,
    );
  return line;
}
