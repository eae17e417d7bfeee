// Postfix as next hop, where it is installed: what leaves us arrives behind it as it was meant.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postfixMissing, startPostfix } from "../../bench/postfix.ts";
import type { Subject } from "../../bench/subject.ts";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { type Conversation, conversation, plainMessage, send } from "../support/smtp-client.ts";

const pem = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
const missing = postfixMissing();
if (missing !== undefined) console.warn(`interoperation with Postfix is not tested: ${missing}`);

const greet = (talk: Conversation): Conversation =>
  talk.expects(220).sends("EHLO client.example.net").expects(250);

describe.skipIf(missing !== undefined)("through Postfix", () => {
  let behind: CaptureServer;
  let postfix: Subject;

  beforeAll(async () => {
    behind = await startCaptureServer({
      extensions: ["PIPELINING", "SIZE 10000000", "8BITMIME", "DSN", "SMTPUTF8"],
    });
    postfix = await startPostfix({
      relay: behind.port,
      settings: {
        smtpd_tls_security_level: "may",
        smtpd_tls_cert_file: pem("certificate"),
        smtpd_tls_key_file: pem("key"),
        smtpd_tls_received_header: "yes",
        smtputf8_enable: "yes",
        default_delivery_slot_cost: "0",
      },
    });
  });

  afterAll(async () => {
    await postfix?.stop();
    await behind?.[Symbol.asyncDispose]();
  });

  const arrived = (subject: string): Promise<CaptureServer["messages"][number]> =>
    eventually(
      () =>
        behind.messages.find(({ content }) => content.toString("utf8").includes(`Subject: ${subject}\r\n`)),
      { what: `"${subject}" behind Postfix`, timeoutMs: 20_000 },
    );

  test("mail arrives over TLS when it is offered, with its body byte for byte", async () => {
    await using service = await startService({ config: serviceConfig({ smartHostPort: postfix.port }) });
    const body = "dots\r\n.\r\n..two\r\n.three";
    await send(service.port, { to: ["b@example.org"], data: plainMessage("over-tls", body) });
    const { content } = await arrived("over-tls");
    const text = content.toString("latin1");
    expect(text).toMatch(/using TLSv1\.[23]/);
    expect(text.endsWith(`\r\n\r\n${body}\r\n`)).toBe(true);
  });

  test("in clear where that is asked for, and not at all where the certificate must be trusted", async () => {
    await using clear = await startService({
      config: serviceConfig({ smartHostPort: postfix.port, delivery: { startTls: "never" } }),
    });
    await send(clear.port, { to: ["b@example.org"], data: plainMessage("in-clear") });
    expect((await arrived("in-clear")).content.toString("latin1")).not.toMatch(/using TLS/);

    await using strict = await startService({
      config: serviceConfig({ smartHostPort: postfix.port, delivery: { startTls: "required" } }),
    });
    await send(strict.port, { to: ["b@example.org"], data: plainMessage("never-arrives") });
    const [waiting] = await eventually(
      async () => {
        const queue = await strict.queue();
        return queue.some(({ reason }) => reason !== undefined && /TLS|certificate/.test(reason)) && queue;
      },
      { what: "a message that waits for TLS" },
    );
    expect(waiting?.state).toBe("retry");
  });

  test("delivery reports are asked for across both", async () => {
    await using service = await startService({ config: serviceConfig({ smartHostPort: postfix.port }) });
    await using talk = conversation(service.port);
    await greet(talk)
      .sends("MAIL FROM:<a@example.com> RET=HDRS ENVID=QQ314159")
      .expects(250)
      .sends("RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@example.org")
      .expects(250)
      .sends("DATA")
      .expects(354)
      .sends(`${plainMessage("reported")}\r\n.`)
      .expects(250);
    const { mailParameters, rcptParameters } = await arrived("reported");
    expect(mailParameters).toContain("RET=HDRS");
    expect(mailParameters).toContain("ENVID=QQ314159");
    expect(rcptParameters[0]).toMatch(/NOTIFY=(SUCCESS,DELAY|DELAY,SUCCESS)/);
    expect(rcptParameters[0]).toContain("ORCPT=rfc822;c@example.org");
  });

  test("content goes in chunks where that is wanted, and binary content is converted for Postfix", async () => {
    await using service = await startService({
      config: serviceConfig({ smartHostPort: postfix.port, delivery: { chunking: "always" } }),
    });
    await send(service.port, {
      to: ["b@example.org"],
      data: plainMessage("in-chunks", "one\r\n.\r\ntwo"),
    });
    const { content } = await arrived("in-chunks");
    expect(content.toString("latin1").endsWith("\r\n\r\none\r\n.\r\ntwo\r\n")).toBe(true);

    const bytes = Buffer.concat([
      Buffer.from("Subject: in-bytes\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"),
      Buffer.from("Content-Transfer-Encoding: binary\r\n\r\n"),
      Buffer.from([0, 10, 13, 255, 46, 13, 10, 46, 13, 10, 1]),
    ]);
    await using talk = conversation(service.port);
    await greet(talk)
      .sends("MAIL FROM:<a@example.com> BODY=BINARYMIME")
      .expects(250)
      .sends("RCPT TO:<b@example.org>")
      .expects(250)
      .sendsBytes(Buffer.concat([Buffer.from(`BDAT ${bytes.length} LAST\r\n`), bytes]))
      .expects(250);
    const converted = (await arrived("in-bytes")).content.toString("latin1");
    expect(converted).toMatch(/^Content-Transfer-Encoding: base64\r$/im);
    const body = converted.slice(converted.indexOf("\r\n\r\n") + 4).replaceAll(/\s/g, "");
    expect(Buffer.from(body, "base64")).toEqual(bytes.subarray(bytes.indexOf("\r\n\r\n") + 4));
  });

  test("messages that wait for the one connection leave in groups with content, and each arrives once", async () => {
    await using service = await startService({
      config: serviceConfig({
        smartHostPort: postfix.port,
        server: { outbound: { maxConnectionsPerDestination: 1 } },
      }),
    });
    const subjects = Array.from({ length: 60 }, (_, number) => `grouped-${number}`);
    const body = "one\r\n.\r\ntwo";
    await Promise.all(
      subjects.map((subject) =>
        send(service.port, { to: ["b@example.org"], data: plainMessage(subject, body) }),
      ),
    );
    for (const subject of subjects) {
      // oxlint-disable-next-line no-await-in-loop -- all are on their way already
      const { content } = await arrived(subject);
      expect(content.toString("latin1").endsWith(`\r\n\r\n${body}\r\n`)).toBe(true);
    }
    expect(behind.messages.filter(({ content }) => content.includes("Subject: grouped-"))).toHaveLength(60);
  });

  test("addresses and headers in UTF-8 pass", async () => {
    await using service = await startService({ config: serviceConfig({ smartHostPort: postfix.port }) });
    await using talk = conversation(service.port);
    await greet(talk)
      .sends("MAIL FROM:<jörg@example.com> SMTPUTF8 BODY=8BITMIME")
      .expects(250)
      .sends("RCPT TO:<ビール@example.org>")
      .expects(250)
      .sends("DATA")
      .expects(354)
      .sends(`${plainMessage("grüße")}\r\n.`)
      .expects(250);
    const message = await arrived("grüße");
    expect(message.from).toBe("jörg@example.com");
    expect(message.to).toEqual(["ビール@example.org"]);
    expect(message.mailParameters).toContain("SMTPUTF8");
  });
});
