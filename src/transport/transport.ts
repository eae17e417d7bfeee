// Puts the transport together: pipeline, queues, reports, and what the rest of the service calls of it.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Dispatcher, SinkChain } from "../events/dispatcher.ts";
import type { Badmail } from "../store/badmail.ts";
import type { Drop } from "../store/drop.ts";
import type { Recovery, StoreDriver } from "../store/store-driver.ts";
import { type Courier, DestinationQueue } from "./destination-queue.ts";
import { LocalCourier } from "./local-courier.ts";
import { Pipeline } from "./pipeline.ts";
import { PreSubmissionQueue } from "./pre-submission-queue.ts";
import { createQueueAdmin } from "./queue-admin.ts";
import { QueueSet } from "./queue-set.ts";
import type { QueueAdmin } from "./queue-view.ts";
import { Reports, type ReportSettings } from "./reports.ts";
import { ResidentContents } from "./resident-contents.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Route, type RouterSettings, createRouter } from "./router.ts";
import { Submission } from "./submission.ts";

export interface TransportSettings {
  readonly router: RouterSettings;
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

export interface TransportParts<Script> {
  readonly settings: TransportSettings;
  readonly store: StoreDriver;
  readonly drop: Drop;
  readonly badmail: Badmail;
  readonly dispatcher: Dispatcher<Script>;
  readonly chain: () => SinkChain<Script>;
  readonly remoteCourier: (route: Exclude<Route, { kind: "local" }>) => Courier;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Transport {
  /** Resolves when the message is durable. */
  readonly accept: Pipeline<unknown>["accept"];
  readonly admin: QueueAdmin;
  /** Takes up what the store found unfinished. */
  resume(recovery: Recovery): void;
  /** Submits the messages that a script holds: it changed. */
  scriptChanged(scriptName: string): number;
  /** Finishes what is in hand, for at most `graceMs`; the rest stays in the store. */
  stop(graceMs: number): Promise<void>;
}

export function createTransport<Script>(parts: TransportParts<Script>): Transport {
  const { settings, clock, log, retry, store } = parts;
  const queues = new QueueSet({
    courierFor: (route) => (route.kind === "local" ? new LocalCourier(parts.drop, settings.maxLocalDeliveries) : parts.remoteCourier(route)),
    queueFor: (route, courier) =>
      new DestinationQueue({
        key: route.key,
        courier,
        clock,
        load: (message) => pipeline.load(message),
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
    clock,
    log,
  });
  const pipeline: Pipeline<Script> = new Pipeline({
    store,
    submission: new Submission({ dispatcher: parts.dispatcher, chain: parts.chain, log }),
    router: createRouter(settings.router),
    queues,
    waiting,
    resident: new ResidentContents(settings.residentBytes),
    reports,
    badmail: (id, envelope, content, reason) => parts.badmail.put(id, envelope, content, reason),
    retry,
    clock,
    log,
    settings: { maxSubmissions: settings.maxSubmissions },
  });
  return assemble(pipeline, queues, waiting, settings, clock, log);
}

function assemble<Script>(
  pipeline: Pipeline<Script>,
  queues: QueueSet,
  waiting: PreSubmissionQueue,
  settings: TransportSettings,
  clock: Clock,
  log: Logger,
): Transport {
  let cancelSweep = (): void => undefined;
  const sweep = (): void => {
    pipeline.sweep();
    queues.prune().catch((thrown: unknown) => log.warn({ error: String(thrown) }, "idle queues could not be closed"));
    cancelSweep = clock.after(settings.sweepMs, sweep);
  };
  cancelSweep = clock.after(settings.sweepMs, sweep);
  return {
    accept: (id, origin, envelope, content) => pipeline.accept(id, origin, envelope, content),
    admin: createQueueAdmin(pipeline, waiting),
    resume(recovery) {
      for (const message of recovery.messages) pipeline.resume(message);
      if (recovery.messages.length > 0) log.info({ messages: recovery.messages.length }, "unfinished messages taken up");
    },
    scriptChanged: (scriptName) => waiting.release((_message, reason) => reason?.scriptName === scriptName),
    async stop(graceMs) {
      cancelSweep();
      pipeline.stop();
      waiting.stop();
      const graceOver = new Promise<void>((resolve) => {
        clock.after(graceMs, resolve);
      });
      await Promise.race([Promise.all([queues.close(), pipeline.settled()]), graceOver]);
    },
  };
}
