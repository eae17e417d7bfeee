// Which courier takes the messages of a route, and whether new settings mean another way for it.
import type { CutOff } from "../../smtp/client/cut-off.ts";
import type { Courier } from "../queues/destination-queue.ts";
import { LocalCourier } from "./local-courier.ts";
import type { OnDemand } from "./on-demand.ts";
import { RefusingCourier } from "./refusing-courier.ts";
import { SinkCourier } from "./sink-courier.ts";
import type { RemoteRoute, Route } from "../routing/router.ts";
import type { StoreSinks } from "../store-sinks.ts";
import type { LiveTransportSettings, TransportParts } from "../transport.ts";

export const courierMaker =
  (
    { drop, settings: { maxLocalDeliveries } }: Pick<TransportParts<unknown>, "drop" | "settings">,
    sinks: StoreSinks | undefined,
    demand: OnDemand,
    cutOff: CutOff,
  ) =>
  ({ remoteCourier, signLocal }: LiveTransportSettings) =>
  (route: Route): Courier => {
    if (route.kind === "local") {
      const courier = new LocalCourier(drop, maxLocalDeliveries, signLocal);
      return sinks === undefined ? courier : new SinkCourier(courier, sinks, maxLocalDeliveries, cutOff);
    }
    if (route.kind === "unreachable") return new RefusingCourier(route.reply);
    const courier = remoteCourier(route, cutOff);
    return route.onDemand === undefined ? courier : demand.courier(courier, route.onDemand, route.key);
  };

/** Local mail always counts as changed, and is tried again: no setting tells whether a full disk or a sink of StoreDriver stopped it. */
export const sameWays =
  (
    before: Pick<LiveTransportSettings, "wayOf">,
    now: Pick<LiveTransportSettings, "wayOf">,
  ): ((was: Route, route: Route) => boolean) =>
  (was, route) => {
    if (!isRemote(was) || !isRemote(route) || was.onDemand !== route.onDemand) return false;
    return before.wayOf !== undefined && before.wayOf(was) === now.wayOf?.(route);
  };

const isRemote = (route: Route): route is RemoteRoute =>
  route.kind !== "local" && route.kind !== "unreachable";
