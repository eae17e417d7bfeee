// The SMTP session (RFC 5321 §4): verbs, their order and their replies. Sockets and framing are behind Wire.
import { formatReply, isPermanent, reply, type Reply } from "../../core/reply.ts";
import { AuthExchange } from "./auth-exchange.ts";
import { isForeign, isHeloDomain, isUnsafe } from "./line-checks.ts";
import { parseMail } from "./path-command.ts";
import {
  FAULT_REPLIES,
  HELLO_FIRST,
  NEED_MAIL,
  NEED_RCPT,
  NO_ARGUMENTS,
  SHUTTING_DOWN,
  START_INPUT,
  TOO_LARGE,
  UNRECOGNIZED,
} from "./replies.ts";
import { printable, type SessionParts } from "./session-parts.ts";
import type { BareLineEnding, FramingFault } from "./stream-parser.ts";
import { traceStart } from "./trace-field.ts";
import { type ClientFacts, Transaction } from "./transaction.ts";
import type { Conversation, Wire } from "./wire.ts";

export class SmtpConversation implements Conversation {
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #onClosed: (conversation: SmtpConversation) => void;
  readonly #refusal: Reply | undefined;
  #isGreeted = false;
  #isClosed = false;
  #isEnding = false;
  #isSubmitting = false;
  #reverseName: string | undefined;
  #isExtended = false;
  /** Absent until HELO or EHLO. */
  #client: ClientFacts | undefined;
  #user: string | undefined;
  #auth: AuthExchange;
  #transaction: Transaction | undefined;
  #errors = 0;
  #junk = 0;
  #sessionBytes = 0;
  #lineSince: number | undefined;
  #cancelGreeting: () => void = () => undefined;

