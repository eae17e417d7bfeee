// The AUTH dialogue of one session (RFC 4954 §4): challenges, the check, and the price of a wrong password.
import { describeError } from "../../../core/errors.ts";
import { reply } from "../../../core/reply.ts";
import {
  type Credentials,
  decodeAccessToken,
  decodePlain,
  decodeToken,
  decodeUserName,
} from "./authentication.ts";
import { INVALID_ARGUMENTS, UNSAFE_LINE, shortAscii } from "../replies.ts";
import type { SessionParts } from "../session-parts.ts";
import type { SessionState } from "../session-state.ts";
import { type PendingVerdict, type Verdict, verdict } from "../verdict.ts";
import type { Wire } from "../wire.ts";

/** Sends a reply and answers the client's next line; undefined when there is none that could be used. */
export type AskLine = (challenge: string) => Promise<string | undefined>;

/** What the client answered, decoded, or why there is no answer. */
type Answer = { readonly token: string } | { readonly verdict: Verdict };

const BAD_TOKEN = verdict(reply(501, "5.2", "Cannot decode response"));
/** Counts as an error of the client, so that a flood of it ends. */
const LOCKED_OUT: Verdict = {
  ...verdict(reply(454, "7.0", "Too many failed authentications from your address, try again later")),
  isError: true,
};
const USER_NAME_CHALLENGE = "334 VXNlcm5hbWU6";
const PASSWORD_CHALLENGE = "334 UGFzc3dvcmQ6";
const TOKEN_REFUSED = `334 ${Buffer.from('{"status":"401","schemes":"bearer"}').toString("base64")}`;

export class AuthExchange {
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #state: SessionState;
  readonly #ask: AskLine;
  /** Of the exchange in hand. */
  #mechanism: string | undefined;
  #failures = 0;

  constructor(parts: SessionParts, wire: Wire, state: SessionState, ask: AskLine) {
    this.#parts = parts;
    this.#wire = wire;
    this.#state = state;
    this.#ask = ask;
  }

  get #hasUsers(): boolean {
    return Object.keys(this.#parts.settings.auth.users).length > 0;
  }

  get #isServed(): boolean {
    return this.#hasUsers || this.#parts.checkAccessToken !== undefined;
  }

  get #isProtected(): boolean {
    return this.#wire.isSecure || this.#parts.settings.auth.allowPlaintext;
  }

  /** What may be used now. */
  get mechanisms(): readonly string[] {
    if (!this.#isProtected) return [];
    const wanted = this.#parts.settings.auth.mechanisms;
    return [
      ...(this.#hasUsers ? ["PLAIN", "LOGIN"] : []),
      ...(this.#parts.checkAccessToken === undefined ? [] : ["XOAUTH2"]),
    ].filter((mechanism) => wanted?.includes(mechanism) ?? true);
  }

  /** `rest` is the mechanism, perhaps with an initial response. */
  begin(rest: string): PendingVerdict {
    if (!this.#isServed) return verdict(reply(502, "5.1", "AUTH is not offered"));
    if (!this.#isProtected)
      return verdict(reply(538, "7.11", "Encryption required for requested authentication mechanism"));
    const [mechanism = "", initial, ...more] = rest.split(" ");
    if (more.length > 0) return verdict(INVALID_ARGUMENTS);
    const name = mechanism.toUpperCase();
    if (!this.mechanisms.includes(name))
      return verdict(reply(504, "5.4", "Unrecognized authentication type"));
    this.#mechanism = name;
    if (name === "XOAUTH2") return this.#accessToken(initial);
    return name === "PLAIN" ? this.#plain(initial) : this.#login(initial);
  }

  async #plain(initial: string | undefined): Promise<Verdict> {
    const answer = initial === undefined ? await this.#answerTo("334 ") : { token: initial };
    if ("verdict" in answer) return answer.verdict;
    const credentials = decodePlain(answer.token);
    return credentials === undefined ? BAD_TOKEN : this.#check(credentials);
  }

  async #login(initial: string | undefined): Promise<Verdict> {
    const first = initial === undefined ? await this.#answerTo(USER_NAME_CHALLENGE) : { token: initial };
    if ("verdict" in first) return first.verdict;
    const user = decodeUserName(first.token);
    if (user === undefined) return BAD_TOKEN;
    const second = await this.#answerTo(PASSWORD_CHALLENGE);
    if ("verdict" in second) return second.verdict;
    const password = decodeToken(second.token);
    return password === undefined ? BAD_TOKEN : this.#check({ user, password });
  }

  async #accessToken(initial: string | undefined): Promise<Verdict> {
    const answer = initial === undefined ? await this.#answerTo("334 ") : { token: initial };
    if ("verdict" in answer) return answer.verdict;
    const credentials = decodeAccessToken(answer.token);
    if (credentials === undefined) return BAD_TOKEN;
    const { checkAccessToken, clock } = this.#parts;
    const settled = await this.#checkWith(credentials.user, () =>
      Promise.resolve(checkAccessToken?.(credentials, clock.now()) ?? false),
    );
    // The client learns why in a challenge, and answers it with an empty line before it hears the refusal.
    if (settled.code === 535) await this.#ask(TOKEN_REFUSED);
    return settled;
  }

  async #answerTo(challenge: string): Promise<Answer> {
    const line = await this.#ask(challenge);
    if (line === undefined) return { verdict: verdict(UNSAFE_LINE) };
    if (line === "*") return { verdict: verdict(reply(501, "7.0", "Authentication cancelled")) };
    return { token: line };
  }

  #check(credentials: Credentials): Promise<Verdict> {
    return this.#checkWith(credentials.user, () => this.#parts.checkCredentials(credentials));
  }

  async #checkWith(user: string, check: () => Promise<boolean>): Promise<Verdict> {
    const { logger, lockout, settings, clock } = this.#parts;
    const address = this.#state.remoteAddress;
    if (!lockout.begin(address, settings.auth.lockout, clock.now())) {
      logger.info({ client: address, user: shortAscii(user) }, "authentication refused: locked out");
      return LOCKED_OUT;
    }
    try {
      if (!(await check())) return await this.#refuse(user);
    } catch (thrown) {
      lockout.forgive(address);
      logger.error({ error: describeError(thrown) }, "authentication check failed");
      return verdict(reply(454, "7.0", "Temporary authentication failure"));
    }
    lockout.forgive(address);
    return verdict(reply(235, "7.0", "Authentication successful"), () =>
      this.#state.setUser(user, this.#mechanism),
    );
  }

  async #refuse(user: string): Promise<Verdict> {
    const { settings, logger, clock } = this.#parts;
    this.#failures++;
    logger.info({ client: this.#state.remoteAddress, user: shortAscii(user) }, "authentication failed");
    await new Promise<void>((resolve) => void clock.after(settings.auth.failureDelayMs, resolve));
    const refusal = verdict(reply(535, "7.8", "Authentication credentials invalid"));
    return this.#failures < settings.auth.maxFailures
      ? refusal
      : { ...refusal, ends: reply(421, "7.0", "Too many failed authentications") };
  }
}
