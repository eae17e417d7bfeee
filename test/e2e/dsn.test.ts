// Reports: a refusal of the next hop comes back to the sender, once, in the form of RFC 3464; never a report of a report.
import PostalMime from "postal-mime";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCaptureServer, type CaptureServer } from "../support/capture-server.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const QUICK = { retry: { glitchRetries: 0, intervalsMinutes: [0.005] } };

const start = (next: CaptureServer, server: Record<string, unknown> = QUICK): Promise<Service> =>
  startService({
    config: serviceConfig({ smartHostPort: next.port, localDomains: ["example.com"], server }),
  });

let hop: CaptureServer;
let service: Service;
beforeAll(async () => {
  hop = await startCaptureServer();
  service = await start(hop);
});
/** Nothing of a test is left for the next one. */
afterEach(async () => {
  await drained();
  await service.clear();
  hop.script.rcpt = undefined;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await hop[Symbol.asyncDispose]();
});

/** Waits until the queue is empty: then nothing more comes. */
const drained = (): Promise<boolean> =>
  eventually(async () => (await service.queue()).length === 0, { what: "an empty queue", intervalMs: 100 });

test("a 5xx for one of two recipients is reported to the sender, with the reply of the next hop", async () => {
  hop.script.rcpt = (address) => (address === "gone@example.org" ? "550 5.1.1 no such user here" : undefined);
  await send(service.port, {
    from: "alice@example.com",
    to: ["gone@example.org", "fine@example.org"],
    data: plainMessage("will bounce in part"),
    mailParameters: "ENVID=E77",
  });
  const [delivered] = await hop.received(1);
  expect(delivered?.to).toEqual(["fine@example.org"]);
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  expect(text).toMatch(/^x-sender: (<>)?\r$/im);
  expect(text).toMatch(/^x-receiver: alice@example\.com\r$/im);
  expect(text).toMatch(/multipart\/report/i);
  expect(text).toMatch(/report-type="?delivery-status"?/i);
  expect(text).toMatch(/^Original-Envelope-Id: E77\r$/m);
  expect(text).toMatch(/^Final-Recipient: rfc822; ?gone@example\.org\r$/im);
  expect(text).toMatch(/^Action: failed\r$/im);
  expect(text).toMatch(/^Status: 5\.1\.1\r$/im);
  expect(text).toMatch(/^Diagnostic-Code: smtp; ?550 5\.1\.1 no such user here/im);
  expect(text).not.toContain("fine@example.org\r\nAction");
});

test("what a next hop says in letters beyond ASCII is reported to a sender whose host takes 7 bits only", async () => {
  hop.script.rcpt = (address) => (address === "gone@example.org" ? "550 5.1.1 нет такого" : undefined);
  hop.script.extensions = ["PIPELINING"];
  // No connection is left from before.
  await hop.stop();
  await hop.listen();
  await send(service.port, { from: "anna@example.net", to: "gone@example.org", data: plainMessage("told") });
  await hop.received(hop.messages.length + 1);
  hop.script.extensions = ["PIPELINING", "8BITMIME"];
  const report = hop.messages.at(-1);
  expect(report?.to).toEqual(["anna@example.net"]);
  const text = report?.content.toString("latin1") ?? "";
  expect(text).toMatch(/^Diagnostic-Code: smtp; 550 5\.1\.1 \?{3} \?{6}\r$/m);
  expect((await PostalMime.parse(report?.content ?? "")).text).toContain("550 5.1.1 нет такого");
  expect(text).toMatch(/^[\0-\x7f]*$/);
});

test("NOTIFY=NEVER gets no report", async () => {
  hop.script.rcpt = () => "550 5.1.1 no";
  await send(service.port, {
    from: "alice@example.com",
    to: "b@example.org",
    data: plainMessage("quiet"),
    rcptParameters: "NOTIFY=NEVER",
  });
  await drained();
  expect(await service.drop()).toEqual([]);
});

