// Puts the transport together: pipeline, queues, reports, and what the rest of the service calls of it.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { Dispatcher, SinkChain } from "../events/dispatcher.ts";
import type { EffectRecorder } from "../events/effects.ts";
import type { CategorizeSubject } from "../events/contexts/categorize-contexts.ts";
import type { DsnSubject } from "../events/contexts/dsn-contexts.ts";
import type { RouterSubject } from "../events/contexts/router-contexts.ts";
import type { StoreSubject } from "../events/contexts/store-contexts.ts";
import type { SystemChain, SystemSinks } from "../events/system-chain.ts";
import type { MessageSurroundings } from "../message/mail-msg.ts";
import { CutOff } from "../smtp/client/cut-off.ts";
import type { SignOutbound } from "../smtp/client/destination.ts";
import type { Badmail } from "../store/badmail.ts";
import type { Drop } from "../store/drop.ts";
import type { Recovery, StoreDriver } from "../store/store-driver.ts";
import { AgeingClock } from "./ageing-clock.ts";
import { Categorizer, type LiveCategorizer } from "./categorizer/categorizer.ts";
import { createNotifyingBadmail } from "./reports/badmail-notice.ts";
import { courierMaker, sameWays } from "./couriers/couriers-of-routes.ts";
import type { Courier } from "./queues/destination-queue.ts";
import { Links, type LinksParts } from "./routing/links.ts";
import { MessageTypes } from "./routing/message-types.ts";
import { createQueues } from "./queues/next-hop-queues.ts";
import { MessageSteps, type StepRecorder } from "./message-steps.ts";
import { OnDemand } from "./couriers/on-demand.ts";
import { ParkedAdmin } from "./queues/parked-admin.ts";
import { Pipeline } from "./pipeline.ts";
import { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import { createQueueAdmin } from "./queues/queue-admin.ts";
import { queueDepths } from "./queues/queue-depths.ts";
import type { HoldReason } from "./queued-message.ts";
import type { FrozenQueues, QueueSet } from "./queues/queue-set.ts";
import type { QueueAdmin, QueueDepths } from "./queues/queue-view.ts";
import { ReportSinks } from "./reports/report-sinks.ts";
import { Reports, type ReportSettings } from "./reports/reports.ts";
import { ResidentContents } from "./resident-contents.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type RemoteRoute, type RouterSettings, createRouter, localRoute } from "./routing/router.ts";
import { RouterSinks } from "./routing/router-sinks.ts";
import { StoreSinks } from "./store-sinks.ts";
import { Submission } from "./submission.ts";
import { withoutUnfinishedCopies } from "./unfinished-copies.ts";
import type { TransportCounts } from "./transport-counts.ts";

export interface TransportSettings {
  /** Name of the virtual server. */
  readonly server: string;
  /** Whether a message that came by the virtual server of this name is left to it. Absent: none is. */
  readonly isOthers?: ((server: string) => boolean) | undefined;
  /** Messages whose sinks run at the same time. */
  readonly maxSubmissions: number;
  /** Files that are written to Drop at the same time. */
  readonly maxLocalDeliveries: number;
  /** Messages kept in memory. When there are more, those that only wait are parked. */
  readonly maxInMemory: number;
  /** Bytes of queued messages kept in memory, as it is now. */
  readonly residentBytes: () => number;
  /** How often waiting messages are looked at for delay notices and expiry, ms. */
  readonly sweepMs: number;
}

/** What may change while the service runs. */
export interface LiveTransportSettings {
  readonly router: RouterSettings;
  readonly retry: RetryPolicy;
  readonly remoteCourier: (route: RemoteRoute, cutOff: CutOff) => Courier;
  /**
   * Describes the way to the next hop of a route. A next hop that cannot be reached keeps its retry time over a reload that leaves
   * this text as it was. Absent: every reload may have changed the way.
   */
  readonly wayOf?: ((route: RemoteRoute) => string) | undefined;
  /** Absent: only sinks of OnCategorize know who the recipients are. */
  readonly categorizer?: LiveCategorizer | undefined;
  readonly reports: ReportSettings;
  /** What goes to Drop is signed by it. Absent: nothing is. */
  readonly signLocal?: SignOutbound | undefined;
}

/** The events of steps 7 to 11 with their live sinks. */
export interface TransportEvents {
  readonly sinks: SystemSinks;
  /** Calls those that nobody waits for. */
  readonly unawaited: SystemSinks;
  readonly chains: () => TransportChains;
}

export interface TransportChains {
  readonly categorizer: SystemChain<CategorizeSubject>;
  readonly router: SystemChain<RouterSubject>;
  readonly dsn: SystemChain<DsnSubject>;
  readonly store: SystemChain<StoreSubject>;
}

export interface TransportParts<Script> {
  readonly settings: TransportSettings;
  readonly store: StoreDriver;
  readonly drop: Drop;
  readonly badmail: Badmail;
  readonly dispatcher: Dispatcher<Script>;
  /** The live bindings of an event that gets the message itself. */
  readonly chain: (event: MailEvent) => SinkChain<Script>;
  /** Absent: nobody keeps what the sinks did. */
  readonly effects?: EffectRecorder<Script> | undefined;
  /** Absent: sinks may keep with a message what the defaults allow. */
  readonly surroundings?: MessageSurroundings | undefined;
  readonly live: LiveTransportSettings;
  /** Absent: a restart thaws all queues. */
  readonly frozen?: FrozenQueues | undefined;
  /** Absent: the events of steps 7 to 11 have no sinks. */
  readonly events?: TransportEvents | undefined;
  /** Absent: the steps of messages are counted and not recorded. */
  readonly recorder?: StepRecorder | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when the message is durable. */
type Accept = Pipeline<unknown>["accept"];

export interface Transport {
  readonly accept: Accept;
  readonly admin: QueueAdmin;
  readonly counts: TransportCounts;
  /** Where Pickup puts what it cannot read: whoever wants to hear of it does. */
  readonly badmail: Badmail;
  depths(): QueueDepths;
  /** Takes up what the store found unfinished. */
  resume(recovery: Recovery): void;
  /** Takes over new settings of routes, next hops and retries. */
  reconfigure(live: LiveTransportSettings): void;
  /** Submits the messages that a script holds: it changed. */
  scriptChanged(scriptName: string): number;
  /** Finishes what is in hand, for at most `graceMs`; the rest stays in the store. */
  stop(graceMs: number): Promise<void>;
}

export function createTransport<Script>(parts: TransportParts<Script>): Transport {
  const { settings, clock, log, live, store } = parts;
  let current = live;
  const localKey = (): string => localRoute(current.router).key;
  const reportsNow = (): ReportSettings => current.reports;
  const steps = new MessageSteps(parts.recorder);
  const storeSinks = createStoreSinks(parts);
  const demand = new OnDemand(clock);
  const cutOff = new CutOff();
  const courierFor = courierMaker(parts, storeSinks, demand, cutOff);
  const { links, routerSinks } = createRouting(parts, {
    queues: () => queues,
    rerouteAll: () => pipeline.resetRoutes(),
  });
  const shared = { routerSinks, steps, cutOff, clock, log };
  const queues: QueueSet = createQueues<Script>(parts, {
    courierFor: courierFor(live),
    pipeline: () => pipeline,
    retryDelayMs: (failures) => current.retry.delayMs(failures),
    localKey,
    ...shared,
  });
  const waiting = new PreSubmissionQueue(clock, (message) => pipeline.submit(message), queues);
  const accept: Accept = (id, origin, envelope, content) => pipeline.accept(id, origin, envelope, content);
  const badmail = createBadmailNotices(parts, accept, reportsNow);
  const reports = createReports({ ...parts, badmail, reportsNow }, steps, cutOff, accept);
  const categorizer = createCategorizer(parts, cutOff);
  const pipeline: Pipeline<Script> = new Pipeline({
    store,
    submission: new Submission({ ...parts, categorizes: () => categorizer.isOn, queues, steps }),
    categorizer,
    router: createRouter(live.router),
    ...shared,
    storeSinks,
    queues,
    waiting,
    resident: new ResidentContents(settings.residentBytes),
    reports,
    badmail,
    retry: live.retry,
    ages: new AgeingClock(clock, settings.sweepMs, () => current.retry.clockGraceMs, log),
    settings,
  });
  const reconfigure = (wanted: LiveTransportSettings): void => {
    categorizer.use(wanted.categorizer);
    const router = createRouter(wanted.router);
    const reroute = (): void => pipeline.reconfigure(router, wanted.retry);
    const isSameWay = sameWays(current, wanted);
    current = wanted;
    queues.renewCouriers(courierFor(wanted), router, isSameWay, reroute);
    releaseHeldBySinks(pipeline, waiting);
  };
  return {
    ...run({ accept, pipeline, queues, links, waiting, cutOff, settings, clock, log }),
    admin: demand.openedBy(createAdmin(pipeline, queues, waiting, parts, localKey), pipeline.parking),
    counts: steps.counts,
    badmail,
    reconfigure,
  };
}

/** At a reload the bindings may be others: what a sink holds is tried with them. What ends processes waits for a change of its script. */
function releaseHeldBySinks<Script>({ parking }: Pipeline<Script>, waiting: PreSubmissionQueue): void {
  waiting.release((_message, reason) => reason !== undefined && isOfSink(reason));
  parking.release(({ heldBy }) => heldBy !== "poison");
}

const isOfSink = ({ by, abandoned, poison }: HoldReason): boolean =>
  by !== "operator" && abandoned !== true && poison !== true;

const createBadmailNotices = (
  {
    settings,
    badmail,
    store,
    clock,
  }: Pick<TransportParts<unknown>, "settings" | "badmail" | "store" | "clock">,
  accept: Accept,
  reportsNow: () => ReportSettings,
): Badmail =>
  createNotifyingBadmail({
    server: settings.server,
    settings: reportsNow,
    badmail,
    nextId: () => store.nextId(),
    accept,
    clock,
  });

function createReports(
  parts: Omit<TransportParts<unknown>, "chain" | "dispatcher" | "effects"> & {
    readonly reportsNow: () => ReportSettings;
  },
  steps: MessageSteps,
  cutOff: CutOff,
  accept: Accept,
): Reports {
  const { store, badmail, events, clock, log, reportsNow } = parts;
  const { server } = parts.settings;
  const sinks =
    events && new ReportSinks({ sinks: events.sinks, chain: () => events.chains().dsn, badmail, log });
  const nextId = (): string => store.nextId();
  return new Reports({
    server,
    settings: reportsNow,
    nextId,
    accept,
    badmail,
    sinks,
    steps,
    cutOff,
    clock,
    log,
  });
}

const createStoreSinks = ({ events }: Pick<TransportParts<unknown>, "events">): StoreSinks | undefined =>
  events && new StoreSinks({ ...events, chain: () => events.chains().store });

function createCategorizer(
  parts: Pick<TransportParts<unknown>, "events" | "live" | "store" | "surroundings" | "log"> & {
    readonly effects?: Pick<EffectRecorder<unknown>, "categorized"> | undefined;
  },
  cutOff: CutOff,
): Categorizer {
  const { events, live, store, surroundings, effects, log } = parts;
  const categorizer = new Categorizer({
    events: events && { sinks: events.sinks, chain: () => events.chains().categorizer },
    live: live.categorizer,
    surroundings,
    effects,
    nextId: () => store.nextId(),
    log,
  });
  cutOff.add(() => categorizer.close());
  return categorizer;
}

/** The sinks of OnGetMessageRouter, and what they may do to next hops. */
function createRouting(
  { events, log, settings, clock }: Pick<TransportParts<unknown>, "events" | "log" | "settings" | "clock">,
  steer: Pick<LinksParts, "queues" | "rerouteAll">,
): { links: Links; routerSinks: RouterSinks | undefined } {
  const types = new MessageTypes(log);
  const links = new Links({ ...steer, forgetTypes: () => types.reset(), clock });
  if (events === undefined) return { links, routerSinks: undefined };
  const { sinks } = events;
  const { server } = settings;
  const chain = (): TransportChains["router"] => events.chains().router;
  return { links, routerSinks: new RouterSinks({ sinks, chain, links, types, server, log }) };
}

function createAdmin<Script>(
  pipeline: Pipeline<Script>,
  queues: QueueSet,
  waiting: PreSubmissionQueue,
  { store, clock }: Pick<TransportParts<Script>, "store" | "clock">,
  localKey: () => string,
): QueueAdmin {
  const parked = new ParkedAdmin({
    parking: pipeline.parking,
    store,
    queues,
    discard: (message) => pipeline.discard(message, "removed by the operator"),
    save: (message) => pipeline.save(message),
    clock,
  });
  return createQueueAdmin({ pipeline, waiting, queues, parked, localKey, clock });
}

/** What has been put together, at work: from its first message to its end. */
interface RunningParts<Script> {
  readonly accept: Accept;
  readonly pipeline: Pipeline<Script>;
  readonly queues: QueueSet;
  readonly links: Links;
  readonly waiting: PreSubmissionQueue;
  readonly cutOff: CutOff;
  readonly settings: TransportSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

function run<Script>({
  accept,
  pipeline,
  queues,
  links,
  waiting,
  cutOff,
  settings,
  clock,
  log,
}: RunningParts<Script>): Pick<Transport, "accept" | "depths" | "resume" | "scriptChanged" | "stop"> {
  let cancelSweep: () => void;
  const sweep = (): void => {
    pipeline.sweep();
    queues
      .prune()
      .catch((thrown: unknown) => log.warn({ error: String(thrown) }, "idle queues could not be closed"));
    cancelSweep = clock.after(settings.sweepMs, sweep);
  };
  cancelSweep = clock.after(settings.sweepMs, sweep);
  return {
    accept,
    depths: () => queueDepths(pipeline, waiting, queues.all(), clock.now()),
    resume(recovery) {
      const { messages, later } = withoutUnfinishedCopies(recovery, (id) => pipeline.forget(id));
      pipeline.parking.sortLater(later);
      for (const message of messages) pipeline.resume(message);
      if (recovery.messages.length > 0)
        log.info({ messages: recovery.messages.length }, "unfinished messages taken up");
    },
    scriptChanged: (scriptName) =>
      waiting.release((_message, reason) => reason?.scriptName === scriptName) +
      pipeline.parking.release((group) => group.scriptName === scriptName),
    async stop(graceMs) {
      cancelSweep();
      links.stop();
      pipeline.stop();
      waiting.stop();
      const graceOver = new Promise<void>((resolve) => {
        clock.after(graceMs, resolve);
      });
      // Deliveries first: what they end with may call for reports.
      await Promise.race([queues.close().then(() => pipeline.settled()), graceOver]);
      // What is not over by now the next run does anew: this one must not go on beside it.
      cutOff.now();
    },
  };
}
