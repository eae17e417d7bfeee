// Slows down clients that try addresses: each refused recipient makes the next reply later. Only that session waits.
import { defineSink } from "onarrival";

export default defineSink({
  event: "OnInboundCommand",
  binding: { rule: "RCPT", priority: 30_000 },
  onEvent({ status, session }, { properties }) {
    if (status === "success") return undefined;
    const refused = Number(session.properties.get("refused") ?? 0) + 1;
    session.properties.set("refused", refused);
    const free = properties.number("free", 2);
    if (refused <= free) return undefined;
    const delayMs = Math.min(
      (refused - free) * properties.number("stepMs", 1000),
      properties.number("maxMs", 10_000),
    );
    return new Promise<void>((resolve) => void setTimeout(resolve, delayMs));
  },
});
