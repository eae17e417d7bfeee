// An AUTH mechanism of our own: the client proves by HMAC-SHA-256 over a fresh challenge that it knows the secret.
//   C: AUTH X-HMAC    S: 334 <challenge>    C: base64("user " + hex(hmac(secret, challenge)))
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { defineSink, type InboundCommandContext, protocolResult } from "onarrival";

function offer(context: InboundCommandContext): void {
  const lines = context.nativeResponse?.split("\r\n") ?? [];
  if (context.status !== "success" || context.session.userName !== undefined) return;
  // Clients read one AUTH line: a built-in one gets our word at its end.
  const at = lines.findIndex((line) => /^250[- ]AUTH /.test(line));
  if (at < 0) context.appendNativeResponse("AUTH X-HMAC");
  else context.setNativeResponse(lines.with(at, `${lines[at] ?? ""} X-HMAC`).join("\r\n"));
}

function userOf(answer: string, challenge: string, secret: string): string | undefined {
  const [, user, given] =
    /^([\w.@-]{1,64}) ([0-9a-f]{64})$/.exec(Buffer.from(answer, "base64").toString()) ?? [];
  if (user === undefined || given === undefined) return undefined;
  const wanted = createHmac("sha256", secret).update(`${user} ${challenge}`).digest();
  return timingSafeEqual(Buffer.from(given, "hex"), wanted) ? user : undefined;
}

export default defineSink({
  event: "OnInboundCommand",
  // Behind the built-in handler, which offers its own mechanisms and does not know ours: its 504 is replaced.
  binding: { rule: "EHLO;AUTH=X-HMAC", priority: 28_000 },
  async onEvent(context, { properties, log }) {
    const { session, message } = context;
    if (context.verb === "EHLO") return offer(context);
    const secret = properties.text("secret", "");
    const isEarly = session.remoteName === undefined || secret === "";
    if (isEarly || session.userName !== undefined || message.sender !== undefined) return undefined;
    const challenge = randomBytes(16).toString("base64");
    const answer = await context.nextLine(`334 ${challenge}`);
    const user = userOf(answer?.toString() ?? "", challenge, secret);
    if (user === undefined) {
      log.info({ client: session.remoteAddress }, "X-HMAC failed");
      // What guessing costs: the reply waits.
      await new Promise((resolve) => setTimeout(resolve, properties.number("delayMs", 1000)));
      context.setResponse("535 5.7.8 Authentication credentials invalid");
    } else {
      // This is what gives the right to relay, as after a built-in AUTH.
      session.userName = user;
      context.setResponse("235 2.7.0 Authentication successful");
    }
    return protocolResult.skipRemaining;
  },
});
