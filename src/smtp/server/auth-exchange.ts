// The AUTH dialogue of one session (RFC 4954 §4): challenges, the check, and the price of a wrong password.
import { describeError } from "../../core/errors.ts";
import { reply, type Reply } from "../../core/reply.ts";
import { type Credentials, decodePlain, decodeToken, decodeUserName } from "./authentication.ts";
import { printable, type SessionParts } from "./session-parts.ts";
import type { Wire } from "./wire.ts";

interface AuthOutcome {
  finish(verdict: Reply): void;
  accept(user: string): void;
  /** The reply after which the session ends. */
  end(verdict: Reply): void;
}

type NextLine = (token: string) => void;

const BAD_TOKEN = reply(501, "5.2", "Cannot decode response");
const USER_NAME_CHALLENGE = "334 VXNlcm5hbWU6\r\n";
const PASSWORD_CHALLENGE = "334 UGFzc3dvcmQ6\r\n";

export class AuthExchange {
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #outcome: AuthOutcome;
  #nextLine: NextLine | undefined;
  #isChecking = false;
  #failures = 0;
  #cancelDelay: () => void = () => undefined;

  constructor(parts: SessionParts, wire: Wire, outcome: AuthOutcome) {
    this.#parts = parts;
    this.#wire = wire;
    this.#outcome = outcome;
  }

  get #hasUsers(): boolean {
    return Object.keys(this.#parts.settings.auth.users).length > 0;
  }

  get isOffered(): boolean {
    return this.#hasUsers && (this.#wire.isSecure || this.#parts.settings.auth.allowPlaintext);
  }

  get awaitsLine(): boolean {
    return this.#nextLine !== undefined;
  }

  get isBusy(): boolean {
    return this.#isChecking;
  }

  begin(rest: string): void {
    if (!this.#hasUsers) return this.#outcome.finish(reply(502, "5.1", "AUTH is not offered"));
    if (!this.isOffered)
      return this.#outcome.finish(
        reply(538, "7.11", "Encryption required for requested authentication mechanism"),
      );
    const [mechanism = "", initial, ...more] = rest.split(" ");
    if (more.length > 0) return this.#outcome.finish(reply(501, "5.4", "Invalid arguments"));
    switch (mechanism.toUpperCase()) {
      case "PLAIN":
        return this.#startWith(initial, "334 \r\n", (token) => this.#plain(token));
      case "LOGIN":
        return this.#startWith(initial, USER_NAME_CHALLENGE, (token) => this.#loginUser(token));
      default:
        return this.#outcome.finish(reply(504, "5.4", "Unrecognized authentication type"));
    }
  }

  continueWith(line: string): void {
    const nextLine = this.#nextLine;
    this.#nextLine = undefined;
    if (line === "*") return this.#outcome.finish(reply(501, "7.0", "Authentication cancelled"));
    nextLine?.(line);
  }

  cancel(): void {
    this.#nextLine = undefined;
  }

  /** The client is gone. */
  abandon(): void {
    this.#nextLine = undefined;
    this.#cancelDelay();
  }

  #startWith(initial: string | undefined, challenge: string, step: NextLine): void {
    if (initial !== undefined) step(initial);
    else this.#ask(challenge, step);
  }

  #ask(challenge: string, step: NextLine): void {
    this.#nextLine = step;
    this.#wire.reply(challenge);
  }

  #plain(token: string): void {
    const credentials = decodePlain(token);
    if (credentials === undefined) return this.#outcome.finish(BAD_TOKEN);
    this.#check(credentials);
  }

  #loginUser(token: string): void {
    const user = decodeUserName(token);
    if (user === undefined) return this.#outcome.finish(BAD_TOKEN);
    this.#ask(PASSWORD_CHALLENGE, (answer) => {
      const password = decodeToken(answer);
      if (password === undefined) this.#outcome.finish(BAD_TOKEN);
      else this.#check({ user, password });
    });
  }

  #check(credentials: Credentials): void {
    this.#isChecking = true;
    this.#wire.hold();
    this.#parts.checkCredentials(credentials).then(
      (isRight) => (isRight ? this.#succeed(credentials.user) : this.#fail(credentials.user)),
      (thrown: unknown) => {
        this.#parts.logger.error({ error: describeError(thrown) }, "authentication check failed");
        this.#settle(() => this.#outcome.finish(reply(454, "7.0", "Temporary authentication failure")));
      },
    );
  }

  #succeed(user: string): void {
    this.#settle(() => {
      this.#outcome.accept(user);
      this.#outcome.finish(reply(235, "7.0", "Authentication successful"));
    });
  }

  #fail(user: string): void {
    const { auth } = this.#parts.settings;
    this.#failures++;
    this.#parts.logger.info(
      { client: this.#wire.remoteAddress, user: printable(user) },
      "authentication failed",
    );
    this.#cancelDelay = this.#parts.clock.after(auth.failureDelayMs, () =>
      this.#settle(() => {
        const isLast = this.#failures >= auth.maxFailures;
        const verdict = reply(535, "7.8", "Authentication credentials invalid");
        this.#outcome.finish(verdict);
        if (isLast) this.#outcome.end(reply(421, "7.0", "Too many failed authentications"));
      }),
    );
  }

  #settle(answer: () => void): void {
    this.#isChecking = false;
    answer();
    this.#wire.release();
  }
}
