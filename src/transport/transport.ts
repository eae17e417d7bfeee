// Puts the transport together: pipeline, queues, reports, and what the rest of the service calls of it.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { Dispatcher, SinkChain } from "../events/dispatcher.ts";
import type { EffectRecorder } from "../events/effects.ts";
import type { Badmail } from "../store/badmail.ts";
import type { Drop } from "../store/drop.ts";
import type { Recovery, StoreDriver } from "../store/store-driver.ts";
import { type Courier, DestinationQueue } from "./destination-queue.ts";
import { LocalCourier } from "./local-courier.ts";
import { MessageSteps, type StepRecorder } from "./message-steps.ts";
import { Pipeline } from "./pipeline.ts";
import { PreSubmissionQueue } from "./pre-submission-queue.ts";
import { createQueueAdmin } from "./queue-admin.ts";
import { queueDepths } from "./queue-depths.ts";
import { QueueSet } from "./queue-set.ts";
import type { QueueAdmin, QueueDepths } from "./queue-view.ts";
import { Reports, type ReportSettings } from "./reports.ts";
import { ResidentContents } from "./resident-contents.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Route, type RouterSettings, createRouter } from "./router.ts";
import { Submission } from "./submission.ts";
import type { TransportCounts } from "./transport-counts.ts";

export interface TransportSettings {
  readonly reports: ReportSettings;
  /** Messages whose sinks run at the same time. */
  readonly maxSubmissions: number;
  /** Files that are written to Drop at the same time. */
  readonly maxLocalDeliveries: number;
  /** Bytes of queued messages kept in memory. */
  readonly residentBytes: number;
  /** How often waiting messages are looked at for delay notices and expiry, ms. */
  readonly sweepMs: number;
}

/** What may change while the service runs. */
export interface LiveTransportSettings {
  readonly router: RouterSettings;
  readonly retry: RetryPolicy;
  readonly remoteCourier: (route: RemoteRoute) => Courier;
}

type RemoteRoute = Exclude<Route, { kind: "local" }>;

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
  readonly live: LiveTransportSettings;
  /** Absent: the steps of messages are counted and not recorded. */
  readonly recorder?: StepRecorder | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Transport {
  /** Resolves when the message is durable. */
  readonly accept: Pipeline<unknown>["accept"];
  readonly admin: QueueAdmin;
  readonly counts: TransportCounts;
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
  const { settings, clock, log, live, store, dispatcher, chain, effects } = parts;
  let retry = live.retry;
  const steps = new MessageSteps(parts.recorder);
  const courierFor = courierMaker(parts);
  const queues = new QueueSet({
    courierFor: courierFor(live.remoteCourier),
    queueFor: (route, courier) =>
      new DestinationQueue({
        key: route.key,
        courier,
        clock,
        load: (message) => pipeline.load(message),
        started: parts.recorder === undefined ? undefined : (delivery) => steps.started(delivery),
        attempted: (delivery, result) => pipeline.attempted(delivery, result),
        retryDelayMs: (failures) => retry.delayMs(failures),
      }),
  });
  const waiting = new PreSubmissionQueue(clock, (message) => pipeline.submit(message));
  const reports = new Reports({
    settings: settings.reports,
    nextId: () => store.nextId(),
    accept: (id, origin, envelope, content) => pipeline.accept(id, origin, envelope, content),
    badmail: parts.badmail,
    steps,
    clock,
    log,
  });
  const pipeline: Pipeline<Script> = new Pipeline({
    store,
    submission: new Submission({ dispatcher, chain, effects, steps, log }),
    router: createRouter(live.router),
    queues,
    waiting,
    resident: new ResidentContents(settings.residentBytes),
    reports,
    badmail: parts.badmail,
    retry,
    steps,
    clock,
    log,
    settings: { maxSubmissions: settings.maxSubmissions },
  });
  const reconfigure = (wanted: LiveTransportSettings): void => {
    retry = wanted.retry;
    queues.renewCouriers(courierFor(wanted.remoteCourier), () =>
      pipeline.reconfigure(createRouter(wanted.router), wanted.retry),
    );
    // The bindings may be others now: what a sink holds is tried with them.
    waiting.release((_message, reason) => reason !== undefined && reason.by !== "operator");
  };
  return {
    ...assemble(pipeline, queues, waiting, settings, clock, log),
    counts: steps.counts,
    reconfigure,
  };
}

const courierMaker =
  ({ drop, settings }: Pick<TransportParts<unknown>, "drop" | "settings">) =>
  (remote: LiveTransportSettings["remoteCourier"]) =>
  (route: Route): Courier =>
    route.kind === "local" ? new LocalCourier(drop, settings.maxLocalDeliveries) : remote(route);

function assemble<Script>(
  pipeline: Pipeline<Script>,
  queues: QueueSet,
  waiting: PreSubmissionQueue,
  settings: TransportSettings,
  clock: Clock,
  log: Logger,
): Omit<Transport, "reconfigure" | "counts"> {
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
    accept: (id, origin, envelope, content) => pipeline.accept(id, origin, envelope, content),
    admin: createQueueAdmin(pipeline, waiting),
    depths: () => queueDepths(pipeline.messages, pipeline.inSubmission, waiting, queues.all(), clock.now()),
    resume(recovery) {
      for (const message of recovery.messages) pipeline.resume(message);
      if (recovery.messages.length > 0)
        log.info({ messages: recovery.messages.length }, "unfinished messages taken up");
    },
    scriptChanged: (scriptName) => waiting.release((_message, reason) => reason?.scriptName === scriptName),
    async stop(graceMs) {
      cancelSweep();
      pipeline.stop();
      waiting.stop();
      const graceOver = new Promise<void>((resolve) => {
        clock.after(graceMs, resolve);
      });
      // Deliveries first: what they end with may call for reports.
      await Promise.race([queues.close().then(() => pipeline.settled()), graceOver]);
    },
  };
}
