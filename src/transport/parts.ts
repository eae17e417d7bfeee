// What the pipeline is made of; transport.ts puts the parts together.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { CutOff } from "../smtp/client/cut-off.ts";
import type { Badmail } from "../store/badmail.ts";
import type { StoreDriver } from "../store/store-driver.ts";
import type { Categorizer } from "./categorizer/categorizer.ts";
import type { DestinationQueue } from "./queues/destination-queue.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import type { Reports } from "./reports/reports.ts";
import type { ResidentContents } from "./resident-contents.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import type { Route, Router } from "./routing/router.ts";
import type { RouterSinks } from "./routing/router-sinks.ts";
import type { StoreSinks } from "./store-sinks.ts";
import type { Submission } from "./submission.ts";

export interface PipelineSettings {
  /** Messages whose sinks run at the same time; more wait. */
  readonly maxSubmissions: number;
  /** Messages kept in memory. When there are more, those that only wait are parked. */
  readonly maxInMemory: number;
  /** Whether a message that came by the virtual server of this name is left to it. Absent: none is. */
  readonly isOthers?: ((server: string) => boolean) | undefined;
}

/** The queues of all next hops. */
export interface Queues {
  /** The queue of a route, made when first asked for. */
  of(route: Route): DestinationQueue;
  /** Gives the next hop of this queue what it takes now. */
  pump(key: string): void;
}

export interface PipelineParts<Script> {
  readonly store: StoreDriver;
  readonly submission: Submission<Script>;
  readonly categorizer: Categorizer;
  readonly router: Router;
  /** Absent: no sinks of OnGetMessageRouter. */
  readonly routerSinks?: RouterSinks | undefined;
  /** Absent: no sinks of StoreDriver. */
  readonly storeSinks?: StoreSinks | undefined;
  readonly queues: Queues;
  readonly waiting: PreSubmissionQueue;
  readonly resident: ResidentContents;
  readonly reports: Reports;
  readonly badmail: Badmail;
  readonly retry: RetryPolicy;
  readonly steps: MessageSteps;
  readonly cutOff: CutOff;
  readonly clock: Clock;
  /** The clock by which waiting messages grow old (ageing-clock.ts). */
  readonly ages: Clock;
  readonly log: Logger;
  readonly settings: PipelineSettings;
}
