// The built-in handler of every verb (RFC 5321 §4.1): looks, and answers a verdict. Nothing changes before its effect.
import { canonicalDomain } from "../../core/domain-table.ts";
import { formatReply, reply, type Reply } from "../../core/reply.ts";
import { type AskLine, AuthExchange } from "./authentication/auth-exchange.ts";
import { offeredKeywords } from "./keywords.ts";
import { type Chunk, parseChunk } from "./chunk-command.ts";
import { isForeign, isHeloDomain } from "./line-checks.ts";
import { type MailCommand, parseMail } from "./path-command.ts";
import {
  AUTH_FIRST,
  FOREIGN,
  FRAMING_LOST,
  HELLO_FIRST,
  IN_TRANSACTION,
  INVALID_ARGUMENTS,
  INVALID_DOMAIN,
  NEED_MAIL,
  NEED_RCPT,
  NO_ARGUMENTS,
  SHUTTING_DOWN,
  START_INPUT,
  TLS_FIRST,
  TOO_LARGE,
  UNRECOGNIZED,
  shortAscii,
} from "./replies.ts";
import type { SessionParts } from "./session-parts.ts";
import type { SessionState } from "./session-state.ts";
import type { BareLineEnding } from "./stream-parser.ts";
import { mayWaive, raisedLimit } from "./size-sinks.ts";
import { type ClientFacts, Transaction } from "./transaction.ts";
import { lastVerdict, type PendingVerdict, type Verdict, verdict } from "./verdict.ts";
import type { Wire } from "./wire.ts";
import { parseClientAttributes, XCLIENT_ATTRIBUTES, XFORWARD_ATTRIBUTES } from "./xclient.ts";

/** What a handler may ask of its session beside the reply. */
export interface SessionInput {
  readonly askLine: AskLine;
  /** Takes the next bytes of the client as content of the transaction. */
  readonly readBytes: (count: number) => Promise<void>;
  /** The stage _EOD, with its sinks. */
  readonly endOfData: (bare: BareLineEnding | undefined) => PendingVerdict;
}

export interface Command {
  /** In upper case. */
  readonly verb: string;
  /** The line without its CRLF and trailing blanks. */
  readonly line: string;
  /** What follows the verb. */
  readonly argument: string;
}

const OK = verdict(reply(250, "0.0", "OK"));
const NO_VRFY = verdict(reply(252, "1.5", "Cannot VRFY user, but will take message"));
const HELP_VERBS = "EHLO HELO LHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY ETRN HELP QUIT".split(
  " ",
);
/** RFC 5321 §4.2.4: what is known and not served is answered 502, what is unknown 500. */
const NEVER_SERVED: ReadonlySet<string> = new Set(["EXPN", "TURN", "ATRN", "SEND", "SOML", "SAML"]);
const NOT_SERVED = verdict(reply(502, "5.1", "Command not implemented"));
const IN_CHUNKS = reply(503, "5.1", "This message comes by BDAT");
const NESTED_MAIL = reply(503, "5.2", "Sender already specified");

export class CommandHandlers {
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #state: SessionState;
  readonly #input: SessionInput;
  readonly #auth: AuthExchange;

  constructor(parts: SessionParts, wire: Wire, state: SessionState, input: SessionInput) {
    this.#parts = parts;
    this.#wire = wire;
    this.#state = state;
    this.#input = input;
    this.#auth = new AuthExchange(parts, wire, state, input.askLine);
  }

  handle({ verb, line, argument }: Command): PendingVerdict {
    switch (verb) {
      case "MAIL":
        return this.#mail(line);
      case "RCPT":
        return this.#rcpt(line);
      case "DATA":
        return this.#data(argument);
      case "BDAT":
        return this.#bdat(argument);
      case "EHLO":
      case "HELO":
      case "LHLO":
        return this.#hello(verb, argument);
      case "QUIT":
        return lastVerdict(
          reply(221, "0.0", `${this.#parts.settings.hostName} Service closing transmission channel`),
        );
      default:
        return this.#handleOther(verb, line, argument);
    }
  }

