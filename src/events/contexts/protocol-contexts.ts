// What sinks of protocol events receive (REFERENCE 3.1 to 3.5), under idiomatic names.
// Called in ascending priority; the built-in handler takes part as if bound at 24575, before sinks of that very priority.
import type { Recipient } from "../../core/envelope.ts";
import type { PropertyValue } from "../../message/properties.ts";

/**
 * What a protocol sink answers: S_OK (0, also nothing) goes on with the next sink and the built-in handler, S_FALSE (1) calls no
 * further sink and not the built-in handler when it has not run, EXPE_S_CONSUMED (2) the same and says that the command is done.
 */
export const protocolResult = { runNext: 0, skipRemaining: 1, consumed: 2 } as const;

export type ProtocolResult = (typeof protocolResult)[keyof typeof protocolResult];

/** A promise is the original's S_PENDING: only this session waits. */
export type ProtocolAnswer = ProtocolResult | undefined | void | Promise<ProtocolResult | undefined | void>;

/**
 * What the original's bag of the virtual server tells of its categorizer (server property ids 2 to 12). Ids 3 (cat flags), 6 (cat
 * schema) and 9 (cat domain) have no member: only their names are known. Nor has 8: nobody is told the password.
 */
export interface ServerCategorizer {
  /** 11: what is asked; undefined: only sinks of OnCategorize are. The original's values are not known. */
  readonly dsType?: "ldap" | "file" | undefined;
  /** 12: the first server of the LDAP directory. */
  readonly dsHost?: string | undefined;
  /** 4: its port. */
  readonly port?: number | undefined;
  /** 7: how we say who we are. The original's values are not known. */
  readonly bindType?: "anonymous" | "simple" | undefined;
  /** 5: as whom. */
  readonly user?: string | undefined;
  /** 10: what is searched. */
  readonly namingContext?: string | undefined;
}

/** The virtual server; its properties live as long as it does. */
export interface ProtocolServer {
  /** The original numbers its virtual servers (server property id 0). */
  readonly name: string;
  /** Server property id 1. */
  readonly defaultDomain: string;
  /** Absent: none is configured (server property id 2, cat enable). */
  readonly categorizer?: ServerCategorizer | undefined;
  /** What sinks keep there. */
  readonly properties: Map<string, unknown>;
}

/** The session; its properties die with the connection. */
export interface ProtocolSession {
  /** A UUID, another one for each connection. */
  readonly id: string;
  /** Our IP address; inbound as the client reached it, after PROXY and XCLIENT. */
  readonly localAddress: string;
  /** Inbound: the client, after PROXY and XCLIENT. Outbound: the next hop. */
  readonly remoteAddress: string;
  /** Inbound: the argument of EHLO or HELO. Outbound: the name of the next hop. */
  readonly remoteName: string | undefined;
  /** Outbound: what the mail was routed to, a domain or a smart host; `remoteName` is one of its hosts. */
  readonly routeAddress: string | undefined;
  /** Whether the session is inside TLS now. */
  readonly isSecure: boolean;
  /** Name of the authenticated user; a sink with a mechanism of its own sets it. */
  userName: string | undefined;
  /** Whether recipients of foreign domains are taken; a sink may grant or refuse it. */
  mayRelay: boolean;
  /** What sinks keep with the session. */
  readonly properties: Map<string, unknown>;
}

/** The message under construction; it grows with the dialogue. */
export interface ProtocolMessage {
  /** Undefined before MAIL; "" is the null sender. */
  readonly sender: string | undefined;
  /** Inbound: those accepted so far. Outbound: those of this transaction. */
  readonly recipients: readonly Recipient[];
  /** Private properties: they stay with the message on its way through the transport. Outbound: a copy for the attempt in hand. Behind the built-in handler of `_EOD` the message is stored: what is set then is kept nowhere. */
  readonly properties: Map<string, PropertyValue>;
}

/** EXPE_*: what became of the command so far. */
export type CommandStatus = "unhandled" | "success" | "transient-failure" | "complete-failure";

export interface ProtocolSubject {
  readonly server: ProtocolServer;
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
}