  /** With a `refusal` the client is told so and goes. */
  constructor(
    parts: SessionParts,
    wire: Wire,
    refusal: Reply | undefined,
    onClosed: (conversation: SmtpConversation) => void,
  ) {
    this.#parts = parts;
    this.#wire = wire;
    this.#refusal = refusal;
    this.#onClosed = onClosed;
    this.#auth = new AuthExchange(parts, wire, {
      finish: (verdict) => this.#say(verdict),
      accept: (user) => this.#setUser(user),
      end: (verdict) => this.#sayLast(verdict),
    });
  }

  get remoteAddress(): string {
    return this.#wire.remoteAddress;
  }

  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** No transaction in hand: nothing is lost when the session ends now. */
  get #isIdle(): boolean {
    return this.#transaction === undefined && !this.#isSubmitting && !this.#auth.isBusy;
  }

  onConnect(): void {
    const { settings, clock, lookUpName } = this.#parts;
    if (this.#refusal !== undefined) return this.#sayLast(this.#refusal);
    if (lookUpName !== undefined) {
      this.#wire.hold();
      void lookUpName(this.#wire.remoteAddress).then((name) => this.#greetNamed(name));
    } else if (settings.greetDelayMs === 0) this.#greet();
    if (settings.greetDelayMs > 0)
      this.#cancelGreeting = clock.after(settings.greetDelayMs, () => this.#greetLate());
  }

  #greetNamed(name: string | undefined): void {
    this.#reverseName = name;
    if (this.#parts.settings.greetDelayMs === 0 && !this.#isClosed) this.#greet();
    this.#wire.release();
  }

  /** Outside the parser: what is said leaves with the release of a hold. */
  #greetLate(): void {
    if (this.#isClosed) return;
    this.#wire.hold();
    if (this.#wire.hasPendingInput) this.#refuseEarlyTalker();
    else this.#greet();
    this.#wire.release();
  }

  #greet(): void {
    this.#isGreeted = true;
    this.#wire.reply(`220 ${this.#parts.settings.hostName} ESMTP OnArrival ready\r\n`);
  }

  // Programs that only send and never listen do not wait for a greeting (FAULTS S04).
  #refuseEarlyTalker(): void {
    this.#sayLast(reply(554, "5.0", "Greeting not awaited"));
  }

  onCommand(line: string): void {
    this.#lineSince = undefined;
    if (this.#isClosed) return;
    if (!this.#isGreeted) return this.#refuseEarlyTalker();
    if (isUnsafe(line)) return this.#refuseUnsafe();
    if (this.#auth.awaitsLine) return this.#auth.continueWith(line);
    const text = line.trimEnd();
    const space = text.indexOf(" ");
    const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    this.#dispatch(verb, text, space < 0 ? "" : text.slice(space + 1));
  }

  #dispatch(verb: string, line: string, rest: string): void {
    switch (verb) {
      case "MAIL":
        return this.#mail(line);
      case "RCPT":
        return this.#rcpt(line);
      case "DATA":
        return this.#data(rest);
      case "EHLO":
      case "HELO":
        return this.#hello(rest, verb === "EHLO");
      case "QUIT":
        return this.#sayLast(
          reply(221, "0.0", `${this.#parts.settings.hostName} Service closing transmission channel`),
        );
      case "STARTTLS":
        return this.#startTls(rest);
      case "AUTH":
        return this.#authenticate(rest);
      default:
        return this.#dispatchJunk(verb, line);
    }
  }

  /** Commands that move nothing: harmless one by one, a load by the thousand (FAULTS S05). */
  #dispatchJunk(verb: string, line: string): void {
    const { maxJunkCommands } = this.#parts.settings;
    if (++this.#junk > maxJunkCommands) this.#countError();
    if (this.#isClosed) return;
    switch (verb) {
      case "RSET":
        this.#reset();
        return this.#say(reply(250, "0.0", "Resetting"));
      case "NOOP":
        return this.#say(reply(250, "0.0", "OK"));
      case "VRFY":
        return this.#say(reply(252, "1.5", "Cannot VRFY user, but will take message"));
      case "HELP":
        return this.#say(
          reply(214, "0.0", "HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT HELP VRFY"),
        );
      default:
        if (isForeign(line, this.#client === undefined)) return this.#refuseForeign();
        return this.#say(UNRECOGNIZED);
    }
  }

  #refuseUnsafe(): void {
    if (this.#client === undefined) return this.#refuseForeign();
    this.#say(reply(501, "5.2", "Control characters and bytes that are no UTF-8 are not allowed"));
    // A refused line ends the exchange of AUTH as "*" does.
    this.#auth.cancel();
  }

  #refuseForeign(): void {
    this.#sayLast(reply(554, "5.1", "SMTP is spoken here"));
  }

  #hello(domain: string, isExtended: boolean): void {
    if (!isHeloDomain(domain)) return this.#say(reply(501, "5.4", "Invalid domain name"));
    this.#reset();
    this.#isExtended = isExtended;
    this.#client = this.#factsFor(domain);
    const { settings, keywords } = this.#parts;
    const greeting = `${settings.hostName} Hello [${this.#wire.remoteAddress}]`;
    if (!isExtended) return this.#wire.reply(`250 ${greeting}\r\n`);
    const offered = [greeting, ...keywords];
    if (this.#auth.isOffered && this.#user === undefined) offered.push("AUTH PLAIN LOGIN");
    if (settings.tls !== undefined && !this.#wire.isSecure) offered.push("STARTTLS");
    this.#wire.reply(`250-${offered.join("\r\n250-")}\r\n250 OK\r\n`);
  }

  #factsFor(heloDomain: string): ClientFacts {
    const { settings, relay } = this.#parts;
    const address = this.#wire.remoteAddress;
    const trace = traceStart({
      heloDomain,
      address,
      reverseName: this.#reverseName,
      hostName: settings.hostName,
      isExtended: this.#isExtended,
      isSecure: this.#wire.isSecure,
      isAuthenticated: this.#user !== undefined,
    });
    return { address, heloDomain, user: this.#user, isTrusted: relay.isTrustedAddress(address), trace };
  }

  #mail(line: string): void {
    if (this.#client === undefined) return this.#say(HELLO_FIRST);
    if (this.#isEnding) return this.#sayLast(SHUTTING_DOWN);
    if (this.#transaction !== undefined) return this.#say(reply(503, "5.2", "Sender already specified"));
    const { settings } = this.#parts;
    const parsed = parseMail(line, settings.defaultDomain);
    if (!parsed.ok) return this.#say(parsed.reply);
    if (parsed.value.size > settings.maxMessageSize) return this.#say(TOO_LARGE);
    this.#junk = 0;
    this.#transaction = new Transaction(this.#parts, this.#client, parsed.value);
    this.#wire.reply(
      `250 2.1.0 ${printable(parsed.value.sender === "" ? "<>" : parsed.value.sender)}....Sender OK\r\n`,
    );
  }

  #rcpt(line: string): void {
    if (this.#transaction === undefined)
      return this.#say(this.#client === undefined ? HELLO_FIRST : NEED_MAIL);
    this.#say(this.#transaction.addRecipient(line));
  }

  #data(rest: string): void {
    const transaction = this.#transaction;
    const refusal = this.#refusalOfData(transaction, rest);
    if (refusal !== undefined || transaction === undefined) {
      // What is already here may be the content of a message: it must never run as commands (FAULTS S06).
      if (this.#wire.hasPendingInput)
        return this.#sayLast(reply(554, "5.0", "Data sent before it was asked for"));
      return this.#say(refusal ?? NEED_MAIL);
    }
    transaction.beginData();
    this.#wire.expectData();
    this.#say(START_INPUT);
  }

  #refusalOfData(transaction: Transaction | undefined, rest: string): Reply | undefined {
    if (rest !== "") return NO_ARGUMENTS;
    if (transaction === undefined) return this.#client === undefined ? HELLO_FIRST : NEED_MAIL;
    return transaction.hasRecipients ? undefined : NEED_RCPT;
  }

  onData(chunk: Buffer): Promise<void> | undefined {
    this.#sessionBytes += chunk.length;
    if (this.#sessionBytes > this.#parts.settings.maxSessionSize) {
      this.#sayLast(reply(421, "3.4", "Session size exceeds fixed maximum session size"));
      return undefined;
    }
    return this.#transaction?.add(chunk);
  }

  onDataEnd(bare: BareLineEnding | undefined): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    this.#transaction = undefined;
    const refusal = transaction.refuseContent(bare);
    if (refusal !== undefined) {
      transaction.discard();
      this.#parts.logger.info(
        { client: this.#wire.remoteAddress, reply: formatReply(refusal) },
        "message refused",
      );
      this.#say(refusal);
      return this.#endIfAsked();
    }
    this.#isSubmitting = true;
    this.#wire.hold();
    void transaction.submit().then((verdict) => this.#finishSubmit(verdict));
  }

  #finishSubmit(verdict: Reply): void {
    this.#isSubmitting = false;
    this.#say(verdict);
    this.#endIfAsked();
    this.#wire.release();
  }

  #startTls(rest: string): void {
    if (rest !== "") return this.#say(NO_ARGUMENTS);
    if (this.#wire.isSecure) return this.#say(reply(503, "5.1", "TLS is already in use"));
    if (this.#parts.settings.tls === undefined)
      return this.#say(reply(502, "5.1", "STARTTLS is not offered"));
    this.#say(reply(220, "0.0", "Ready to start TLS"));
    this.#forgetClient();
    this.#wire.startTls();
  }

  /** RFC 3207 §4.2: nothing the client said in the clear counts inside TLS. */
  #forgetClient(): void {
    this.#reset();
    this.#client = undefined;
    this.#user = undefined;
    this.#isExtended = false;
  }

  onSecured(): void {
    this.#forgetClient();
  }

  #authenticate(rest: string): void {
    if (this.#client === undefined || !this.#isExtended)
      return this.#say(reply(503, "5.1", "Send EHLO first"));
    if (this.#user !== undefined) return this.#say(reply(503, "5.1", "Already authenticated"));
    if (this.#transaction !== undefined) return this.#say(reply(503, "5.1", "Not during a mail transaction"));
    this.#auth.begin(rest);
  }

  #setUser(user: string): void {
    this.#user = user;
    if (this.#client !== undefined) this.#client = this.#factsFor(this.#client.heloDomain);
  }

  #reset(): void {
    this.#transaction?.discard();
    this.#transaction = undefined;
  }

  onFault(fault: FramingFault): void {
    this.#sayLast(FAULT_REPLIES[fault]);
  }

  onIdle(): void {
    if (!this.#isSubmitting && !this.#auth.isBusy)
      this.#sayLast(reply(451, "4.2", "Timeout waiting for client input"));
  }

  /** Called now and then: a client that sends a byte every few seconds is never idle (FAULTS S02). */
  checkPace(now: number): void {
    if (this.#transaction?.isTooSlow(now) === true)
      return this.#sayLast(reply(421, "4.2", "Data comes too slowly"));
    if (!this.#wire.isInsideLine) this.#lineSince = undefined;
    else this.#lineSince ??= now;
    if (this.#lineSince !== undefined && now - this.#lineSince > this.#parts.settings.idleTimeoutMs)
      this.onIdle();
  }

  /** Ends the session as soon as its transaction is through. */
  shutDown(): void {
    this.#isEnding = true;
    this.#endIfAsked();
  }

  /** The grace is over. */
  cutOff(): void {
    this.#sayLast(SHUTTING_DOWN);
    this.#wire.destroy();
  }

  #endIfAsked(): void {
    if (this.#isEnding && this.#isIdle) this.#sayLast(SHUTTING_DOWN);
  }

  onClose(): void {
    this.#isClosed = true;
    this.#cancelGreeting();
    this.#auth.abandon();
    this.#reset();
    this.#onClosed(this);
  }

  #say(verdict: Reply): void {
    this.#wire.reply(`${formatReply(verdict)}\r\n`);
    if (isPermanent(verdict)) this.#countError();
  }

  #countError(): void {
    if (++this.#errors >= this.#parts.settings.maxErrors) this.#sayLast(reply(421, "7.0", "Too many errors"));
  }

  #sayLast(verdict: Reply): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (verdict.code !== 221) {
      this.#parts.logger.debug(
        { client: this.#wire.remoteAddress, reply: formatReply(verdict) },
        "session ended by us",
      );
    }
    this.#wire.reply(`${formatReply(verdict)}\r\n`);
    this.#reset();
    this.#wire.close();
  }
}