  #handleOther(verb: string, line: string, argument: string): PendingVerdict {
    const { keywords } = this.#parts;
    switch (verb) {
      case "STARTTLS":
        return this.#startTls(argument);
      case "AUTH":
        return this.#authenticate(argument);
      case "RSET":
        return verdict(reply(250, "0.0", "Resetting"), () => this.#state.reset());
      case "NOOP":
        return OK;
      case "XCLIENT":
      case "XFORWARD":
        return this.#proxy(verb, argument);
      case "ETRN":
        return this.#etrn(argument);
      case "VRFY":
        return keywords.has("VRFY") ? NO_VRFY : NOT_SERVED;
      case "HELP":
        return keywords.has("HELP") ? this.#help() : NOT_SERVED;
      default:
        if (NEVER_SERVED.has(verb)) return NOT_SERVED;
        return isForeign(line, this.#state.client === undefined)
          ? lastVerdict(FOREIGN)
          : verdict(UNRECOGNIZED);
    }
  }

  /** _EOD. The content is durable when the verdict is positive: no sink can take that back. */
  endOfData(bare: BareLineEnding | undefined): PendingVerdict {
    const { transaction } = this.#state;
    if (transaction === undefined) return verdict(NEED_MAIL);
    const refusal = transaction.refuseContent(bare);
    if (refusal !== undefined) {
      const fields = { client: this.#state.remoteAddress, reply: formatReply(refusal) };
      this.#parts.logger.info(fields, "message refused");
      return verdict(refusal);
    }
    this.#state.transaction = undefined;
    return transaction.submit(this.#state.takeMessageProperties());
  }

  #hello(verb: "EHLO" | "HELO" | "LHLO", domain: string): Verdict {
    const { settings } = this.#parts;
    // RFC 2033 §4.1: each protocol refuses the hello of the other.
    if ((verb === "LHLO") !== (settings.protocol === "lmtp")) return verdict(UNRECOGNIZED);
    if (!isHeloDomain(domain)) return verdict(INVALID_DOMAIN);
    const isExtended = verb !== "HELO";
    const greeting = `${settings.hostName} Hello [${this.#state.remoteAddress}]`;
    const effect = (): void => this.#state.introduce(domain, isExtended);
    if (!isExtended) return { code: 250, text: `250 ${greeting}`, effect, isError: false };
    const text = `250-${[greeting, ...this.#offer()].join("\r\n250-")}\r\n250 OK`;
    return { code: 250, text, effect, isError: false };
  }

  #offer(): string[] {
    const { keywords, settings } = this.#parts;
    const lines = offeredKeywords(keywords, {
      maxMessageSize: mayWaive(this.#parts.sizeSinks) ? undefined : settings.maxMessageSize,
      isSecure: this.#wire.isSecure,
      canSecure: settings.tls !== undefined,
      mechanisms: this.#state.user === undefined ? this.#auth.mechanisms : [],
    });
    if (this.#mayProxy("XCLIENT")) lines.push(`XCLIENT ${XCLIENT_ATTRIBUTES.join(" ")}`);
    if (this.#mayProxy("XFORWARD")) lines.push(`XFORWARD ${XFORWARD_ATTRIBUTES.join(" ")}`);
    return lines;
  }

  #mail(line: string): PendingVerdict {
    const { client } = this.#state;
    if (client === undefined) return verdict(HELLO_FIRST);
    if (this.#state.isEnding) return lastVerdict(SHUTTING_DOWN);
    if (this.#state.transaction !== undefined) return verdict(NESTED_MAIL);
    const bar = this.#bar;
    if (bar !== undefined) return verdict(bar);
    const { settings, keywords } = this.#parts;
    const { isSecure } = this.#wire;
    const parsed = parseMail(line, { defaultDomain: settings.defaultDomain, keywords, isSecure });
    if (!parsed.ok) return verdict(parsed.reply);
    const mail = parsed.value;
    if (mail.body === "BINARYMIME" && !(keywords.has("BINARYMIME") && keywords.has("CHUNKING")))
      return verdict(INVALID_ARGUMENTS);
    const { maxMessageSize } = settings;
    if (mail.size <= maxMessageSize) return this.#takeSender(client, mail, maxMessageSize);
    const { address, user } = client;
    const { sender, size } = mail;
    const large = {
      stage: "mail",
      server: settings.name,
      client: address,
      user,
      sender,
      recipients: [],
      size,
    } as const;
    const limit = raisedLimit(this.#parts.sizeSinks, large, maxMessageSize);
    const judge = (raised: number): Verdict =>
      size > raised ? verdict(TOO_LARGE) : this.#takeSender(client, mail, raised);
    return limit instanceof Promise ? limit.then(judge) : judge(limit);
  }

  #takeSender(client: ClientFacts, mail: MailCommand, maxBytes: number): Verdict {
    return verdict(
      reply(250, "1.0", `${shortAscii(mail.sender === "" ? "<>" : mail.sender)}....Sender OK`),
      () => {
        this.#state.transaction = new Transaction(this.#parts, client, mail, this.#state.forwarded, maxBytes);
      },
    );
  }

  /** What the client has to do before it may send. */
  get #bar(): Reply | undefined {
    const { tls, auth } = this.#parts.settings;
    if (tls?.required === true && !this.#wire.isSecure) return TLS_FIRST;
    return auth.anonymous === false && this.#state.user === undefined ? AUTH_FIRST : undefined;
  }

  #rcpt(line: string): Verdict {
    const { transaction, client } = this.#state;
    if (transaction === undefined) return verdict(client === undefined ? HELLO_FIRST : NEED_MAIL);
    return transaction.isChunked
      ? verdict(IN_CHUNKS)
      : transaction.judgeRecipient(line, client?.mayRelay === true);
  }

  /** RFC 3030 §2. The conversation sees to it that the bytes of a refused chunk are skipped. */
  #bdat(argument: string): PendingVerdict {
    const { transaction, client } = this.#state;
    const chunk = parseChunk(argument);
    if (!this.#parts.keywords.has("CHUNKING")) return NOT_SERVED;
    if (chunk === undefined) return lastVerdict(FRAMING_LOST);
    if (transaction === undefined) return verdict(client === undefined ? HELLO_FIRST : NEED_MAIL);
    if (!transaction.hasRecipients) return verdict(NEED_RCPT);
    transaction.beginChunk();
    return this.#takeChunk(transaction, chunk);
  }

  async #takeChunk(transaction: Transaction, { size, isLast }: Chunk): Promise<Verdict> {
    await this.#input.readBytes(size);
    if (isLast) return this.#input.endOfData(transaction.bareLineEnding);
    return verdict(transaction.isOversize ? TOO_LARGE : reply(250, "0.0", `${size} octets received`));
  }

  #data(argument: string): Verdict {
    const { transaction } = this.#state;
    const refusal = this.#refusalOfData(argument);
    if (refusal === undefined && transaction !== undefined) {
      return verdict(START_INPUT, () => {
        transaction.beginData();
        this.#wire.expectData();
      });
    }
    return verdict(refusal ?? NEED_MAIL);
  }

  #refusalOfData(argument: string): Reply | undefined {
    const { transaction, client } = this.#state;
    if (argument !== "") return NO_ARGUMENTS;
    if (transaction === undefined) return client === undefined ? HELLO_FIRST : NEED_MAIL;
    if (transaction.isChunked || transaction.isBinary) return IN_CHUNKS;
    return transaction.hasRecipients ? undefined : NEED_RCPT;
  }

  get #hasStartTls(): boolean {
    return this.#parts.settings.tls !== undefined && this.#parts.keywords.has("STARTTLS");
  }

