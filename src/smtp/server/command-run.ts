// One command on its way past the sinks of OnInboundCommand and the built-in handler (REFERENCE 3.2, "Chaining of responses").
import { reply, type Reply } from "../../core/reply.ts";
import {
  type ProtocolChain,
  type ProtocolOutcome,
  type ProtocolRunParts,
  type VerbSinks,
  runProtocolSinks,
  type Undoable,
} from "../../events/protocol-chain.ts";
import {
  type CommandStatus,
  type InboundCommandContext,
  type ProtocolMessage,
  type ProtocolServer,
  type ProtocolSession,
  protocolResult,
} from "../../events/contexts/protocol-contexts.ts";
import type { Command } from "./command-handlers.ts";
import { takeParameter } from "./path-command.ts";
import { LOCAL_FAULT, START_INPUT, UNRECOGNIZED } from "./replies.ts";
import { formatReplyText, parseReplyLine, parseReplyText, type ReplyText } from "./reply-text.ts";
import { type PendingVerdict, type Verdict, verdict } from "./verdict.ts";

/** What the sinks of one listener need. */
export interface InboundProtocol extends ProtocolRunParts {
  /** The sinks that are live now. */
  readonly chain: () => ProtocolChain<InboundCommandContext>;
  readonly server: ProtocolServer;
}

export interface CommandSubject {
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
  readonly nextLine: (reply: string) => Promise<Buffer | undefined>;
}

const DEFAULT_REPLIES: Readonly<Record<CommandStatus, Reply>> = {
  unhandled: UNRECOGNIZED,
  success: reply(250, "0.0", "OK"),
  "transient-failure": LOCAL_FAULT,
  "complete-failure": reply(550, "7.1", "Command refused"),
};

const GO_AHEAD: Readonly<Record<string, number>> = { DATA: START_INPUT.code, STARTTLS: 220 };

/**
 * RFC 3030 §4.2: clients send the next chunk without a look at the reply. Were its first line taken for the answer, the rest of
 * its content would run as commands (FAULTS S06).
 */
const NO_LINES_BEHIND: ReadonlySet<string> = new Set(["BDAT", "_EOD"]);

export class CommandRun implements InboundCommandContext, Undoable {
  readonly server: ProtocolServer;
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
  status: CommandStatus = "unhandled";
  statusCode: number | undefined;
  /** As sinks before the built-in handler leave it. */
  #command: Command;
  readonly argument: string;
  /** What sinks read or changed of the built-in reply; taken apart only for them. */
  #native: ReplyText | undefined;
  #nativeVerdict: Verdict | undefined;
  #response: ReplyText | undefined;
  #isNativeChanged = false;
  #protocolError: boolean | undefined;
  #drops = false;
  #isOver = false;
  readonly #nextLine: CommandSubject["nextLine"];
  readonly #protocol: InboundProtocol;
  readonly #sinks: VerbSinks<InboundCommandContext>;
  readonly #handle: (command: Command) => PendingVerdict;

  constructor(
    protocol: InboundProtocol,
    sinks: VerbSinks<InboundCommandContext>,
    command: Command,
    subject: CommandSubject,
    handle: (command: Command) => PendingVerdict,
  ) {
    this.server = protocol.server;
    this.session = subject.session;
    this.message = subject.message;
    this.#nextLine = subject.nextLine;
    this.#command = command;
    this.argument = command.argument;
    this.#protocol = protocol;
    this.#sinks = sinks;
    this.#handle = handle;
  }

  /** A promise only when a sink or the built-in handler needs time. */
  run(): PendingVerdict {
    const before = this.#callSinks(this.#sinks.before);
    return before instanceof Promise ? before.then((outcome) => this.#goOn(outcome)) : this.#goOn(before);
  }

  #goOn(before: ProtocolOutcome): PendingVerdict {
    if (before !== protocolResult.runNext) return this.#conclude(before);
    const native = this.#callNative();
    return native instanceof Promise ? native.then(() => this.#finish()) : this.#finish();
  }

  #finish(): PendingVerdict {
    const after = this.#callSinks(this.#sinks.after);
    return after instanceof Promise
      ? after.then((outcome) => this.#conclude(outcome))
      : this.#conclude(after);
  }

  #callSinks(sinks: VerbSinks<InboundCommandContext>["before"]): ProtocolOutcome | Promise<ProtocolOutcome> {
    return sinks.length === 0
      ? protocolResult.runNext
      : runProtocolSinks(
          this.#protocol,
          sinks,
          this,
          this.verb,
          this.#sinks.haveRules ? ruleArgument(this.verb, this.argument) : "",
        );
  }

