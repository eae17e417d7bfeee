// From a list of hosts to a connection that is ready for mail: connect, greeting, EHLO, STARTTLS, AUTH, top to bottom.
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { domainFlag } from "../../events/contexts/domain-contexts.ts";
import { isPermanent, isPositive, ownReply, type Reply } from "../../core/reply.ts";
import { authenticate } from "./authentication.ts";
import type { DestinationSettings, NextHop } from "./destination.ts";
import { NEEDS_TLS } from "./envelope-commands.ts";
import { NO_EXTENSIONS, parseExtensions, type PeerExtensions, type PeerTrust } from "./extensions.ts";
import { plain } from "./sinks/judgement.ts";
import { ENDED_BY_SINK, type OutboundEvents, SINK_FAILED } from "./sinks/outbound-events.ts";
import { noMessage } from "./sinks/outbound-session.ts";
import type { PeerReply } from "./reply-reader.ts";
import { SessionWatchers } from "./sinks/session-watchers.ts";
import type { Wire } from "./wire.ts";

/** A host that was connected to, and who watches what is said. */
interface Reached {
  readonly wire: Wire;
  readonly watchers: SessionWatchers;
}

export interface OpenSession extends Reached {
  readonly kind: "open";
  readonly extensions: PeerExtensions;
}

export interface RefusedSession {
  readonly kind: "refused";
  /** What the peer answered, or our 4.x.x for what happened. */
  readonly reply: Reply;
  readonly remote: string;
}

/** Makes a wire; the caller sees to its deadlines until it is closed. */
export type WireMaker = (hop: NextHop, address: string) => Wire;

export interface OpeningContext {
  readonly settings: DestinationSettings;
  readonly makeWire: WireMaker;
  /** Nobody waits for the session any more: no further host is tried. */
  readonly isGivenUp: () => boolean;
  readonly logger: Logger;
  readonly clock: Clock;
}

const ENDED_AUTH = ownReply(454, "7.0", "A sink ended the authentication");

const open = ({ wire, watchers }: Reached, extensions: PeerExtensions): OpenSession => ({
  kind: "open",
  wire,
  watchers,
  extensions,
});

const refused = (wire: Wire, why: Reply): RefusedSession => ({
  kind: "refused",
  reply: why,
  remote: wire.remote,
});

/** RFC 5321 §5.1: the hosts in order, each address once, until one takes us. */
export async function openSession(given: OpeningContext): Promise<OpenSession | RefusedSession> {
  const context = flagged(given);
  const { nextHops, maxAddresses } = context.settings;
  let failure: RefusedSession | undefined;
  for (const [hop, address] of candidates(nextHops).slice(0, maxAddresses)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    const opening = await openHost(context, hop, address);
    if (opening.kind === "open" || context.isGivenUp()) return opening;
    context.logger.info({ remote: opening.remote, reply: opening.reply }, "host refused or not reached");
    // Any host that may take the mail later outweighs those that never will.
    if (failure === undefined || isPermanent(failure.reply)) failure = opening;
  }
  return failure ?? { kind: "refused", reply: ownReply(451, "4.4", "The next hop has no host"), remote: "" };
}

/** The settings with what the flags of the domain ask for. They make TLS stricter, never looser. */
function flagged(context: OpeningContext): FlaggedContext {
  const flags = context.settings.domainFlags?.() ?? 0;
  const { tls } = context.settings;
  if ((flags & domainFlag.requireTls) === 0 || tls.mode === "required") return { ...context, flags };
  const required = { ...tls, mode: "required", clearAfterFailure: false } as const;
  return { ...context, flags, settings: { ...context.settings, tls: required } };
}

interface FlaggedContext extends OpeningContext {
  /** Bits of `domainFlag`. */
  readonly flags: number;
}

/** What the peer offers, without what the settings and the flags of its domain rule out. */
function offeredBy(ehlo: PeerReply, wire: Wire, { settings, flags }: FlaggedContext): PeerExtensions {
  const offered = parseExtensions(ehlo, trustIn(wire, settings.dialect), settings.keywords);
  const rulesOut = (flag: number): boolean => (flags & flag) !== 0;
  return {
    ...offered,
    chunking: offered.chunking && !rulesOut(domainFlag.noChunking),
    binaryMime: offered.binaryMime && !rulesOut(domainFlag.noBinaryMime),
    dsn: offered.dsn && !rulesOut(domainFlag.noDsn),
    pipelining: offered.pipelining && settings.pipelining && !rulesOut(domainFlag.noPipelining),
  };
}

