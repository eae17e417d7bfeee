// The native sinks of docs/sinks, bound in onarrival.yaml and run by the real service.
import { createHmac } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

const SAMPLES = fileURLToPath(new URL("../../docs/sinks/", import.meta.url));

interface Bound {
  readonly event?: string;
  readonly rule?: string;
  readonly priority?: number;
  readonly [property: string]: unknown;
}

function bound(
  sample: string,
  { event = "OnInboundCommand", rule, priority, ...sinkProperties }: Bound = {},
): Record<string, unknown> {
  return {
    displayName: `${sample} ${rule ?? ""}`,
    event,
    sinkClass: path.join(SAMPLES, `${sample}.ts`),
    sinkProperties,
    ...(rule === undefined
      ? {}
      : { sourceProperties: { rule, ...(priority === undefined ? {} : { priority }) } }),
  };
}

/** Relays for nobody: what the client may do is what the samples give it. */
const serve = (bindings: readonly Record<string, unknown>[], smartHost?: CaptureServer): Promise<Service> =>
  startService({
    config: serviceConfig({
      bindings,
      localDomains: ["example.com"],
      ...(smartHost === undefined ? {} : { smartHostPort: smartHost.port, delivery: { startTls: "never" } }),
      server: { relay: { networks: smartHost === undefined ? [] : ["127.0.0.0/8"] } },
    }),
  });

test("call-ahead: a recipient that the mail store does not know is refused at RCPT, the answer is remembered, a store that is down stops nobody", async () => {
  await using store = await startCaptureServer();
  store.script.rcpt = (address) => (address.startsWith("nobody") ? "550 5.1.1 no such user" : undefined);
  await using service = await serve([bound("recipient-call-ahead", { port: store.port, timeoutMs: 1000 })]);
  const asked = (): number => store.commands.filter((verb) => verb.startsWith("RCPT")).length;
  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO client.example")
    .expects(250)
    .sends("MAIL FROM:<a@example.net>")
    .expects(250);
  await talk.sends("RCPT TO:<nobody@example.com>").expects(550, "5.1.1 Mailbox unknown");
  await talk.sends("RCPT TO:<somebody@example.com>").expects(250);
  expect(asked()).toBe(2);
  await talk
    .sends("RCPT TO:<Nobody@example.com>")
    .expects(550, "5.1.1")
    .sends("RCPT TO:<x@elsewhere.org>")
    .expects(550, "5.7.1");
  expect(asked()).toBe(2);
  await store.stop();
  await talk.sends("RCPT TO:<third@example.com>").expects(250);
  await service.logged(/call-ahead failed/);
});

test("block list, tarpit, a new verb and a bill share one session", async () => {
  await using service = await serve([
    bound("ehlo-block-list", {
      names: "spammer.example, bad.test",
      text: "550 5.7.1 Call us if you think this is wrong",
    }),
    bound("tarpit", { free: 1, stepMs: 150, maxMs: 300 }),
    bound("foo-verb", { rule: "XFOO;MAIL", priority: 1000 }),
    bound("foo-verb", { rule: "EHLO", priority: 28_000 }),
    bound("billing-counter"),
  ]);
  await using blocked = conversation(service.port);
  await blocked
    .expects(220)
    .sends("EHLO mail.Spammer.example")
    .expects(550, "Call us if you think")
    .expectsEnd();
  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO client.example")
    .expects(250, /XFOO/)
    .sends("XFOO bar")
    .expects(250, "foo bar");
  await talk.sends("MAIL FROM:<a@example.net> XFOO=7 SIZE=100").expects(250);
  await talk.sends("RCPT TO:<b@example.com>").expects(250).sends("RCPT TO:<1@elsewhere.org>").expects(550);
  const started = performance.now();
  await talk.sends("RCPT TO:<2@elsewhere.org>").expects(550).sends("RCPT TO:<3@elsewhere.org>").expects(550);
  expect(performance.now() - started).toBeGreaterThan(400);
  await talk
    .sends("DATA")
    .expects(354)
    .sendsBytes(Buffer.from("Subject: x\r\n\r\nhello\r\n.\r\n"))
    .expects(250);
  await talk.sends("QUIT").expects(221);
  expect(await service.logged(/"bill"/)).toMatch(/"messages":1.*"recipients":1/);
});

test("own AUTH mechanism: the user it names may relay, a wrong proof may not", async () => {
  await using service = await serve([bound("own-authentication", { secret: "open sesame", delayMs: 10 })]);
  for (const secret of ["guess", "open sesame"]) {
    await using talk = conversation(service.port);
    await talk
      .expects(220)
      .sends("AUTH X-HMAC")
      .expects(503)
      .sends("EHLO client.example")
      .expects(250, /AUTH X-HMAC/);
    const { text } = await talk.sends("AUTH X-HMAC").expects(334);
    const challenge = text.replace(/^334 /, "").trim();
    const proof = createHmac("sha256", secret).update(`ali ${challenge}`).digest("hex");
    const isRight = secret === "open sesame";
    await talk.sends(Buffer.from(`ali ${proof}`).toString("base64")).expects(isRight ? 235 : 535);
    await talk.sends("MAIL FROM:<ali@example.com>").expects(250);
    await talk.sends("RCPT TO:<x@elsewhere.org>").expects(isRight ? 250 : 550);
  }
});

test("full mailbox: the 452 of one next hop counts as a refusal, and the sender hears of it", async () => {
  await using hub = await startCaptureServer();
  hub.script.rcpt = (address) => (address.startsWith("full") ? "452 4.2.2 mailbox full" : undefined);
  await using service = await serve(
    [bound("full-mailbox", { event: "OnServerResponse", rule: "RCPT", host: "127.0.0.1" })],
    hub,
  );
  await send(service.port, {
    from: "sender@example.com",
    to: "full@other.example",
    data: plainMessage("full"),
  });
  const [report] = await service.dropped(1);
  expect(report?.content.toString()).toMatch(/Status: 5\.2\.2/);
  expect(hub.messages).toEqual([]);
});

test("partner account: commands and parameters for one domain and no other", async () => {
  await using hub = await startCaptureServer();
  await using service = await serve(
    [bound("partner-account", { event: "OnPerRecipient", account: "A-17" })],
    hub,
  );
  await send(service.port, {
    to: ["one@partner.example", "two@partner.example"],
    data: plainMessage("paid"),
  });
  await send(service.port, { to: "three@other.example", data: plainMessage("free") });
  const messages = await hub.received(2);
  const parameters = messages.flatMap(({ to, rcptParameters }) =>
    to.map((address, at) => [address, rcptParameters[at]]),
  );
  expect(Object.fromEntries(parameters)).toEqual({
    "one@partner.example": "XBILL=A-17",
    "two@partner.example": "XBILL=A-17",
    "three@other.example": "",
  });
  expect(hub.commands.filter((verb) => verb.startsWith("XACCOUNT"))).toHaveLength(1);
});
