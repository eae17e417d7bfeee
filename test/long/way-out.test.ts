// From service to service: what one takes in, the other understands.
import { expect, test } from "vitest";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation } from "../support/smtp-client.ts";

const BINARY = Buffer.concat([
  Buffer.from("Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: image/x-thing\r\n"),
  Buffer.from("Content-Transfer-Encoding: binary\r\n\r\n"),
  Buffer.of(0x00, 0x0a, 0x2e, 0x0d, 0x2e, 0xff, 0xfe),
]);

async function sendBinary(port: number, to: readonly string[]): Promise<void> {
  await using talk = conversation(port);
  talk.expects(220).sends("EHLO client.example").expects(250);
  talk.sends("MAIL FROM:<a@client.example> BODY=BINARYMIME").expects(250);
  for (const address of to) talk.sends(`RCPT TO:<${address}>`).expects(250);
  talk.sendsBytes(Buffer.concat([Buffer.from(`BDAT ${BINARY.length} LAST\r\n`), BINARY])).expects(250);
  await talk.sends("QUIT").expects(221);
}

const relayTo = (delivery: Record<string, unknown>, localDomains?: readonly string[]): Promise<Service> =>
  startService({
    config: serviceConfig({ delivery, ...(localDomains === undefined ? {} : { localDomains }) }),
  });

test("BINARYMIME reaches a next hop that takes it byte for byte, and one that does not as base64", async () => {
  await using whole = await startService({ config: serviceConfig() });
  await using narrow = await startService({
    config: serviceConfig({ server: { keywords: ["SIZE", "PIPELINING", "ENHANCEDSTATUSCODES"] } }),
  });
  const drops: Buffer[] = [];
  for (const hop of [whole, narrow]) {
    await using service = await relayTo({ smartHost: `127.0.0.1:${hop.port}` });
    await sendBinary(service.port, ["b@far.example"]);
    const [file] = await hop.dropped(1);
    drops.push(file?.content ?? Buffer.alloc(0));
  }
  const body = BINARY.subarray(BINARY.indexOf("\r\n\r\n") + 4);
  expect(drops[0]?.subarray(-BINARY.length).equals(BINARY)).toBe(true);
  expect(drops[1]?.toString("latin1")).toContain(
    `Content-Transfer-Encoding: base64\r\n\r\n${body.toString("base64")}\r\n`,
  );
});

test("LMTP from service to service: each local recipient has its own fate", async () => {
  await using mailbox = await startService({
    config: serviceConfig({
      localDomains: ["here.example"],
      server: { protocol: "lmtp", relay: { networks: [] } },
    }),
  });
  await using service = await relayTo({ lmtp: `127.0.0.1:${mailbox.port}` }, [
    "here.example",
    "gone.example",
  ]);
  await sendBinary(service.port, ["b@here.example", "c@gone.example"]);
  const [file] = await mailbox.dropped(1);
  expect(file?.content.toString("latin1")).toContain("x-receiver: b@here.example");
  // The report of the other one is not local, and nothing else leaves this machine.
  const [report] = await service.dropped(1);
  expect(report?.content.toString("latin1")).toContain("Final-Recipient: rfc822;c@gone.example");
  expect(report?.content.includes(BINARY.subarray(-7))).toBe(false);
});