const candidates = (hops: readonly NextHop[]): [NextHop, string][] =>
  hops.flatMap((hop) => (hop.addresses ?? [hop.host]).map((address): [NextHop, string] => [hop, address]));

async function openHost(
  context: FlaggedContext,
  hop: NextHop,
  address: string,
): Promise<OpenSession | RefusedSession> {
  const { tls } = context.settings;
  const wire = context.makeWire(hop, address);
  const clear = await greet(context, wire);
  if (clear.kind === "refused" || tls.mode === "none" || wire.encrypted) return finish(context, clear);
  if (!clear.extensions.startTls) {
    if (tls.mode === "opportunistic") return finish(context, clear);
    return abandon(wire, lacksTls(context, "7.10", "TLS is required and the host does not offer it"));
  }
  let problem = await startTls(context, clear);
  if (clear.watchers.isEnded) return abandon(wire, ENDED_BY_SINK);
  if (problem === undefined) {
    const secured = await hello(context, clear);
    // TLS 1.3: a host that does not like our side of the negotiation hangs up when we have done with it.
    if (tls.mode !== "opportunistic" || !wasLost(secured)) return finish(context, secured);
    problem = secured.reply.text;
  }
  if (tls.mode === "opportunistic" && tls.clearAfterFailure && !context.isGivenUp()) {
    context.logger.warn({ remote: wire.remote, problem }, "TLS failed, going on in clear");
    if (wire.lost === undefined) return finish(context, clear);
    // A negotiation that broke off takes its connection with it.
    return finish(context, await greet(context, context.makeWire(hop, address)));
  }
  return abandon(wire, lacksTls(context, "7.5", `TLS failed: ${problem}`));
}

/** Without an answer: what a host says itself is its own. */
const wasLost = (opening: OpenSession | RefusedSession): opening is RefusedSession =>
  opening.kind === "refused" && opening.reply.code === 421 && opening.reply.own === true;

/** RFC 8689 §4.2.1: for mail with REQUIRETLS a host without it is no host; else what is wrong with TLS may be mended. */
const lacksTls = ({ settings }: OpeningContext, detail: string, text: string): Reply =>
  settings.requireTls === true ? ownReply(550, "7.30", text) : ownReply(451, detail, text);

function abandon(wire: Wire, why: Reply): RefusedSession {
  wire.fail(why.text);
  return refused(wire, why);
}

async function greet(context: FlaggedContext, wire: Wire): Promise<OpenSession | RefusedSession> {
  const watchers = new SessionWatchers(wire, context.settings);
  const said = await wire.ask(undefined);
  const greeting = await judged(watchers, "_GREETING", said);
  if (watchers.isEnded) return abandon(wire, ENDED_BY_SINK);
  const isWelcome = greeting === said ? said.code === 220 : isPositive(greeting);
  return isWelcome ? hello(context, { wire, watchers }) : abandon(wire, asRefusal(greeting, "greeting"));
}

async function hello(context: FlaggedContext, host: Reached): Promise<OpenSession | RefusedSession> {
  const { wire, watchers } = host;
  const events = watchers.of();
  if (events !== undefined) return watchedHello(context, host, events);
  const { heloName, deadlines, dialect } = context.settings;
  const verb = helloOf(context);
  const isPlain = verb === "HELO";
  const ehlo = await wire.ask(`${verb} ${heloName}`, verb, deadlines.commandMs);
  if (ehlo.code === 250) return open(host, isPlain ? NO_EXTENSIONS : offeredBy(ehlo, wire, context));
  // RFC 2033 §4.1: LMTP has neither EHLO nor HELO.
  if (dialect === "lmtp" || isPlain || !isPermanent(ehlo)) return abandon(wire, asRefusal(ehlo, verb));
  // RFC 5321 §3.2: a peer from before 1995.
  const helo = await wire.ask(`HELO ${heloName}`, "HELO", deadlines.commandMs);
  if (helo.code === 250) return open(host, NO_EXTENSIONS);
  return abandon(wire, asRefusal(helo, "HELO"));
}

const trustIn = ({ verified, isOnMachine }: Wire, dialect: DestinationSettings["dialect"]): PeerTrust => ({
  verified,
  staysHere: dialect === "lmtp" && isOnMachine,
});

function helloOf({ settings, flags }: FlaggedContext): "EHLO" | "HELO" | "LHLO" {
  if (settings.dialect === "lmtp") return "LHLO";
  return (flags & domainFlag.heloOnly) === 0 ? "EHLO" : "HELO";
}

