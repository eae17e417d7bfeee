// Counts what is said in one session and, when somebody writes a protocol log, tells it there.
import type { SessionParts } from "./session-parts.ts";
import type { SessionState } from "./session-state.ts";

/** A command, or the end of data (`_EOD`), with what was replied to it. Texts are the client's own. */
export interface Exchange {
  /** The same object for all that is said in one session. */
  readonly session: object;
  readonly verb: string;
  readonly argument: string;
  readonly code: number;
  /** Reply lines, CRLF between them. */
  readonly reply: string;
  /** Of the command line or the content. */
  readonly bytesIn: number;
  readonly elapsedMs: number;
  readonly client: string;
  readonly local: string;
  readonly localPort: number;
  readonly heloDomain: string | undefined;
  readonly user: string | undefined;
}

/** Its call is on the path of mail: it must neither throw nor wait. */
export interface SessionLog {
  exchanged(exchange: Exchange): void;
}

/** What we say without being asked: the farewell to a client that is silent, too slow or one too many. */
const UNASKED = "-";

export class SessionWatch {
  readonly #parts: SessionParts;
  readonly #state: SessionState;
  #verb = UNASKED;
  #argument = "";
  #bytesIn = 0;
  #since = 0;

  constructor(parts: SessionParts, state: SessionState) {
    this.#parts = parts;
    this.#state = state;
  }

  began(verb: string, argument: string, bytesIn: number): void {
    this.#parts.counts.command(verb);
    if (this.#parts.sessionLog === undefined) return;
    this.#verb = verb;
    this.#argument = argument;
    this.#bytesIn = bytesIn;
    this.#since = performance.now();
  }

  replied(code: number, reply: string): void {
    const { counts, sessionLog } = this.#parts;
    counts.reply(code);
    if (sessionLog === undefined) return;
    sessionLog.exchanged({
      session: this.#state,
      verb: this.#verb,
      argument: this.#argument,
      code,
      reply,
      bytesIn: this.#bytesIn,
      elapsedMs: this.#verb === UNASKED ? 0 : performance.now() - this.#since,
      client: this.#state.remoteAddress,
      local: this.#state.localAddress,
      localPort: this.#state.localPort,
      heloDomain: this.#state.client?.heloDomain,
      user: this.#state.user,
    });
    this.#verb = UNASKED;
    this.#argument = "";
    this.#bytesIn = 0;
  }
}
