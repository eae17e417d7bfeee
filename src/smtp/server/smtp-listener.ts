// The inbound SMTP listener: its addresses, its sessions and their limits, its certificate, and the orderly end.
import { reverse } from "node:dns/promises";
import type { Clock } from "../../core/clock.ts";
import { DomainTable } from "../../core/domain-table.ts";
import { describeError, OnArrivalError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { createMailDates } from "../../core/mail-date.ts";
import { reply, type Reply } from "../../core/reply.ts";
import { AuthLockout } from "./authentication/auth-lockout.ts";
import { createAccessTokenCheck } from "./authentication/access-token.ts";
import { type CertificatePair, certificateFault } from "./certificate-pair.ts";
import { createCredentialCheck } from "./authentication/authentication.ts";
import type { InboundProtocol } from "./command-run.ts";
import { SmtpConversation } from "./conversation.ts";
import type { Intake } from "./intake.ts";
import { type ConnectionLimits, LibraryServer } from "./library-connection.ts";
import { networkCheck } from "./networks.ts";
import { domainFlag } from "../../events/contexts/domain-contexts.ts";
import { createRelayRule } from "./relay-rule.ts";
import { SessionCounts } from "./session-counts.ts";
import type { SessionParts, StartQueues } from "./session-parts.ts";
import type { SizeSinks } from "./size-sinks.ts";
import type { SessionLog } from "./session-watch.ts";
import type { ListenAddress, SmtpServerSettings } from "./settings.ts";
import type { Wire } from "./wire.ts";

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export interface SmtpListener {
  /** The bound addresses: those of `listen`, then those of `tls.implicit`. */
  listen(): Promise<BoundAddress[]>;
  /** New clients are turned away with 421 until `resume`; the sessions that are open go on. */
  pause(): void;
  resume(): void;
  /** Takes no new client, lets transactions in hand finish for `graceMs`, ends the others with 421. */
  close(graceMs: number): Promise<void>;
  /**
   * The answer, which cannot fail, has new sessions follow the new settings and use the new certificate; addresses stay as they are
   * bound. Throws CONFIG_INVALID or TLS_INVALID.
   */
  prepareUpdate(settings: SmtpServerSettings): () => void;
  readonly connections: number;
  readonly counts: SessionCounts;
  /** Every address of the settings is being listened on. */
  readonly isListening: boolean;
}

export type ReverseLookup = (address: string) => Promise<readonly string[]>;

const LOOKUP_TIMEOUT_MS = 3000;
const PACE_CHECK_MS = 5000;
/** So many may linger to read their 421; a flood beyond is dropped without a word. */
const MAX_REFUSED = 256;
/** How long a session that was told 421 may take to read it. */
const FAREWELL_MS = 500;

const PAUSED = reply(421, "3.2", "Service is paused, try again later");
const TOO_MANY_CONNECTIONS = reply(421, "7.0", "Too many connections, try again later");

export interface SmtpListenerParts {
  readonly settings: SmtpServerSettings;
  readonly intake: Intake;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Default: the DNS of the system. */
  readonly lookUp?: ReverseLookup | undefined;
  /** The sinks of OnInboundCommand. */
  readonly protocol?: InboundProtocol | undefined;
  /** The sinks of MaxMsgSize. */
  readonly sizeSinks?: SizeSinks | undefined;
  /** Bits of `domainFlag` that sinks add to a domain. */
  readonly domainFlags?: ((domain: string) => number) | undefined;
  /** Gets what is said in the sessions. */
  readonly sessionLog?: SessionLog | undefined;
  /** Tries the mail that waits for a domain at once, and answers how many messages that are (ETRN). */
  readonly startQueues?: StartQueues | undefined;
}

export function createSmtpListener({
  settings,
  intake,
  logger,
  clock,
  lookUp = reverse,
  protocol,
  sizeSinks,
  domainFlags,
  sessionLog,
  startQueues,
}: SmtpListenerParts): SmtpListener {
  const lockout = new AuthLockout();
  const counts = new SessionCounts();
  const createParts = (wanted: SmtpServerSettings): SessionParts => {
    if (wanted.tls !== undefined) checkCertificate(wanted.tls);
    const etrn = new DomainTable(wanted.etrnDomains.map((domain) => [domain, true]));
    return {
      settings: wanted,
      intake,
      logger,
      clock,
      relay: createRelayRule(wanted, domainFlags),
      isProxy: networkCheck(wanted.trust.proxy, "trust.proxy"),
      mayXclient: networkCheck(wanted.trust.xclient, "trust.xclient"),
      mayXforward: networkCheck(wanted.trust.xforward, "trust.xforward"),
      startQueues,
      isEtrnDomain: (domain) =>
        etrn.find(domain) === true ||
        // Sinks know domains, and no patterns.
        (!domain.startsWith("*.") && ((domainFlags?.(domain) ?? 0) & domainFlag.etrnOnly) !== 0),
      checkCredentials: createCredentialCheck(wanted.auth.users),
      checkAccessToken:
        wanted.auth.accessTokens === undefined ? undefined : createAccessTokenCheck(wanted.auth.accessTokens),
      lockout,
      traceDate: createMailDates(),
      lookUpName: wanted.reverseLookup ? boundedLookup(lookUp, clock) : undefined,
      keywords: new Set(wanted.keywords),
      protocol,
      sizeSinks,
      counts,
      sessionLog,
    };
  };
  return new Listener(createParts(settings), createParts);
}

class Listener implements SmtpListener {
  #parts: SessionParts;
  readonly #createParts: (settings: SmtpServerSettings) => SessionParts;
  readonly #sessions = new Set<SmtpConversation>();
  /** Admitted sessions only: clients on their way out after a 421 must not keep others out. */
  readonly #perAddress = new Map<string, number>();
  #admitted = 0;
  #isPaused = false;
  #isClosing = false;
  #servers: LibraryServer[] = [];
  #cancelPaceCheck: () => void = () => undefined;
  #onEmpty: () => void = () => undefined;

  constructor(parts: SessionParts, createParts: (settings: SmtpServerSettings) => SessionParts) {
    this.#parts = parts;
    this.#createParts = createParts;
  }

  get connections(): number {
    return this.#admitted;
  }

  get counts(): SessionCounts {
    return this.#parts.counts;
  }

  get isListening(): boolean {
    return this.#servers.length > 0 && this.#servers.every((server) => server.server.listening);
  }

  async listen(): Promise<BoundAddress[]> {
    const { settings } = this.#parts;
    const bound: BoundAddress[] = [];
    try {
      for (const address of settings.listen) bound.push(await this.#bind(address, false));
      for (const address of settings.tls?.implicit ?? []) bound.push(await this.#bind(address, true));
    } catch (thrown) {
      await this.close(0);
      throw thrown;
    }
    this.#schedulePaceCheck();
    return bound;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#cancelPaceCheck();
    const stopped = this.#servers.map((server) => server.stopListening());
    this.#servers = [];
    const farewell = this.#sessions.size === 0 ? Promise.resolve() : this.#untilEmpty(graceMs);
    for (const session of this.#sessions) session.shutDown();
    await farewell;
    await Promise.all(stopped);
  }

  prepareUpdate(settings: SmtpServerSettings): () => void {
    const { listen, tls } = this.#parts.settings;
    // TLS is switched on and off where addresses are bound: at the start.
    const certificates = tls === undefined ? undefined : (settings.tls ?? tls);
    const parts = this.#createParts({ ...settings, listen, tls: certificates });
    return () => {
      this.#parts = parts;
      for (const server of this.#servers) server.updateLimits(connectionLimits(settings));
      if (certificates !== undefined) for (const server of this.#servers) server.updateTls(certificates);
    };
  }

  async #bind({ host, port }: ListenAddress, isImplicitTls: boolean): Promise<BoundAddress> {
    const { settings } = this.#parts;
    const isProxy = (address: string): boolean => this.#parts.isProxy(address);
    const limits = connectionLimits(settings);
    const mayBegin = (address: string): boolean => this.#mayBegin(address);
    const options = {
      hostName: settings.hostName,
      limits,
      isImplicitTls,
      tls: settings.tls,
      isProxy,
      mayBegin,
    };
    const server = new LibraryServer(options, (wire) => this.#open(wire));
    try {
      const bound = await server.start(host, port);
      this.#servers.push(server);
      return bound;
    } catch (cause) {
      throw new OnArrivalError("LISTEN_FAILED", `cannot listen on ${host}:${port}: ${describeError(cause)}`, {
        cause,
      });
    }
  }

  #open(wire: Wire): SmtpConversation {
    const address = wire.remoteAddress;
    const session = new SmtpConversation(this.#parts, wire, this.#refusalFor(address), (closed) =>
      this.#forget(closed),
    );
    this.#sessions.add(session);
    if (!session.isRefused) {
      this.#parts.counts.accepted += 1;
      this.#admitted++;
      this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    } else if (this.#sessions.size - this.#admitted > MAX_REFUSED) wire.destroy();
    // Sockets are handed on one turn later than they come: nobody has told this one.
    if (this.#isClosing) session.shutDown();
    return session;
  }

  #refusalFor(address: string): Reply | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#parts.settings;
    const { refused } = this.#parts.counts;
    if (this.#isPaused) {
      refused.paused += 1;
      return PAUSED;
    }
    if (maxConnections > 0 && this.#admitted >= maxConnections) {
      refused.connections += 1;
      return TOO_MANY_CONNECTIONS;
    }
    const fromAddress = this.#perAddress.get(address) ?? 0;
    if (maxConnectionsPerAddress === 0 || fromAddress < maxConnectionsPerAddress) return undefined;
    refused.address += 1;
    return TOO_MANY_CONNECTIONS;
  }

  /** The limits of sessions, by themselves, count what is on its way to one: who gets no further could have any number of sockets. */
  #mayBegin(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#parts.settings;
    const { refused } = this.#parts.counts;
    const sum = (count: (server: LibraryServer) => number): number =>
      this.#servers.reduce((total, server) => total + count(server), 0);
    if (maxConnections > 0 && sum(({ beginning }) => beginning) >= maxConnections) {
      refused.connections += 1;
      return false;
    }
    if (maxConnectionsPerAddress === 0 || this.#parts.isProxy(address)) return true;
    if (sum((server) => server.beginningOf(address)) < maxConnectionsPerAddress) return true;
    refused.address += 1;
    return false;
  }

  #forget(session: SmtpConversation): void {
    if (!this.#sessions.delete(session)) return;
    if (!session.isRefused) this.#release(session.remoteAddress);
    if (this.#sessions.size === 0) this.#onEmpty();
  }

  #release(address: string): void {
    this.#admitted--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }

  /** Resolves when the last session is gone, however long its client takes: after the grace none is waited for. */
  #untilEmpty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(graceMs + FAREWELL_MS, () => {
        for (const session of this.#sessions) session.cutOff();
      });
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
    });
  }

  #schedulePaceCheck(): void {
    this.#cancelPaceCheck = this.#parts.clock.after(PACE_CHECK_MS, () => {
      const now = this.#parts.clock.now();
      for (const session of this.#sessions) session.checkPace(now);
      this.#schedulePaceCheck();
    });
  }
}

const connectionLimits = ({
  maxCommandLength,
  idleTimeoutMs,
  auth,
}: SmtpServerSettings): ConnectionLimits => ({
  maxCommandLength,
  maxAuthLineLength: auth.maxLineLength,
  idleTimeoutMs,
});

function checkCertificate(pair: CertificatePair): void {
  const fault = certificateFault(pair);
  if (fault !== undefined) throw new OnArrivalError("TLS_INVALID", `tls.${fault.half}: ${fault.why}`);
}

/** The first name of an address, or undefined when there is none, an error, or no answer in time. */
function boundedLookup(
  lookUp: ReverseLookup,
  clock: Clock,
): (address: string) => Promise<string | undefined> {
  return (address) =>
    new Promise((resolve) => {
      const cancel = clock.after(LOOKUP_TIMEOUT_MS, () => resolve(undefined));
      const settle = (name: string | undefined): void => {
        cancel();
        resolve(name);
      };
      lookUp(address).then(
        (names) => settle(names[0]),
        () => settle(undefined),
      );
    });
}