  /** What a sink that fails has changed does not count. A session that it dropped ends all the same. */
  remember(): () => void {
    const { status, statusCode } = this;
    const command = this.#command;
    const native = this.#native;
    const isChanged = this.#isNativeChanged;
    const response = this.#response;
    const protocolError = this.#protocolError;
    return () => {
      this.status = status;
      this.statusCode = statusCode;
      this.#command = command;
      this.#native = native;
      this.#isNativeChanged = isChanged;
      this.#response = response;
      this.#protocolError = protocolError;
    };
  }

  get comesBack(): boolean {
    return !stands(this.#nativeVerdict);
  }

  #callNative(): undefined | Promise<void> {
    const native = this.#handle(this.#command);
    if (native instanceof Promise) return native.then((settled) => this.#noteNative(settled));
    this.#noteNative(native);
    return undefined;
  }

  #noteNative(native: Verdict): void {
    this.#nativeVerdict = native;
    this.#native = undefined;
    this.#isNativeChanged = false;
    // A sink that said yes before the built-in handler said no would have mail vanish: the client hears the no.
    if (native.code >= 400 && this.#response !== undefined && this.#response.code < 400) {
      this.#response = undefined;
      this.status = "unhandled";
    }
    if (this.status === "unhandled") this.status = statusOf(native.code);
  }

  #conclude(outcome: ProtocolOutcome): Verdict {
    this.#isOver = true;
    const native = this.#nativeVerdict;
    if (outcome === "faulted" && !stands(native)) return { ...verdict(LOCAL_FAULT), ends: this.#drops };
    if (native !== undefined && this.#isUntouched(native)) return native;
    const text = this.#response ?? this.#nativeText;
    if (text === undefined) return { ...verdict(DEFAULT_REPLIES[this.status]), ends: this.#drops };
    if (native?.isDurable === true && text.code >= 400) return { ...native, ends: this.#drops };
    if (text.code < 300 && native?.isDurable !== true && this.#fails(text.code)) return this.#unworded();
    return this.#answerWith(text, native);
  }

  /** Sinks made a failure of what is worded as a success: a client that heard the yes would take its mail for delivered. */
  #unworded(): Verdict {
    const { status, statusCode = 0 } = this;
    const isFailure = status === "transient-failure" || status === "complete-failure";
    return { ...verdict(DEFAULT_REPLIES[isFailure ? status : statusOf(statusCode)]), ends: this.#drops };
  }

  /** Most sinks look on most of the time. */
  #isUntouched({ code }: Verdict): boolean {
    const isWorded =
      this.#response !== undefined || this.#isNativeChanged || this.#protocolError !== undefined;
    return !isWorded && !this.#drops && this.statusCode === undefined && this.status === statusOf(code);
  }

  get #nativeText(): ReplyText | undefined {
    if (this.#native === undefined && this.#nativeVerdict !== undefined)
      this.#native = nativeText(this.#nativeVerdict);
    return this.#native;
  }

  #answerWith(text: ReplyText, native: Verdict | undefined): Verdict {
    const isNative = this.#response === undefined && native !== undefined;
    const fails = this.#fails(text.code);
    if (this.#isOutOfStep(text.code, fails)) return { ...verdict(LOCAL_FAULT), ends: this.#drops };
    return {
      code: this.statusCode ?? text.code,
      text: isNative && !this.#isNativeChanged ? native.text : formatReplyText(text),
      effect: fails ? undefined : native?.effect,
      ends: this.#drops || endOf(native, fails),
      isDurable: native?.isDurable,
      isError: this.#protocolError ?? (isNative ? native.isError : text.code >= 500),
    };
  }

  /**
   * What the client does next hangs on the reply to DATA and STARTTLS: content and handshakes must be awaited by both sides or
   * by none, else content runs as commands (FAULTS S06). No other command ends with a reply of class 3.
   */
  #isOutOfStep(code: number, fails: boolean): boolean {
    const go = GO_AHEAD[this.verb];
    const isGo = go === undefined ? code >= 300 && code < 400 : code < 400;
    const goesOn = go !== undefined && !fails && this.#nativeVerdict?.code === go && code === go;
    if (!isGo || goesOn) return false;
    this.#protocol.log.error(
      { verb: this.verb, code },
      "reply of a protocol sink refused: it would be out of step",
    );
    return true;
  }

  #fails(replyCode: number): boolean {
    const code = this.statusCode ?? replyCode;
    return code >= 400 || this.status === "transient-failure" || this.status === "complete-failure";
  }