  #startTls(argument: string): Verdict {
    if (argument !== "") return verdict(NO_ARGUMENTS);
    if (this.#wire.isSecure) return verdict(reply(503, "5.1", "TLS is already in use"));
    if (!this.#hasStartTls) return verdict(reply(502, "5.1", "STARTTLS is not offered"));
    return verdict(reply(220, "0.0", "Ready to start TLS"), () => {
      this.#state.forgetClient();
      this.#wire.startTls();
    });
  }

  #proxy(verb: "XCLIENT" | "XFORWARD", argument: string): Verdict {
    if (!this.#mayProxy(verb)) return NOT_SERVED;
    if (this.#state.transaction !== undefined) return verdict(IN_TRANSACTION);
    const known = verb === "XCLIENT" ? XCLIENT_ATTRIBUTES : XFORWARD_ATTRIBUTES;
    const attributes = parseClientAttributes(argument, known);
    if (attributes === undefined) return verdict(INVALID_ARGUMENTS);
    if (verb === "XCLIENT")
      return verdict(reply(220, undefined, `${this.#parts.settings.hostName} ESMTP OnArrival ready`), () =>
        this.#state.takeProxied(attributes),
      );
    return verdict(reply(250, "0.0", "OK"), () => {
      this.#state.forwarded = new Map([...(this.#state.forwarded ?? []), ...attributes]);
    });
  }

  /** RFC 5321 §4.1.1.8: what is served here and now. */
  #help(): Verdict {
    const { settings, keywords, startQueues } = this.#parts;
    const isServed: Readonly<Record<string, boolean>> = {
      EHLO: settings.protocol === "smtp",
      HELO: settings.protocol === "smtp",
      LHLO: settings.protocol === "lmtp",
      STARTTLS: this.#hasStartTls && !this.#wire.isSecure,
      AUTH: keywords.has("AUTH") && this.#auth.mechanisms.length > 0,
      BDAT: keywords.has("CHUNKING"),
      ETRN: keywords.has("ETRN") && startQueues !== undefined,
      VRFY: keywords.has("VRFY"),
    };
    const served = HELP_VERBS.filter((verb) => isServed[verb] ?? true);
    return verdict(reply(214, "0.0", served.join(" ")));
  }

  /** The peer of the socket may, whoever it speaks for. */
  #mayProxy(verb: "XCLIENT" | "XFORWARD"): boolean {
    const { mayXclient, mayXforward } = this.#parts;
    return (verb === "XCLIENT" ? mayXclient : mayXforward)(this.#wire.remoteAddress);
  }

  #etrn(argument: string): Verdict {
    const { startQueues, isEtrnDomain, keywords } = this.#parts;
    if (startQueues === undefined || !keywords.has("ETRN")) return NOT_SERVED;
    if (this.#state.client === undefined) return verdict(HELLO_FIRST);
    const bar = this.#bar;
    if (bar !== undefined) return verdict(bar);
    if (this.#state.transaction !== undefined) return verdict(IN_TRANSACTION);
    const asked = parseEtrn(argument);
    if (asked === undefined) return verdict(INVALID_DOMAIN);
    const { node, domain } = asked;
    if (!mayAsk(asked, isEtrnDomain)) return verdict(reply(459, "7.1", `Node ${node} not allowed`));
    const isSubdomain = (other: string): boolean => other.endsWith(`.${domain}`) && isEtrnDomain(other);
    const started = startQueues(
      (other) => (other === domain && isEtrnDomain(domain)) || (asked.option === "@" && isSubdomain(other)),
    );
    return verdict(etrnReply(node, started));
  }

  #authenticate(argument: string): PendingVerdict {
    const { client, isExtended, user, transaction } = this.#state;
    if (!this.#parts.keywords.has("AUTH")) return NOT_SERVED;
    if (client === undefined || !isExtended) return verdict(reply(503, "5.1", "Send EHLO first"));
    if (user !== undefined) return verdict(reply(503, "5.1", "Already authenticated"));
    if (this.#parts.settings.tls?.required === true && !this.#wire.isSecure) return verdict(TLS_FIRST);
    if (transaction !== undefined) return verdict(IN_TRANSACTION);
    return this.#auth.begin(argument);
  }
}

/** RFC 1985 §5. "@" means the subdomains as well, "#" a queue by its name, of which clients know none. */
interface AskedNode {
  readonly node: string;
  readonly option: string;
  readonly domain: string;
}

function parseEtrn(argument: string): AskedNode | undefined {
  const [, option = "", name = ""] = /^([@#]?)([a-z0-9.-]+)$/i.exec(argument.trim()) ?? [];
  const domain = canonicalDomain(name);
  return domain === "" ? undefined : { node: option + domain, option, domain };
}

const mayAsk = ({ option, domain }: AskedNode, isListed: (domain: string) => boolean): boolean =>
  option !== "#" && (isListed(domain) || (option === "@" && isListed(`*.${domain}`)));

/** `messages`: undefined when it cannot be told yet how many they are. */
function etrnReply(node: string, messages: number | undefined): Reply {
  if (messages === undefined) return reply(250, "0.0", `OK, queuing for node ${node} started`);
  if (messages === 0) return reply(251, "0.0", `OK, no messages waiting for node ${node}`);
  return reply(253, "0.0", `OK, ${messages} pending messages for node ${node} started`);
}
