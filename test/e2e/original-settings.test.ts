// Settings of the original in one running service: names that others see, who hears of failures, mail that waits for ETRN.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { serviceConfig } from "../support/service-config.ts";
import { startService } from "../support/service.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

test("a service under a masquerade, with copies of failures and a domain that fetches its mail", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = (address) => (address.startsWith("gone@") ? "550 5.1.1 no such user" : undefined);
  const server = {
    keywords: ["SIZE", "PIPELINING", "8BITMIME", "ETRN"],
    domains: {
      local: ["here.example"],
      remote: [{ name: "*.fetches.example", smartHost: `[127.0.0.1]:${hop.port}`, etrn: true, relay: true }],
    },
    reports: { sendNdrTo: "ndr@admin.example", sendBadTo: "bad@admin.example" },
  };
  const delivery = { masqueradeDomain: "shown.example" };
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server, delivery }),
  });
  const to = (address: string): (typeof hop.messages)[number] | undefined =>
    hop.messages.find((message) => message.to.includes(address));
  const body = "Yours, alice@here.example";
  const text = plainMessage("hello", body, ["From: Alice <alice@here.example>"]);

  await send(service.port, { from: "alice", to: ["bob@far.example", "gone@far.example"], data: text });
  await eventually(() => to("ndr@admin.example") !== undefined, { what: "the copy of the report" });
  expect(to("bob@far.example")?.from).toBe("alice@shown.example");
  const sent = to("bob@far.example")?.content.toString() ?? "";
  expect(sent).toContain("From: Alice <alice@shown.example>\r\n");
  expect(sent).toContain(body);
  expect(to("ndr@admin.example")?.to).toEqual(["alice@shown.example", "ndr@admin.example"]);

  await send(service.port, { from: "", to: "gone@far.example", data: text });
  await eventually(() => to("bad@admin.example") !== undefined, { what: "the notice of Badmail" });
  expect(to("bad@admin.example")?.content.toString()).toContain("Code: UNDELIVERABLE_REPORT");

  await send(service.port, { from: "carol@else.example", to: "b@one.fetches.example", data: text });
  expect((await service.queue()).map(({ queue }) => queue)).toEqual([
    `127.0.0.1:${hop.port} for one.fetches.example`,
  ]);
  await using client = conversation(service.port);
  await client.expects(220).sends("EHLO x").expects(250).sends("ETRN one.fetches.example").expects(253);
  await eventually(() => to("b@one.fetches.example") !== undefined, { what: "the mail that was asked for" });
});
