// The transaction whose envelope leaves behind the content of the one in hand: RFC 2920 §3.1 lets content be the first of a group.
// Both sides save a packet each way, and a distant peer gets its messages twice as fast (decision 0045).
import type { DestinationSettings } from "./destination.ts";
import { envelopeCommands } from "./envelope-commands.ts";
import type { PeerExtensions } from "./extensions.ts";
import { isUnknownCommand } from "./sinks/judgement.ts";
import type { EnvelopeOwner, Job } from "./outbound-job.ts";
import { goesAsItIs } from "./preparation.ts";
import type { PeerReply } from "./reply-reader.ts";
import type { SessionWatchers } from "./sinks/session-watchers.ts";
import { TransactionPlan } from "./transaction-plan.ts";

/** A peer that drops what comes behind content would keep the next message waiting for minutes. */
const DOUBT_MS = 10_000;

export class BehindContent {
  /** Its envelope is on the wire. */
  following: TransactionPlan | undefined;
  /** The peer has answered an envelope that came so as it answers others. */
  #isTaken = false;
  readonly #offered: PeerExtensions;
  readonly #settings: DestinationSettings;
  readonly #owner: EnvelopeOwner;
  readonly #watchers: SessionWatchers;
  readonly #fits = (job: Job): boolean => (this.following = this.#planFor(job)) !== undefined;
  #isCarrier = false;

  constructor(
    offered: PeerExtensions,
    settings: DestinationSettings,
    owner: EnvelopeOwner,
    watchers: SessionWatchers,
  ) {
    this.#offered = offered;
    this.#settings = settings;
    this.#owner = owner;
    this.#watchers = watchers;
  }

  /** Whether the content of the transaction in hand can take an envelope along. The owner keeps messages back for it. */
  carries(isCarrier: boolean): void {
    if (isCarrier === this.#isCarrier) return;
    this.#isCarrier = isCarrier;
    this.#owner.onEnvelope(isCarrier);
  }

  /** The content of this one leaves now. Answers the commands to send behind it. */
  next({ replies }: TransactionPlan): string | undefined {
    // LMTP servers are known to answer once where several replies are due: the one to MAIL would pass for the next of them.
    const isAnsweredOnce = this.#settings.dialect !== "lmtp" || replies.accepted === 1;
    if (!this.#isCarrier || !isAnsweredOnce) return undefined;
    this.#owner.nextBehind(this.#fits);
    return this.following?.group();
  }

  /** Undefined: it has a turn of its own, also when it will be refused without asking the peer. */
  #planFor(job: Job): TransactionPlan | undefined {
    if (!this.#mayGo(job)) return undefined;
    const commands = envelopeCommands(job.message, this.#offered);
    if ("code" in commands || commands.rcpts.length === 0) return undefined;
    const plan = new TransactionPlan(job, job.message, commands, this.#offered, this.#settings);
    plan.isBehind = true;
    return plan;
  }

  /** The peer has answered the content before it. */
  take(): TransactionPlan | undefined {
    const { following } = this;
    this.following = undefined;
    return following;
  }

  /** The peer never will. `isSilent`: it said nothing to the content either, and what came behind that may be why. */
  giveBack(isSilent: boolean): void {
    const following = this.take();
    if (following === undefined) return;
    if (isSilent && !this.#isTaken) this.#owner.groups.lost();
    this.#owner.onUnsent(following.job);
  }

  /** The connection is lost, and this transaction has no answer. */
  sendAgain(job: Job, plan: TransactionPlan | undefined): void {
    if (this.#isInDoubt(plan)) this.#owner.groups.lost();
    this.#owner.onUnsent(job);
  }

  /** Behind content it expects no command, though it offered PIPELINING. */
  isRefusedBy(answer: PeerReply, plan: TransactionPlan): boolean {
    if (!plan.isBehind || !plan.isUnanswered) return false;
    if (isUnknownCommand(answer)) {
      this.#owner.groups.refused();
      return true;
    }
    if (!this.#isTaken) this.#owner.groups.taken();
    this.#isTaken = true;
    return false;
  }

  /** How long the reply to MAIL may take. */
  limitMs(plan: TransactionPlan): number {
    const { commandMs } = this.#settings.deadlines;
    return this.#isInDoubt(plan) ? Math.min(commandMs, DOUBT_MS) : commandMs;
  }

  /** The peer may have overlooked it because of its place. */
  #isInDoubt(plan: TransactionPlan | undefined): boolean {
    return plan?.isBehind === true && !this.#isTaken;
  }

  /** What is signed, converted or watched by sinks has a turn of its own. */
  #mayGo({ message, noChunks, noPipelining }: Job): boolean {
    if (noChunks === true || noPipelining === true) return false;
    if (!goesAsItIs(message, this.#offered, this.#settings)) return false;
    return this.#watchers.of(message) === undefined;
  }
}
