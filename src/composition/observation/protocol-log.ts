// The protocol log of one virtual server: what clients and next hops say, a line each, in the fields of IIS (REFERENCE 6.1).
// Secrets of AUTH never get there: of its line only the mechanism is written, and nothing of the lines that follow, also where a
// client has not waited for an answer, or not minded it.
import type { Clock } from "../../core/clock.ts";
import type { W3cField } from "../../core/w3c-fields.ts";
import type { RotatingLog } from "../../observe/rotating-log.ts";
import { type W3cValues, w3cLine } from "../../observe/w3c-log.ts";
import type { PeerReply } from "../../smtp/client/reply-reader.ts";
import type { WireEnds, WireLog } from "../../smtp/client/wire-log.ts";
import type { Exchange, SessionLog } from "../../smtp/server/session-watch.ts";

const CONTINUE = 334;
/** To what is no command, and to one too many of these. */
const NO_COMMAND: ReadonlySet<number> = new Set([500, 421]);
/** RFC 4422 §3.1. */
const MECHANISM = /^[A-Z\d_-]{1,20}$/;
const HIDDEN = "***";
/** The names that IIS gave the two directions of an outbound connection, in the place of the client's name. */
const OUT_COMMAND = "OutboundConnectionCommand";
const OUT_RESPONSE = "OutboundConnectionResponse";

export interface ProtocolLogParts {
  readonly site: string;
  readonly hostName: string;
  readonly fields: readonly W3cField[];
  readonly log: RotatingLog;
  readonly clock: Clock;
}

export class ProtocolLog implements SessionLog, WireLog {
  readonly #parts: ProtocolLogParts;
  /** Connections in the middle of AUTH. */
  readonly #authenticating = new WeakSet<WireEnds>();
  /** Sessions whose last command was an AUTH that we refused: what comes now may be a name or a password. */
  readonly #refused = new WeakSet<object>();

  constructor(parts: ProtocolLogParts) {
    this.#parts = parts;
  }

  exchanged(said: Exchange): void {
    const isAuth = /^AUTH/i.test(said.verb === "" ? said.argument.trimStart() : said.verb);
    const isSecret = !isAuth && NO_COMMAND.has(said.code) && this.#refused.has(said.session);
    if (isAuth && said.code >= 400) this.#refused.add(said.session);
    else if (!isSecret) this.#refused.delete(said.session);
    const argument = isAuth ? mechanismOf(said.verb === "AUTH" ? said.argument : HIDDEN) : said.argument;
    this.#write({
      "c-ip": said.client,
      "cs-username": said.user ?? said.heloDomain,
      "s-ip": said.local,
      "s-port": said.localPort,
      "cs-method": isSecret ? HIDDEN : isAuth ? "AUTH" : said.verb,
      "cs-uri-query": isSecret ? "" : argument,
      "sc-status": said.code,
      "sc-bytes": said.reply.length + 2,
      "cs-bytes": said.bytesIn,
      "time-taken": Math.round(said.elapsedMs),
    });
  }

  sent(wire: WireEnds, lines: string): void {
    for (const line of lines.split("\r\n")) {
      if (line === "" || line === ".") continue;
      const isSecret = this.#authenticating.has(wire);
      const space = line.indexOf(" ");
      const verb = isSecret ? HIDDEN : space < 0 ? line : line.slice(0, space);
      const isAuth = verb.toUpperCase() === "AUTH";
      const argument = isSecret || space < 0 ? "" : line.slice(space + 1);
      if (isAuth) this.#authenticating.add(wire);
      this.#write({
        ...ends(wire, OUT_COMMAND),
        "cs-method": verb,
        "cs-uri-query": isAuth ? mechanismOf(argument) : argument,
        "sc-status": 0,
        "sc-bytes": 0,
        "cs-bytes": line.length + 2,
        "time-taken": 0,
      });
    }
  }

  received(wire: WireEnds, { code, text, lines }: PeerReply): void {
    if (code !== CONTINUE) this.#authenticating.delete(wire);
    const said = lines.length > 0 ? lines.join(" ") : text;
    this.#write({
      ...ends(wire, OUT_RESPONSE),
      "cs-method": "",
      "cs-uri-query": code === CONTINUE ? `${code}` : `${code} ${said}`,
      "sc-status": code,
      "sc-bytes": said.length + 6,
      "cs-bytes": 0,
      "time-taken": 0,
    });
  }

  #write(values: W3cValues): void {
    const { site, hostName, fields, log, clock } = this.#parts;
    const now = clock.now();
    const all = { ...values, "s-sitename": site, "s-computername": hostName, "cs-version": "SMTP" };
    log.write(w3cLine(fields, now, all), now);
  }
}

function mechanismOf(argument: string): string {
  const mechanism = (argument.split(" ")[0] ?? "").toUpperCase();
  return mechanism === "" || MECHANISM.test(mechanism) ? mechanism : HIDDEN;
}

/** As in IIS the port is that of the server, which the next hop is here. */
function ends({ remoteAddress, remotePort, localAddress }: WireEnds, name: string): W3cValues {
  return { "c-ip": remoteAddress, "cs-username": name, "s-ip": localAddress, "s-port": remotePort };
}
