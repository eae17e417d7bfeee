// Counts messages and recipients per connection and per client, and writes a line for the bill when the client says QUIT.
import { defineSink } from "onarrival";

interface Bill {
  messages: number;
  recipients: number;
}

/** Session properties die with the connection, server properties with the service. */
function billIn(properties: Map<string, unknown>, name: string): Bill {
  const kept = properties.get(name);
  if (isBill(kept)) return kept;
  const bill: Bill = { messages: 0, recipients: 0 };
  properties.set(name, bill);
  return bill;
}

const isBill = (value: unknown): value is Bill =>
  typeof value === "object" && value !== null && "messages" in value && "recipients" in value;

export default defineSink({
  event: "OnInboundCommand",
  // Behind the built-in handler, to see whether the message is ours. By then it has left the session: its recipients are noted at DATA.
  binding: { rule: "DATA;BDAT;_EOD;QUIT", priority: 28_000 },
  onEvent({ verb, status, session, server, message }, { log }) {
    const ours = billIn(session.properties, "billing");
    if (verb === "QUIT") {
      const total = billIn(server.properties, `billing ${session.userName ?? session.remoteAddress}`);
      total.messages += ours.messages;
      total.recipients += ours.recipients;
      log.info(
        { client: session.remoteAddress, user: session.userName, ...ours, total: { ...total } },
        "bill",
      );
    } else if (verb === "_EOD") {
      if (status !== "success") return;
      ours.messages += 1;
      ours.recipients += Number(session.properties.get("billed recipients") ?? 0);
    } else session.properties.set("billed recipients", message.recipients.length);
  },
});
