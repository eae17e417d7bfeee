// The smallest sink: a header field for mail to one domain, with its value from the sink properties. `sinkResult` needs no import.
import { defineSink } from "onarrival";

export default defineSink({
  event: "OnTransportSubmission",
  binding: { rule: "RCPT TO=*@example.com", priority: 1000 },
  // A promise is the original's S_PENDING: only this message waits.
  async onEvent(msg, { properties }) {
    msg.headers.add("X-Relay", properties.get("name") ?? "edge-1");
    return sinkResult.runNext; // S_OK; sinkResult.skipRemaining is S_FALSE
  },
});
