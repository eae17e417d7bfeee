// Built-in native sink: counts recipients and refuses to spread a message further than allowed.
// sinkProperties: `maxRecipients` (default 50), `action` "badmail" (default) or "discard", `countHeader` a header field
// that carries the count (default none).
import { messageStatus, sinkResult } from "../core/status.ts";
import { type PropertyBag, defineSink } from "../events/sink.ts";
import { oneOf, requireKnown } from "./property-checks.ts";

const maxOf = (properties: PropertyBag): number => properties.number("maxRecipients", 50);
const actionOf = (properties: PropertyBag): "badmail" | "discard" =>
  oneOf(properties, "action", ["badmail", "discard"]);

export default defineSink({
  event: "OnTransportSubmission",
  checkProperties(properties) {
    requireKnown(properties, ["maxRecipients", "action", "countHeader"]);
    maxOf(properties);
    actionOf(properties);
  },
  onEvent(msg, { properties, log }) {
    const count = msg.recipients.count;
    const countHeader = properties.text("countHeader", "");
    if (countHeader !== "") msg.headers.set(countHeader, String(count));
    const maxRecipients = maxOf(properties);
    if (count <= maxRecipients) return sinkResult.runNext;
    log.warn(
      { message: msg.id, sender: msg.sender, count, maxRecipients },
      "message has too many recipients",
    );
    msg.status = actionOf(properties) === "discard" ? messageStatus.abortDelivery : messageStatus.badMail;
    return sinkResult.skipRemaining;
  },
});
