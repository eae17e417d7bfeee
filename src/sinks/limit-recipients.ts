// Built-in native sink: counts recipients and refuses to spread a message further than allowed.
// sinkProperties: `maxRecipients` (default 50), `action` "badmail" (default) or "discard", `countHeader` a header field
// that carries the count (default none).
import { messageStatus, sinkResult } from "../core/status.ts";
import { defineSink } from "../events/sink.ts";

export default defineSink({
  event: "OnTransportSubmission",
  onEvent(msg, { properties, log }) {
    const count = msg.recipients.count;
    const countHeader = properties.text("countHeader", "");
    if (countHeader !== "") msg.headers.set(countHeader, String(count));
    const maxRecipients = properties.number("maxRecipients", 50);
    if (count <= maxRecipients) return sinkResult.runNext;
    log.warn(
      { message: msg.id, sender: msg.sender, count, maxRecipients },
      "message has too many recipients",
    );
    msg.status =
      properties.text("action", "badmail") === "discard"
        ? messageStatus.abortDelivery
        : messageStatus.badMail;
    return sinkResult.skipRemaining;
  },
});
