// The kept connections of one destination: which message goes over which, when to open another and when to end one.
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { isPermanent, ownReply } from "../../core/reply.ts";
import { Connection } from "./connection.ts";
import type { BudgetUser } from "./connection-budget.ts";
import {
  CLOSED,
  DEFAULT_DESTINATION_SETTINGS,
  type DeliveryOutcome,
  type Destination,
  type DestinationSettings,
  type NextHop,
  type OutboundMessage,
} from "./destination.ts";
import { GroupTrust } from "./group-trust.ts";
import { type ConnectionOwner, type Job, unreachable } from "./outbound-job.ts";
import { type OpenSession, openSession, type RefusedSession } from "./session-opening.ts";
import { Standing } from "./standing.ts";
import { Wire } from "./wire.ts";

/** All settings but those without a default may be left out. */
export type DestinationOptions = Partial<DestinationSettings> & {
  readonly nextHops: readonly NextHop[];
  readonly heloName: string;
};

export function createDestination(options: DestinationOptions, logger: Logger, clock: Clock): Destination {
  return new ConnectionPool({ ...DEFAULT_DESTINATION_SETTINGS, ...options }, logger, clock);
}

/** Deadlines and idle times are checked this often, or four times in the shortest of them. */
const LONGEST_TICK_MS = 1_000;
const SHORTEST_TICK_MS = 5;
/** Most messages that wait for one connection of a fast peer. */
const MOST_BEHIND = 3;
/** Larger messages take long at the best of next hops: their time says nothing about it. */
const LARGEST_JUDGED_BYTES = 1024 * 1024;

/** A connection that is not open yet. */
interface Opening {
  /** Of the host that is tried now. */
  wire: Wire | undefined;
  /** Another next hop has its place, and its message waits. */
  isGivenUp: boolean;
}

class ConnectionPool implements Destination, ConnectionOwner<Connection>, BudgetUser {
  #settings: DestinationSettings;
  #logger: Logger;
  #clock: Clock;
  /** Free connections, the last used at the end: the surplus ones grow old at the front. */
  #idle: Connection[] = [];
  #live = 0;
  readonly #openings = new Set<Opening>();
  #waiting: Job[] = [];
  /** Those on the wire whose content can take the next one along. */
  #envelopes = 0;
  readonly groups = new GroupTrust();
  #delivering = 0;
  /** Every socket until it is closed, for its deadline. */
  #wires = new Set<Wire>();
  #noOpeningUntil = 0;
  #stopTick: (() => void) | undefined;
  /** Only where connections are shared with other next hops. */
  readonly #standing: Standing | undefined;
  isSick = false;
  /** Since the first close(). */
  #closing: PromiseWithResolvers<void> | undefined;
  readonly #forgetCutOff: (() => void) | undefined;

  constructor(settings: DestinationSettings, logger: Logger, clock: Clock) {
    this.#settings = settings;
    this.#logger = logger;
    this.#clock = clock;
    this.#standing = settings.budget && new Standing(settings.budget.norm);
    this.#forgetCutOff = settings.cutOff?.add(() => this.#cutOff());
  }

