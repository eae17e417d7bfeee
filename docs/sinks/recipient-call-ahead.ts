// Asks the mail store behind us, at RCPT, whether it knows the recipient: mail for nobody is refused at the door instead of bounced.
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { defineSink, protocolResult } from "onarrival";

/** Undefined: the store said nothing that could be used. */
type Verdict = string | undefined;

interface Cached {
  readonly verdict: Verdict;
  readonly until: number;
}

const MAX_CACHED = 10_000;

/** MAIL FROM:<>, RCPT TO: one transaction that never gets to DATA. */
async function ask(host: string, port: number, address: string, timeoutMs: number): Promise<Verdict> {
  const socket = createConnection({ host, port, timeout: timeoutMs });
  socket.once("timeout", () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  const commands = ["HELO call-ahead.invalid", "MAIL FROM:<>", `RCPT TO:<${address}>`];
  try {
    for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
      if (/^\d{3}-/.test(line)) continue;
      const command = commands.shift();
      if (command === undefined) return line;
      if (!/^2\d\d/.test(line)) return undefined;
      socket.write(`${command}\r\n`);
    }
    return undefined;
  } finally {
    socket.end("QUIT\r\n");
  }
}

export default defineSink({
  event: "OnInboundCommand",
  // Behind the built-in handler (24575): whoever may not relay through us is not worth a question.
  binding: { rule: "RCPT", priority: 28_000 },
  async onEvent(context, { properties, log }) {
    const address = /<([^<>\s]+)>/.exec(context.argument)?.[1]?.toLowerCase();
    if (context.status !== "success" || address === undefined) return protocolResult.runNext;
    const cache = cacheOf(context.server.properties);
    const now = Date.now();
    let known = cache.get(address);
    if (known === undefined || known.until <= now) {
      const verdict = await ask(
        properties.text("host", "127.0.0.1"),
        properties.number("port", 25),
        address,
        properties.number("timeoutMs", 3000),
      ).catch((error: unknown): Verdict => {
        log.warn({ address, error: String(error) }, "call-ahead failed");
        return undefined;
      });
      // A store that is down must not stop our mail: without a verdict the recipient is taken.
      known = { verdict, until: now + properties.number("cacheSeconds", 300) * 1000 };
      const [oldest] = cache.keys();
      if (cache.size >= MAX_CACHED && oldest !== undefined) cache.delete(oldest);
      cache.set(address, known);
    }
    if (known.verdict?.startsWith("5") !== true) return protocolResult.runNext;
    context.setResponse("550 5.1.1 Mailbox unknown");
    return protocolResult.skipRemaining;
  },
});

/** Server properties live as long as the virtual server: all its sessions share one cache. */
function cacheOf(properties: Map<string, unknown>): Map<string, Cached> {
  const kept = properties.get("callAhead");
  if (kept instanceof Map) return kept;
  const cache = new Map<string, Cached>();
  properties.set("callAhead", cache);
  return cache;
}
