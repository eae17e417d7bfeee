// A native sink that throws every message away once it is stored: what Postfix's `discard` transport does.
import { defineSink, messageStatus } from "onarrival";

export default defineSink({
  event: "OnTransportSubmission",
  onEvent(msg) {
    msg.status = messageStatus.abortDelivery;
  },
});
