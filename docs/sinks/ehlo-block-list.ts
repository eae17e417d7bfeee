// Turns hosts away by the name that they give in EHLO or HELO. Which names and what they hear stands in the sink properties.
import { defineSink, protocolResult } from "onarrival";

export default defineSink({
  event: "OnInboundCommand",
  // Before the built-in handler (24575), which then never sees the command.
  binding: { rule: "EHLO;HELO", priority: 1000 },
  onEvent(context, { properties, log }) {
    const name = context.argument.toLowerCase();
    const blocked = properties
      .text("names", "")
      .toLowerCase()
      .split(/[\s,]+/);
    if (!blocked.some((suffix) => suffix !== "" && (name === suffix || name.endsWith(`.${suffix}`))))
      return protocolResult.runNext;
    log.info({ name, client: context.session.remoteAddress }, "turned away");
    context.setResponse(properties.text("text", "550 5.7.1 You are not welcome here"));
    context.dropSession();
    return protocolResult.consumed;
  },
});