  get capacity(): number {
    if (this.#closing !== undefined) return 0;
    return Math.max(0, this.#settings.maxConnections + this.#envelopes - this.#delivering);
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    if (this.#closing !== undefined) return Promise.resolve(unreachable(CLOSED, true, ""));
    this.#delivering += 1;
    return new Promise((resolve) => {
      const job: Job = {
        message,
        sentAt: 0,
        resolve: (outcome) => {
          this.#delivering -= 1;
          if (this.#standing !== undefined) this.#judge(this.#standing, job, outcome);
          resolve(outcome);
          // Where sinks watch, the outcome may come after the end of the connection.
          this.#settleClose();
        },
      };
      this.#place(job);
    });
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    const closing = (this.#closing = Promise.withResolvers<void>());
    for (const connection of this.#idle.slice()) connection.quit();
    this.#settleClose();
    return closing.promise;
  }

  #cutOff(): void {
    for (const job of this.#waiting.splice(0)) job.resolve(unreachable(CLOSED, true, ""));
    for (const wire of this.#wires) wire.fail(CLOSED.text);
  }

  onReady(connection: Connection): void {
    const { budget } = this.#settings;
    if (budget?.mustYield(this, this.#waiting.length > 0) === true) {
      connection.quit();
      return;
    }
    const job = this.#waiting.shift();
    if (job !== undefined) {
      job.sentAt = connection.idleSince;
      connection.send(job);
    } else if (this.#closing !== undefined) connection.quit();
    else if (this.#idle.push(connection) === 1) budget?.keeps(this, true);
  }

  get connections(): number {
    return this.#live + this.#openings.size;
  }

  get isNew(): boolean {
    return this.#standing?.isNew === true;
  }

  roomAgain(): void {
    this.#openForWaiting();
  }

  /** The one that has waited longest. */
  giveUpIdle(keptMs: number): void {
    const [oldest] = this.#idle;
    if (oldest !== undefined && this.#clock.now() - oldest.idleSince >= keptMs) oldest.quit();
  }

  /** The newest: the others have waited longer for their answer. */
  giveUpOpening(): boolean {
    const opening = [...this.#openings].at(-1);
    if (opening === undefined) return false;
    opening.isGivenUp = true;
    this.#openings.delete(opening);
    opening.wire?.fail("given up: next hops that answer need the connection");
    this.#settings.budget?.release(this);
    this.#openForWaiting();
    return true;
  }

  onUnsent(job: Job): void {
    this.#place(job);
  }

  onEnvelope(isSent: boolean): void {
    this.#envelopes += isSent ? 1 : -1;
    const most = this.#mostBehind;
    if (this.#waiting.length > most) this.#placeWaiting(most);
  }

  nextBehind(fits: (job: Job) => boolean): void {
    const [job] = this.#waiting;
    if (job === undefined || !this.groups.isGiven) return;
    if (this.#settings.budget?.mustYield(this, true) === true) return;
    if (fits(job)) this.#waiting.shift();
  }

  onEnded(connection: Connection): void {
    this.#live -= 1;
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
    if (this.#idle.length === 0) this.#settings.budget?.keeps(this, false);
    this.#settings.budget?.release(this);
    this.#openForWaiting();
  }

  #place(job: Job): void {
    if (this.#settings.cutOff?.isOver === true) return job.resolve(unreachable(CLOSED, true, ""));
    if (this.#waiting.length < this.#mostBehind) this.#waiting.push(job);
    else this.#placeNow(job);
  }

  /** So many wait for a connection in use, though others are free: it saves both sides a packet each way, where the peer is fast. */
  get #mostBehind(): number {
    const isFast = (this.#standing?.paceMs ?? Infinity) < this.#settings.groupWithinMs;
    return isFast && this.groups.isGiven ? MOST_BEHIND * this.#envelopes : 0;
  }

  #placeNow(job: Job): void {
    const isResting = this.#busy === 0;
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      if (this.#idle.length === 0) this.#settings.budget?.keeps(this, false);
      if (this.#standing !== undefined) {
        job.sentAt = this.#clock.now();
        if (isResting) this.#standing.asked(job.sentAt);
      }
      return connection.send(job);
    }
    this.#waiting.push(job);
    return this.#openForWaiting();
  }

  /** Gives waiting messages to free connections, until only `but` of them are left. */
  #placeWaiting(but: number): void {
    while (this.#waiting.length > but && this.#idle.length > 0) {
      const job = this.#waiting.shift();
      if (job !== undefined) this.#placeNow(job);
    }
    this.#openForWaiting();
  }

  /** As many openings as messages wait, within the limit. */
  #openForWaiting(): void {
    const { maxConnections } = this.#settings;
    const behind = this.#mostBehind;
    while (this.#openings.size + behind < this.#waiting.length && this.connections < maxConnections) {
      // The peer has just refused another one, and those that are open will come to the waiting messages.
      if (this.#live > 0 && this.#clock.now() < this.#noOpeningUntil) return;
      if (this.#settings.budget?.take(this) === false) return;
      const opening: Opening = { wire: undefined, isGivenUp: false };
      this.#openings.add(opening);
      void this.#open(opening);
    }
  }

  async #open(opening: Opening): Promise<void> {
    const begun = this.#clock.now();
    if (this.#busy === 1) this.#standing?.asked(begun);
    const opened = await openSession({
      settings: this.#settings,
      makeWire: (hop, address) => (opening.wire = this.#makeWire(hop, address)),
      isGivenUp: () => opening.isGivenUp || this.#settings.cutOff?.isOver === true,
      logger: this.#logger,
      clock: this.#clock,
    });
    // Its connection was lost when it was given up, and everything else is done since then.
    if (opening.isGivenUp) return this.#settleClose();
    const session = opened.kind === "open" && opened.wire.lost === undefined ? opened : undefined;
    const now = this.#clock.now();
    if (session !== undefined) this.#standing?.opened(now, now - begun);
    else if (this.#live === 0) this.#standing?.failed();
    // While the budget still counts this one.
    this.#settleStanding();
    this.#openings.delete(opening);
    if (session === undefined) return this.#notOpened(refusalOf(opened));
    this.#live += 1;
    return this.onReady(new Connection(session, this.#settings, this.#logger, this.#clock, this));
  }

  #notOpened(refusal: RefusedSession): void {
    this.#onRefused(refusal);
    this.#settings.budget?.release(this);
  }

  #onRefused(refusal: RefusedSession): void {
    if (this.#live > 0) {
      // FAULTS N03: "421 too many connections" is no reason to give the message back.
      this.#noOpeningUntil = this.#clock.now() + this.#settings.reopenPauseMs;
      return;
    }
    const outcome = unreachable(refusal.reply, !isPermanent(refusal.reply), refusal.remote);
    // With no other opening under way there is nobody left to take the rest.
    const given = this.#waiting.splice(0, this.#openings.size === 0 ? this.#waiting.length : 1);
    for (const job of given) job.resolve(outcome);
    this.#settleClose();
  }

  /** Connections that wait for an answer. */
  get #busy(): number {
    return this.connections - this.#idle.length;
  }

  #judge(standing: Standing, { message, sentAt }: Job, outcome: DeliveryOutcome): void {
    if (outcome.kind === "unreachable") {
      standing.failed();
    } else {
      const now = this.#clock.now();
      const isLarge = message.content.size > LARGEST_JUDGED_BYTES;
      standing.answered(now, isLarge ? undefined : now - sentAt);
    }
    this.#settleStanding();
  }

  #settleStanding(): void {
    const isSick = this.#standing?.isSick === true;
    if (isSick === this.isSick) return;
    this.isSick = isSick;
    this.#settings.budget?.moved(this);
  }

  #makeWire(hop: NextHop, address: string): Wire {
    const { deadlines, tls, wireLog } = this.#settings;
    const onClosed = (): void => {
      this.#wires.delete(wire);
      this.#settleClose();
    };
    const wire: Wire = new Wire(hop, address, tls, deadlines, onClosed, wireLog);
    this.#wires.add(wire);
    this.#stopTick ??= this.#clock.after(this.#tickMs(), () => this.#tick());
    return wire;
  }

  #tickMs(): number {
    const { deadlines, idleMs } = this.#settings;
    const shortest = Math.min(...Object.values(deadlines), idleMs) / 4;
    return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, shortest));
  }

  /** One timer for all connections: no command sets one of its own. */
  #tick(): void {
    const now = this.#clock.now();
    for (const wire of this.#wires) wire.checkDeadline(now);
    if (this.#busy > 0) {
      this.#standing?.look(now);
      this.#settleStanding();
    }
    // What waits for so long has waited for a peer that is slow after all.
    this.#placeWaiting(0);
    for (const connection of this.#idle.slice()) {
      if (now - connection.idleSince >= this.#settings.idleMs) connection.quit();
    }
    this.#stopTick =
      this.#wires.size === 0 ? undefined : this.#clock.after(this.#tickMs(), () => this.#tick());
  }

  #settleClose(): void {
    const closing = this.#closing;
    if (closing === undefined || this.#wires.size > 0 || this.#openings.size > 0 || this.#delivering > 0)
      return;
    this.#stopTick?.();
    this.#stopTick = undefined;
    this.#settings.budget?.leave(this);
    this.#forgetCutOff?.();
    closing.resolve();
  }
}

/** A session that was lost as soon as it was open is none. */
function refusalOf(opening: OpenSession | RefusedSession): RefusedSession {
  if (opening.kind === "refused") return opening;
  const { lost, remote } = opening.wire;
  return { kind: "refused", reply: ownReply(451, "4.2", lost ?? ""), remote };
}
