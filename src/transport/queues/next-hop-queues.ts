// The queues of next hops, as the transport puts them together with its other parts.
import type { CutOff } from "../../smtp/client/cut-off.ts";
import { CLOSED } from "../../smtp/client/destination.ts";
import { logLink } from "../attempt-log.ts";
import { type Courier, DestinationQueue } from "./destination-queue.ts";
import type { MessageSteps } from "../message-steps.ts";
import type { Pipeline } from "../pipeline.ts";
import { QueueSet } from "./queue-set.ts";
import { type Route, linkOf } from "../routing/router.ts";
import type { RouterSinks } from "../routing/router-sinks.ts";
import type { TransportParts } from "../transport.ts";

interface QueueParts<Script> {
  readonly courierFor: (route: Route) => Courier;
  readonly pipeline: () => Pipeline<Script>;
  readonly retryDelayMs: (failures: number) => number;
  readonly routerSinks: RouterSinks | undefined;
  readonly steps: MessageSteps;
  readonly cutOff: CutOff;
  readonly localKey: () => string;
}

/** What they tell goes to the pipeline, the log and the router sinks. */
export function createQueues<Script>(
  { clock, log, recorder, frozen }: Pick<TransportParts<unknown>, "clock" | "log" | "recorder" | "frozen">,
  { courierFor, pipeline, retryDelayMs, routerSinks, steps, cutOff, localKey }: QueueParts<Script>,
): QueueSet {
  return new QueueSet({
    courierFor,
    queueFor: (route, courier) =>
      new DestinationQueue({
        key: route.key,
        isLocal: route.kind === "local",
        courier,
        clock,
        load: (message) => pipeline().load(message),
        linkChanged: (state) => {
          const link = { nextHop: linkOf(route), ...state };
          logLink(log, link);
          routerSinks?.notify(link);
        },
        started: recorder === undefined ? undefined : (delivery) => steps.started(delivery),
        attempted: (delivery, result) => {
          if (result.kind === "unreachable" && result.reply !== CLOSED)
            routerSinks?.connectionFailed(delivery.message, linkOf(route));
          pipeline().attempted(delivery, result);
        },
        cutOff,
        retryDelayMs,
        outside: pipeline().parking.outside(route.key),
        freed: () => pipeline().parking.freed(),
        stranded: (deliveries) => pipeline().stranded(deliveries),
      }),
    frozen,
    localKey,
    forgotten: (key) => pipeline().parking.parked.forgetQueue(key),
  });
}
