// What the sessions of one virtual server have seen since its start. Plain fields: a scrape reads them, mail only adds to them.

/** Verbs that have a count of their own; whatever else clients say counts as one. */
const VERBS = [
  "EHLO",
  "HELO",
  "LHLO",
  "MAIL",
  "RCPT",
  "DATA",
  "BDAT",
  "_EOD",
  "RSET",
  "NOOP",
  "QUIT",
  "VRFY",
  "EXPN",
  "HELP",
  "ETRN",
  "AUTH",
  "STARTTLS",
  "XCLIENT",
  "XFORWARD",
];

interface Count {
  count: number;
}

export class SessionCounts {
  accepted = 0;
  /** Refused connections by the limit that they met, or because the server is paused. */
  readonly refused = { connections: 0, address: 0, paused: 0 };
  /** By verb; `_EOD` is the end of data. */
  readonly commands: ReadonlyMap<string, Count> = new Map(VERBS.map((verb) => [verb, { count: 0 }]));
  readonly otherCommands: Count = { count: 0 };
  /** By the first digit of the code. */
  readonly replies = [0, 0, 0, 0, 0, 0];

  command(verb: string): void {
    (this.commands.get(verb) ?? this.otherCommands).count += 1;
  }

  reply(code: number): void {
    const digit = Math.trunc(code / 100);
    this.replies[digit] = (this.replies[digit] ?? 0) + 1;
  }
}
