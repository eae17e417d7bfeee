// A next hop that answers each command at most once, by chance with any reply, half a reply or none, and knows whom it has confirmed.
import {
  type Answer,
  DROP,
  type PeerScript,
  type PeerSession,
  type Said,
  STALL,
} from "../unit/smtp/client/support.ts";

const CODES = [
  220, 235, 250, 251, 299, 334, 354, 421, 450, 451, 452, 500, 501, 502, 503, 504, 550, 552, 554, 555,
];
const KEYWORDS = [
  "PIPELINING",
  "8BITMIME",
  "SIZE 1000000",
  "DSN",
  "CHUNKING",
  "BINARYMIME",
  "XFORWARD ADDR",
  "STARTTLS",
];
const TOKEN = /^Subject: (\S+)/m;
/** What the shares below are of: a reply, hanging up, silence from here on, hanging up in the midst of a reply. */
const REPLY_SHARE = 0.6;
const DROP_SHARE = 0.75;
const STALL_SHARE = 0.85;

export interface HopManner {
  readonly random: () => number;
  /** Which share of its answers is not the usual one. */
  readonly hostility: number;
  readonly isLmtp: boolean;
}

/** One content that the next hop has whole. */
export interface TakenContent {
  readonly token: string;
  /** Those it said yes to, or may have. */
  readonly confirmed: readonly string[];
}

export class RandomHop {
  readonly taken: TakenContent[] = [];
  readonly script: PeerScript;
  readonly #manner: HopManner;
  /** Recipients that it took, of the transaction that is open in a session. */
  readonly #recipients = new Map<PeerSession, string[]>();

  constructor(manner: HopManner) {
    this.#manner = manner;
    const hello = this.#hello();
    const final =
      (kind: "messages" | "chunks"): Answer =>
      (_line, session) =>
        this.#final(session, session[kind].at(-1) ?? "");
    this.script = {
      answers: {
        greeting: this.#answer("220 hop.example"),
        EHLO: hello,
        LHLO: hello,
        MAIL: this.#answer("250 2.1.0 Ok"),
        RCPT: this.#answer("250 2.1.5 Ok", (line, session, said) => this.#addRecipient(line, session, said)),
        DATA: (line, session) =>
          this.#said(session, this.#of(session).length > 0 ? "354 go" : "503 5.5.1 no"),
        RSET: this.#answer("250 2.0.0 Ok", (_line, session) => void this.#recipients.delete(session)),
        XFORWARD: this.#answer("250 2.0.0 Ok"),
        ".": final("messages"),
        BDAT: final("chunks"),
      },
      ...(this.#happens(0.5) ? { splitEvery: 1 + Math.floor(this.#manner.random() * 8) } : {}),
    };
  }

  #happens(share: number): boolean {
    return this.#manner.random() < share;
  }

  #hello(): string {
    const offered = KEYWORDS.filter(() => this.#happens(0.6));
    return ["250-hop.example", ...offered.map((keyword) => `250-${keyword}`), "250 HELP"].join("\r\n");
  }

  #answer(
    usual: string,
    follow?: (line: string, session: PeerSession, said: Said) => void,
  ): (line: string, session: PeerSession) => Said {
    return (line, session) => {
      const said = this.#said(session, usual);
      follow?.(line, session, said);
      return said;
    };
  }

  #said(session: PeerSession, usual: string): Said {
    if (!this.#happens(this.#manner.hostility)) return usual;
    const { random } = this.#manner;
    const kind = random();
    if (kind < REPLY_SHARE) return `${CODES[Math.floor(random() * CODES.length)] ?? 250} by chance`;
    if (kind < DROP_SHARE) return DROP;
    if (kind < STALL_SHARE || session.encrypted) return STALL;
    session.socket.end(usual.slice(0, Math.floor(random() * usual.length)));
    return STALL;
  }

  #addRecipient(line: string, session: PeerSession, said: Said): void {
    const address = /<(.*)>/.exec(line)?.[1];
    if (address !== undefined && typeof said === "string" && said.startsWith("2"))
      this.#recipients.set(session, [...this.#of(session), address]);
  }

  #of(session: PeerSession): readonly string[] {
    return this.#recipients.get(session) ?? [];
  }

  /** LMTP answers once for each recipient (RFC 2033 §4.2). */
  #final(session: PeerSession, content: string): Said {
    const recipients = this.#of(session);
    this.#recipients.delete(session);
    const due = this.#manner.isLmtp ? Math.max(1, recipients.length) : 1;
    const replies: string[] = [];
    let end: Said | undefined;
    // RFC 5321 §3.8: behind 421 nothing is promised to anybody.
    while (end === undefined && replies.length < due && replies.at(-1)?.startsWith("421") !== true) {
      const said = this.#said(session, "250 2.0.0 Ok");
      if (typeof said === "string") replies.push(said);
      else end = said;
    }
    const isYes = (at: number): boolean => replies[this.#manner.isLmtp ? at : 0]?.startsWith("2") === true;
    // Nothing of what it would have said is heard then.
    const confirmed = end === undefined ? recipients.filter((_, at) => isYes(at)) : [];
    this.taken.push({ token: TOKEN.exec(content)?.[1] ?? "", confirmed });
    return end ?? replies.join("\r\n");
  }
}
