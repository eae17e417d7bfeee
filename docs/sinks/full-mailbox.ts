// A next hop that says 452 for mailboxes that have been full for months: its "later" is taken for a "no", so the sender hears of it today.
import { defineSink, protocolResult } from "onarrival";

export default defineSink({
  event: "OnServerResponse",
  binding: { rule: "RCPT" },
  onEvent(context, { properties }) {
    const isOfThem = context.session.remoteName === properties.text("host", "mail.partner.example");
    if (isOfThem && context.statusCode === 452 && /\b4\.2\.2\b/.test(context.response))
      context.judgement = "complete-failure";
    return protocolResult.runNext;
  },
});
