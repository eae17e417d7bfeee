// What a listener offers at EHLO of the extensions that it serves (the original's SmtpInboundCommandSupportOptions, REFERENCE 3.8).
import { KEYWORDS, type Keyword } from "../../core/esmtp-keywords.ts";

/** Served without being announced: nobody decides anything by them. */
const UNANNOUNCED: ReadonlySet<Keyword> = new Set(["VRFY", "HELP"]);

/** What decides at each EHLO whether a keyword is offered then. */
export interface OfferFacts {
  /** Undefined: a sink may let larger messages pass. */
  readonly maxMessageSize: number | undefined;
  readonly isSecure: boolean;
  readonly canSecure: boolean;
  /** Mechanisms that the client may use now; empty when it may not or has already authenticated. */
  readonly mechanisms: readonly string[];
}

export function offeredKeywords(enabled: ReadonlySet<Keyword>, facts: OfferFacts): string[] {
  const lines: string[] = [];
  for (const keyword of KEYWORDS) {
    if (!enabled.has(keyword) || UNANNOUNCED.has(keyword)) continue;
    const line = offer(keyword, enabled, facts);
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

function offer(keyword: Keyword, enabled: ReadonlySet<Keyword>, facts: OfferFacts): string | undefined {
  // RFC 1870 §4: a client that reads a limit sends nothing larger, and no sink could be asked.
  if (keyword === "SIZE") return facts.maxMessageSize === undefined ? "SIZE" : `SIZE ${facts.maxMessageSize}`;
  if (keyword === "AUTH")
    return facts.mechanisms.length > 0 ? `AUTH ${facts.mechanisms.join(" ")}` : undefined;
  return isOffered(keyword, enabled, facts) ? keyword : undefined;
}

function isOffered(keyword: Keyword, enabled: ReadonlySet<Keyword>, facts: OfferFacts): boolean {
  if (keyword === "STARTTLS") return facts.canSecure && !facts.isSecure;
  // RFC 3030 §3: without chunks binary content cannot be sent.
  if (keyword === "BINARYMIME") return enabled.has("CHUNKING");
  // RFC 8689 §2: only where the session is protected.
  return keyword !== "REQUIRETLS" || facts.isSecure;
}