/** OnSessionStart: EHLO, or what a sink says instead of it. */
async function watchedHello(
  context: FlaggedContext,
  host: Reached,
  events: OutboundEvents,
): Promise<OpenSession | RefusedSession> {
  const { wire } = host;
  const { heloName, deadlines } = context.settings;
  const verb = helloOf(context);
  const ehlo = { event: "OnSessionStart", verb, line: `${verb} ${heloName}`, argument: heloName } as const;
  const limits = { stage: verb, limitMs: deadlines.commandMs };
  const { reply: answer, failed, state } = await events.perform({ ...ehlo, ...limits }, noMessage());
  if (failed === true) return abandon(wire, SINK_FAILED);
  if (state === "session-end") return abandon(wire, ENDED_BY_SINK);
  if (answer === undefined) return open(host, NO_EXTENSIONS);
  if (answer.code === 250)
    return open(host, verb === "HELO" ? NO_EXTENSIONS : offeredBy(answer, wire, context));
  if (verb !== "EHLO" || !isPermanent(answer)) return abandon(wire, asRefusal(answer, verb));
  // RFC 5321 §3.2, as without sinks.
  const bare = { verb: "HELO", argument: heloName, stage: "HELO", limitMs: deadlines.commandMs };
  const helo = await events.send(`HELO ${heloName}`, bare, noMessage());
  if (helo.state === "session-end") return abandon(wire, ENDED_BY_SINK);
  if (helo.reply.code !== 250) return abandon(wire, asRefusal(helo.reply, "HELO"));
  return open(host, NO_EXTENSIONS);
}

async function startTls(
  { settings }: OpeningContext,
  { wire, watchers }: Reached,
): Promise<string | undefined> {
  const { deadlines, tls } = settings;
  const said = await wire.ask("STARTTLS", "STARTTLS", deadlines.commandMs);
  const answer = await judged(watchers, "STARTTLS", said);
  if (answer.code !== 220) return `${answer.code} ${answer.text}`;
  return wire.secure(tls, deadlines.commandMs);
}

/** As sinks of OnServerResponse see it. Of AUTH they see what the peer says, and nothing of ours: it proves who we are. */
async function judged(
  watchers: SessionWatchers,
  verb: "_GREETING" | "STARTTLS" | "AUTH",
  answer: PeerReply,
): Promise<PeerReply> {
  const events = watchers.of();
  if (events === undefined) return answer;
  const line = verb === "_GREETING" ? "" : verb;
  return (await events.judge(answer, { line, verb, argument: "" }, noMessage())).reply;
}

/** A line of AUTH and its reply. A challenge has no verdict: a sink that counts it as a failure ends the exchange. */
async function askForAuth(
  { settings }: OpeningContext,
  { wire, watchers }: Reached,
  line: string,
): Promise<PeerReply> {
  const answer = await wire.ask(line, "AUTH", settings.deadlines.commandMs);
  const seen = await judged(watchers, "AUTH", answer);
  const isRefused = answer.code === 334 && !isPositive(seen);
  return isRefused || watchers.isEnded ? { ...ENDED_AUTH, lines: [] } : seen;
}

/** The last step: who we are, when that was asked for. */
async function finish(
  context: OpeningContext,
  opening: OpenSession | RefusedSession,
): Promise<OpenSession | RefusedSession> {
  const { credentials } = context.settings;
  if (opening.kind === "refused") return opening;
  const { wire, extensions, watchers } = opening;
  if (context.settings.requireTls === true && !extensions.requireTls) return abandon(wire, NEEDS_TLS);
  if (credentials === undefined) return opening;
  if (!wire.encrypted && !credentials.allowInClear) {
    return abandon(wire, ownReply(451, "7.11", "The password is not sent without TLS"));
  }
  const ask = (line: string): Promise<PeerReply> => askForAuth(context, opening, line);
  const answer = await authenticate(ask, extensions.auth, credentials);
  if (watchers.isEnded) return abandon(wire, ENDED_BY_SINK);
  if (answer.code === 235) return { ...opening, extensions: { ...extensions, isAuthenticated: true } };
  context.logger.warn(
    { remote: wire.remote, code: answer.code, text: answer.text },
    "authentication at the next hop failed",
  );
  // Ours to mend, so the mail waits, whatever class the reply has.
  return abandon(wire, ownReply(454, "7.0", `Authentication failed: ${answer.code} ${answer.text}`));
}

/** Why there is no session: a refusal as it is, anything else as a transient fault of the protocol. */
function asRefusal(answer: PeerReply, stage: string): Reply {
  if (answer.code >= 400) return plain(answer);
  return ownReply(451, "5.0", `Unexpected reply to ${stage}: ${answer.code} ${answer.text}`);
}