  // ---- what sinks see and do ----

  get verb(): string {
    return this.#command.verb;
  }

  get line(): string {
    return this.#command.line;
  }

  get nativeResponse(): string | undefined {
    const text = this.#nativeText;
    return text === undefined ? undefined : formatReplyText(text);
  }

  get response(): string | undefined {
    return this.#response === undefined ? undefined : formatReplyText(this.#response);
  }

  get protocolError(): boolean {
    return this.#protocolError ?? this.#nativeVerdict?.isError ?? false;
  }

  set protocolError(value: boolean) {
    this.#protocolError = value;
  }

  setResponse(text: string): void {
    this.#response = parseReplyText(text);
    this.status = statusOf(this.#response.code);
  }

  appendResponse(line: string): void {
    this.#response = appended(this.#response, line, this.statusCode);
  }

  setNativeResponse(text: string): void {
    this.#native = parseReplyText(text);
    this.#isNativeChanged = true;
  }

  appendNativeResponse(line: string): void {
    this.#native = appended(this.#nativeText, line, this.statusCode);
    this.#isNativeChanged = true;
  }

  takeParameter(keyword: string): string | undefined {
    const { verb } = this;
    const taken = takeParameter(this.#command.line, keyword);
    if (taken === undefined) return undefined;
    const { line } = taken;
    this.#command = { verb, line, argument: line.slice(verb.length + 1) };
    return taken.value;
  }

  /** A sink that comes too late finds its command over: the next line belongs to another one. */
  nextLine(text: string): Promise<Buffer | undefined> {
    if (NO_LINES_BEHIND.has(this.verb)) throw new RangeError(`no line can be asked for at ${this.verb}`);
    return this.#isOver ? Promise.resolve(undefined) : this.#nextLine(text);
  }

  dropSession(): void {
    this.#drops = true;
  }
}

/** What is durable stays accepted, whatever fails afterwards; so may a client leave that wants to. */
const stands = (native: Verdict | undefined): boolean =>
  native !== undefined && native.code < 400 && (native.isDurable === true || native.ends === true);

/** The end that the built-in handler wanted, unless sinks made a success of its failure or the other way round. */
const endOf = (native: Verdict | undefined, fails: boolean): Verdict["ends"] =>
  native !== undefined && fails === native.code >= 400 ? native.ends : false;

const statusOf = (code: number): CommandStatus =>
  code >= 500 ? "complete-failure" : code >= 400 ? "transient-failure" : "success";

/** The rows of a built-in reply are well-formed, but may hold more than sinks may write (UTF-8). */
function nativeText({ code, text }: Verdict): ReplyText {
  return { code, lines: text.split("\r\n").map((row) => row.slice(4)) };
}

function appended(to: ReplyText | undefined, line: string, statusCode: number | undefined): ReplyText {
  if (to === undefined && /^[2-5]\d\d[ -]/.test(line)) return parseReplyText(line);
  const code = to?.code ?? statusCode ?? 250;
  const lines = [...(to?.lines ?? [])];
  // The last line of EHLO is "OK"; keywords stand before it.
  const place = lines.at(-1) === "OK" ? lines.length - 1 : lines.length;
  lines.splice(place, 0, parseReplyLine(line, code));
  return { code, lines };
}

/** What rules match: the address of MAIL and RCPT, else all that follows the verb. */
function ruleArgument(verb: string, argument: string): string {
  if (verb !== "MAIL" && verb !== "RCPT") return argument;
  const start = argument.indexOf("<");
  const end = argument.lastIndexOf(">");
  return start < 0 || end < start ? argument : argument.slice(start + 1, end);
}
