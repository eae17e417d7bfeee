// Built-in native sink: adds a header field to every message its binding matches.
// sinkProperties: `name` (default "X-Relay"), `value` (default the name of the virtual server).
import { sinkResult } from "../core/status.ts";
import { defineSink } from "../events/sink.ts";
import { requireKnown } from "./property-checks.ts";

export default defineSink({
  event: "OnTransportSubmission",
  checkProperties: (properties) => requireKnown(properties, ["name", "value"]),
  onEvent(msg, { properties }) {
    msg.headers.add(properties.text("name", "X-Relay"), properties.text("value", msg.origin.server));
    return sinkResult.runNext;
  },
});