test("NOTIFY=SUCCESS is reported when the message is delivered locally", async () => {
  await send(service.port, {
    from: "alice@example.com",
    to: "bob@example.com",
    data: plainMessage("tell me"),
    rcptParameters: "NOTIFY=SUCCESS",
  });
  const files = await service.dropped(2);
  const report = files
    .map((file) => file.content.toString("latin1"))
    .find((text) => /multipart\/report/i.test(text));
  expect(report).toMatch(/^Action: (delivered|relayed)\r$/im);
});

test("N09 a refused message with the null sender goes to Badmail, not round in circles", async () => {
  hop.script.rcpt = () => "550 5.1.1 no";
  await send(service.port, { from: "", to: "b@example.org", data: plainMessage("report of another system") });
  const files = await eventually(
    async () => {
      const found = await service.badmail();
      return found.some((file) => /\.bad$/i.test(file.name)) && found;
    },
    { what: "the message in Badmail" },
  );
  expect(files.some((file) => file.content.includes("report of another system"))).toBe(true);
  expect(await service.drop()).toEqual([]);
});

test("Badmail names those alone who did not get the message, also when they are refused one after the other", async () => {
  let attempts = 0;
  hop.script.rcpt = (address) => {
    if (address === "gone@example.org") return "550 5.1.1 no";
    if (address !== "later@example.org") return undefined;
    attempts += 1;
    return attempts === 1 ? "450 4.2.0 later" : "550 5.1.1 no, too";
  };
  const to = ["gone@example.org", "here@example.com", "there@example.org", "later@example.org"];
  await send(service.port, { from: "", to, data: plainMessage("for some") });
  await drained();
  const files = await service.badmail();
  const text = (ending: string): string =>
    files.find(({ name }) => name.endsWith(ending))?.content.toString() ?? "";
  expect(JSON.parse(text(".BDP"))).toMatchObject({
    recipients: [{ address: "gone@example.org" }, { address: "later@example.org" }],
  });
  expect(text(".BDR").match(/^Recipient: .*$/gm)).toEqual([
    "Recipient: <gone@example.org>",
    "Recipient: <later@example.org>",
  ]);
});

test("a report that cannot be delivered goes to Badmail", async () => {
  hop.script.rcpt = () => "550 5.1.1 nobody at all";
  await send(service.port, {
    from: "remote@example.net",
    to: "b@example.org",
    data: plainMessage("double bounce"),
  });
  const files = await eventually(
    async () => {
      const found = await service.badmail();
      return found.some((file) => /\.bad$/i.test(file.name)) && found;
    },
    { what: "the report in Badmail" },
  );
  expect(files.some((file) => /multipart\/report/i.test(file.content.toString("latin1")))).toBe(true);
});

test("Q07 a message that expires is returned with 4.4.7 or 5.4.7", async () => {
  await using absent = await startCaptureServer();
  await absent.stop();
  await using waiting = await start(absent, {
    retry: { glitchRetries: 0, intervalsMinutes: [0.005], delayNoticeMinutes: 100, expireMinutes: 0.02 },
  });
  await send(waiting.port, { from: "alice@example.com", to: "b@example.org", data: plainMessage("expires") });
  const [file] = await waiting.dropped(1, 20_000);
  expect(file?.content.toString("latin1")).toMatch(/^Status: [45]\.4\.7\r$/im);
  await sleep(200);
  expect(await waiting.drop()).toHaveLength(1);
});

test("Q07 a long wait is announced once", async () => {
  await using absent = await startCaptureServer();
  await absent.stop();
  await using waiting = await start(absent, {
    retry: { glitchRetries: 0, intervalsMinutes: [0.005], delayNoticeMinutes: 0.01, expireMinutes: 100 },
  });
  await send(waiting.port, { from: "alice@example.com", to: "b@example.org", data: plainMessage("delayed") });
  const [file] = await waiting.dropped(1, 20_000);
  expect(file?.content.toString("latin1")).toMatch(/^Action: delayed\r$/im);
  await sleep(1500);
  expect(await waiting.drop()).toHaveLength(1);
});