/** ISmtpInCommandContext (REFERENCE 3.2). Texts of replies hold the code and may hold several lines. */
export interface InboundCommandContext extends ProtocolSubject {
  /** The line as it was received, without its CRLF; "" for _EOD. */
  readonly line: string;
  /** In upper case; "_EOD" at the end of data. */
  readonly verb: string;
  /** What follows the verb. */
  readonly argument: string;
  /** What the built-in handler would reply so far; undefined while it has not run. */
  readonly nativeResponse: string | undefined;
  /** What sinks want to be replied so far; it is sent instead of the built-in reply. */
  readonly response: string | undefined;
  /** What became of the command so far; follows the replies unless it is set. It words the reply when nobody does, and when it is a failure and the reply says yes. */
  status: CommandStatus;
  /** Code used for the state of the session and the log; follows the reply unless it is set. */
  statusCode: number | undefined;
  /** Whether the command counts as an error of the client. */
  protocolError: boolean;
  /** "550 No such user", or several lines "250-…\r\n250 …". Throws RangeError on what is no reply. */
  setResponse(text: string): void;
  /** Adds a line to the reply of the sinks, with its code or without. */
  appendResponse(line: string): void;
  /** Words the reply of the built-in handler anew; sinks behind see it as that one's. */
  setNativeResponse(text: string): void;
  /** Adds a line to the built-in reply: how an EHLO keyword is added ("XFOO" or "250-XFOO"). */
  appendNativeResponse(line: string): void;
  /** The value of a parameter of MAIL or RCPT, taken out before the built-in handler sees it: "" without a value, undefined when absent. */
  takeParameter(keyword: string): string | undefined;
  /** The reply is sent, then the connection is closed. */
  dropSession(): void;
  /**
   * Sends `reply` and waits for the next line of the client, byte for byte without its CRLF (multi-step commands as AUTH). Undefined:
   * the client is gone, or the sink came too late. The time that the client takes counts as the sink's. Throws RangeError for BDAT
   * and _EOD: what comes next is the content of a chunk, or a command that was sent ahead.
   */
  nextLine(reply: string): Promise<Buffer | undefined>;
}

/** PE_STATES: the outbound state machine. */
export type OutboundState =
  | "default"
  | "session-start"
  | "message-start"
  | "per-recipient"
  | "before-data"
  | "session-end";

/**
 * ISmtpOutCommandContext (REFERENCE 3.3). Commands are lines without CRLF; what is no such line throws RangeError. A command that
 * a sink sets is sent when the sink has answered: before the built-in one by sinks before it, behind its reply by sinks after it.
 * With the answer `consumed` it is sent instead of the built-in command, and its reply counts as that one's.
 */
export interface OutboundCommandContext extends ProtocolSubject {
  /** What this sink has set to be sent. */
  readonly command: string | undefined;
  /** What the built-in handler sends, with what sinks have appended so far. */
  readonly nativeCommand: string;
  /** Of the built-in command, in upper case. */
  readonly verb: string;
  /** Index into the recipients of this transaction; OnPerRecipient only. */
  readonly recipientIndex: number | undefined;
  /** Has this line sent, in place of what this sink set before. */
  setCommand(line: string): void;
  /** Appends to the command of this sink when it set one, else to the built-in command, as " XFOO=1". */
  appendCommand(text: string): void;
  /** Bytes sent behind the command of this sink. */
  setBlob(bytes: Buffer): void;
  /** Calls this sink again when its command was answered (EXPE_REPEAT_COMMAND). */
  repeat(): void;
  /** Goes on in another state (EXPE_CHANGE_STATE): "session-start", "message-start", "per-recipient", "before-data", "session-end". Throws RangeError on what is none. */
  changeState(state: OutboundState): void;
  /** Closes the connection at once. */
  dropSession(): void;
}

/** ISmtpServerResponseContext (REFERENCE 3.4). */
export interface ServerResponseContext extends ProtocolSubject {
  /** The command that is answered; "." for the end of data, "AUTH" without what proves who we are, "" for the greeting. */
  readonly command: string;
  /** In upper case; "_EOD" at the end of data, "_GREETING" for the greeting. */
  readonly verb: string;
  /** All its lines with their codes, CRLF between them. */
  readonly response: string;
  /** Three digits, as 250. */
  readonly statusCode: number;
  /** Always false: where a sink sees the replies, each command waits for the reply to the one before. */
  readonly wasPipelined: boolean;
  /** The class by which the reply is judged; may be rewritten (a 452 that is to count as permanent). A challenge of AUTH (334) that counts as a failure ends the session. Throws RangeError on another word. */
  judgement: "success" | "transient-failure" | "complete-failure";
  /** Where to go on when the sinks are through: "default", "session-start", "message-start", "per-recipient", "before-data", "session-end". Throws RangeError on another word. */
  nextState: OutboundState;
  /** Closes the connection at once. */
  dropSession(): void;
}
