// A new verb with its keyword: EHLO offers XFOO, `XFOO text` answers, and MAIL takes a parameter XFOO=n that stays with the message.
import { defineSink, protocolResult } from "onarrival";

export default defineSink({
  event: "OnInboundCommand",
  // Bound twice: with this priority for XFOO and MAIL, and behind the built-in handler (rule EHLO, priority 28000) for the keyword.
  binding: { rule: "XFOO;MAIL", priority: 1000 },
  onEvent(context) {
    switch (context.verb) {
      case "EHLO":
        if (context.status === "success") context.appendNativeResponse("XFOO");
        return protocolResult.runNext;
      case "MAIL": {
        // Taken out of the command: the built-in handler would refuse what it does not know.
        const foo = context.takeParameter("XFOO");
        if (foo !== undefined) context.message.properties.set("foo", foo);
        return protocolResult.runNext;
      }
      default:
        context.setResponse(`250 2.0.0 foo ${context.argument}`);
        return protocolResult.consumed;
    }
  },
});
