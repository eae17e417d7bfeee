import { connect } from "node:net";
import { createTransport } from "nodemailer";
import { describe, expect, test } from "vitest";
import { OnArrivalError } from "../../../../src/core/errors.ts";
import { bodyOf, startListener, Talk } from "./support.ts";

const MESSAGE = "From: a@example.net\r\nSubject: hello\r\n\r\nbody\r\n";

describe("a plain session", () => {
  test("a message arrives byte for byte, with its envelope and a trace field", async () => {
    await using run = await startListener();
    const talk = await run.open();
    expect(await talk.reply()).toBe("220 mx.example.com ESMTP OnArrival ready");
    expect(await talk.say("EHLO client.example.net")).toBe(
      [
        "250-mx.example.com Hello [127.0.0.1]",
        "250-SIZE 33554432",
        "250-PIPELINING",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-ENHANCEDSTATUSCODES",
        "250-DSN",
        "250-CHUNKING",
        "250-BINARYMIME",
        "250 OK",
      ].join("\n"),
    );
    expect(await talk.say("MAIL FROM:<a@example.net> BODY=8BITMIME SIZE=1000")).toBe(
      "250 2.1.0 a@example.net....Sender OK",
    );
    expect(await talk.say("RCPT TO:<b@example.com>")).toBe("250 2.1.5 b@example.com");
    expect(await talk.say("DATA")).toBe("354 Start mail input; end with <CRLF>.<CRLF>");
    expect(await talk.say(`${MESSAGE}\0 8 bit \xe9\r\n..dot\r\n.`)).toBe(
      "250 2.6.0 <m1> Queued mail for delivery",
    );
    expect(await talk.say("QUIT")).toBe("221 2.0.0 mx.example.com Service closing transmission channel");
    await talk.rest();
    const [taken] = run.intake.messages;
    expect(taken?.envelope).toMatchObject({
      sender: "a@example.net",
      body: "8BITMIME",
      recipients: [{ address: "b@example.com" }],
    });
    expect(taken?.origin).toMatchObject({
      via: "smtp",
      clientAddress: "127.0.0.1",
      heloDomain: "client.example.net",
    });
    expect(taken?.content.buffer).toBeDefined();
    expect(taken?.content.header.toString()).toMatch(
      /^Received: from client\.example\.net \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with ESMTP id m1\r\n\tfor <b@example\.com>;\r\n\t\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r\nFrom: /,
    );
    expect(Buffer.from(await bodyOf(taken), "latin1").toString("utf8")).toContain("8 bit é\r\n.dot\r\n");
  });

  test("several pipelined transactions are answered in order, also when the next one follows the final dot", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    const group = "MAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n";
    talk.write(group);
    for (const code of ["250", "250", "354"]) expect(await talk.reply()).toContain(code);
    talk.write(`${MESSAGE}.\r\n${group}`);
    for (const code of ["250 2.6.0", "250", "250", "354"]) expect(await talk.reply()).toContain(code);
    talk.write(`${MESSAGE}.\r\nQUIT\r\n`);
    expect(await talk.rest()).toMatch(/^250 2\.6\.0 [^]*221 /);
    expect(run.intake.messages).toHaveLength(2);
  });

  test("an SMTP client library gets its mail through", async () => {
    await using run = await startListener();
    const transport = createTransport({ host: "127.0.0.1", port: run.port, secure: false, ignoreTLS: true });
    await transport.sendMail({
      from: "a@example.net",
      to: "b@example.com",
      subject: "Grüße",
      text: ".\n..x\n",
      envelope: { from: "a@example.net", to: "b@example.com" },
    });
    transport.close();
    expect(await bodyOf(run.intake.messages[0])).toContain("\r\n\r\n.\r\n..x\r\n");
  });

  test("HELO names the protocol SMTP in the trace field, and a hostile name cannot leave its place", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.reply();
    expect(await talk.say("HELO a(b)\\c")).toMatch(/^501 /);
    expect(await talk.say("HELO ex'ämple{}")).toBe("250 mx.example.com Hello [127.0.0.1]");
    await talk.toData();
    await talk.say(`${MESSAGE}.`);
    expect(run.intake.messages[0]?.content.header.toString()).toContain(
      "from ex??mple?? ([127.0.0.1])\r\n\tby mx.example.com with SMTP id",
    );
  });

  test("a trace field stays ASCII where its recipient can be told by A-labels, so that hosts without SMTPUTF8 take the message", async () => {
    await using run = await startListener({ settings: { relayNetworks: ["127.0.0.1"] } });
    const talk = await run.open();
    await talk.greet();
    for (const recipient of ["bob@bücher.example", "bób@bücher.example"]) {
      await talk.say("MAIL FROM:<a@example.net> SMTPUTF8");
      await talk.say(`RCPT TO:<${recipient}>`);
      await talk.say("DATA");
      await talk.say(`${MESSAGE}.`);
    }
    const [plain = "", utf8 = ""] = run.intake.messages.map(({ content }) => content.header.toString());
    expect(plain).toContain("for <bob@xn--bcher-kva.example>;");
    expect(utf8).toContain("for <bób@bücher.example>;");
    expect(run.intake.messages[0]?.envelope.recipients[0]?.address).toBe("bob@bücher.example");
  });

  test("S13 the dialogue means the same wherever its packets are cut", async () => {
    await using run = await startListener();
    const dialogue = `EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n${MESSAGE}..\r\n.\r\nQUIT\r\n`;
    const cuts = Array.from({ length: dialogue.length }, (_, cut) => cut);
    const heard = await Promise.all(
      cuts.map(async (cut) => {
        const talk = await run.open();
        await talk.reply();
        talk.socket.write(dialogue.slice(0, cut));
        await new Promise((resolve) => setTimeout(resolve, 5));
        talk.socket.write(dialogue.slice(cut));
        return (await talk.rest()).replaceAll(/<m\d+>/g, "<id>");
      }),
    );
    expect(new Set(heard).size).toBe(1);
    const bodies = await Promise.all(run.intake.messages.map(bodyOf));
    expect(bodies).toHaveLength(cuts.length);
    expect(new Set(bodies)).toEqual(new Set([`${MESSAGE}.\r\n`]));
  });
});

describe("order and syntax", () => {
  test.each([
    ["MAIL FROM:<a@example.net>", "503 5.5.2 Send hello first"],
    ["RCPT TO:<b@example.com>", "503 5.5.2 Send hello first"],
    ["DATA", "503 5.5.2 Send hello first"],
    ["AUTH PLAIN", "503 5.5.1 Send EHLO first"],
    ["FROB", "500 5.3.3 Unrecognized command"],
    ["STARTTLS", "502 5.5.1 STARTTLS is not offered"],
    ["EHLO", "501 5.5.4 Invalid domain name"],
    ["noop", "250 2.0.0 OK"],
    ["VRFY root", "252 2.1.5 Cannot VRFY user, but will take message"],
  ])("before hello %j is answered %j", async (line, answer) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.reply();
    expect(await talk.say(line)).toBe(answer);
  });

  test.each([
    ["MAIL FROM:a@example.net", "501"],
    ["MAIL FROM:<a@example.net", "501"],
    ["MAIL FROM:<a b@example.net>", "501"],
    ["MAIL FROM:<a@example.net>x", "501"],
    ["MAIL FROM:<a@example.net> FOO=1", "555 5.5.4"],
    ["MAIL FROM:<a@example.net> SIZE=1 SIZE=1", "501 5.5.4"],
    ["MAIL FROM:<a@example.net> SIZE=x", "501"],
    ["MAIL FROM:<a@example.net> SIZE=40000000", "552 5.3.4"],
    ["MAIL FROM:<a@example.net> BODY=9BIT", "501"],
    ["MAIL FROM:<a@example.net> RET=FULL ENVID=x+2By", "250"],
    ["MAIL FROM:<a@example.net> ENVID=a+0D+0Ab", "501"],
    ["MAIL FROM:<a@example.net> ENVID=a+C3+BCb", "501"],
    ["MAIL FROM:<ä@example.net>", "553 5.6.7"],
    ["MAIL FROM:<ä@example.net> SMTPUTF8", "250"],
    ["mail from: <a@example.net>  ", "250"],
    ["MAIL FROM:<a@example.net> SIZE=1 \t", "250"],
    ["MAIL FROM:<a@[192.0.2.1]>\t", "250"],
    ["MAIL FROM:<a@[IPv6:2001:db8::192.0.2.1]>", "250"],
    ["MAIL FROM:<a@[192.0.2.256]>", "501 5.1.7"],
    ["MAIL FROM:<a@[IPv6:2001:db8:::1]>", "501 5.1.7"],
    ["MAIL FROM:<a@[IPv6:.]>", "501 5.1.7"],
    ["MAIL FROM:<@r1,@r2:a@example.net>", "250 2.1.0 a@example.net...."],
    ["MAIL FROM:<a>", "250 2.1.0 a@example.com...."],
    ["MAIL FROM:<>", "250 2.1.0 <>...."],
    ['MAIL FROM:<"a>b"@example.net>', "250"],
    ["MAIL FROM:<a\x01@example.net>", "501 5.5.2"],
    ["MAIL\tFROM:<a@example.net>", "501 5.5.2"],
    ["MAIL FROM:<a@example.net>\rRSET", "501 5.5.2"],
    ["DATA x", "501"],
  ])("S15 S16 S21 %j is answered %s", async (line, answer) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    talk.write(Buffer.from(`${line}\r\n`));
    expect((await talk.reply()).slice(0, answer.length)).toBe(answer);
  });

  test("S15 bytes that are no UTF-8 are refused", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    talk.write(Buffer.from([...Buffer.from("MAIL FROM:<a"), 0xff, ...Buffer.from("@example.net>\r\n")]));
    expect(await talk.reply()).toMatch(/^501 5\.5\.2/);
  });

  test.each([
    "GET / HTTP/1.1\r\n",
    "SSH-2.0-OpenSSH_9.9\r\n",
    "\x16\x03\x01\x02\x00",
    "EHLO x\nMAIL FROM:<>\n",
    "a".repeat(5000),
    "\x00\x01\r\n",
  ])("S01 S23 S24 %j gets one error line and the end", async (bytes) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.reply();
    talk.write(Buffer.from(bytes, "latin1"));
    expect(await talk.rest()).toMatch(/^5\d\d [^\r\n]*\r\n$/);
  });

  test("S06 content that comes with a refused DATA never runs as commands", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    talk.write("MAIL FROM:<>\r\nRCPT TO:<x@elsewhere.org>\r\nDATA\r\nMAIL FROM:<evil@example.net>\r\n");
    expect(await talk.rest()).toMatch(/554 5\.5\.0 [^\r]*\r\n$/);
  });

  test("parameters of delivery reports reach the envelope, decoded", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<a@example.net> RET=hdrs ENVID=QQ+2B1");
    expect(
      await talk.say("RCPT TO:<b@example.com> NOTIFY=success,FAILURE ORCPT=rfc822;b+2Bc@example.org"),
    ).toMatch(/^250/);
    const unicode = String.raw`RCPT TO:<d@example.com> ORCPT=UTF-8;\x{E9}@example.org`;
    expect(await talk.say(unicode)).toMatch(/^250/);
    expect(await talk.say("RCPT TO:<c@example.com> NOTIFY=NEVER,DELAY")).toMatch(/^501/);
    for (const none of ["nonsense", "rfc822;+C3+BC@example.org"])
      expect(await talk.say(`RCPT TO:<c@example.com> ORCPT=${none}`)).toMatch(/^501/);
    expect(await talk.say("RCPT TO:<c@example.com> SIZE=1")).toMatch(/^555/);
    await talk.say("DATA");
    await talk.say(".");
    expect(run.intake.messages[0]?.envelope).toMatchObject({
      returnContent: "HDRS",
      envelopeId: "QQ+1",
      recipients: [
        {
          address: "b@example.com",
          notify: ["SUCCESS", "FAILURE"],
          originalRecipient: "rfc822;b+c@example.org",
        },
        { address: "d@example.com", originalRecipient: "UTF-8;é@example.org" },
      ],
    });
  });
});

describe("limits", () => {
  test("S18 the recipients over the limit are put off, the first ones stay, and duplicates count once", async () => {
    await using run = await startListener({ settings: { maxRecipients: 2 } });
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<>");
    expect(await talk.say("RCPT TO:<a@example.com>")).toMatch(/^250/);
    expect(await talk.say("RCPT TO:<A@EXAMPLE.com>")).toMatch(/^250/);
    expect(await talk.say("RCPT TO:<Postmaster>")).toBe("250 2.1.5 Postmaster@example.com");
    expect(await talk.say("RCPT TO:<c@example.com>")).toBe("452 4.5.3 Too many recipients");
    await talk.say("DATA");
    await talk.say(`${MESSAGE}.`);
    expect(run.intake.messages[0]?.envelope.recipients.map((one) => one.address)).toEqual([
      "a@example.com",
      "Postmaster@example.com",
    ]);
    expect(run.intake.messages[0]?.content.header.toString()).not.toContain("for <");
  });

  test("S19 a message over the size is drained and refused, and the session goes on", async () => {
    await using run = await startListener({ settings: { maxMessageSize: 1000, inlineBytes: 500 } });
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    expect(await talk.say(`${MESSAGE}${"x".repeat(70)}\r\n`.repeat(1000) + ".")).toMatch(/^552 5\.3\.4/);
    expect(await talk.say("NOOP")).toMatch(/^250/);
    expect(run.intake.messages).toHaveLength(0);
  });

  test("a session over its size ends", async () => {
    await using run = await startListener({ settings: { maxSessionSize: 1000 } });
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    talk.write("x".repeat(2000));
    expect(await talk.rest()).toMatch(/^421 4\.3\.4/);
    expect(run.intake.messages).toHaveLength(0);
  });

  test("a message with too many hops is refused", async () => {
    await using run = await startListener({ settings: { maxHops: 3 } });
    const talk = await run.open();
    await talk.greet();
    const hop = "Received: from a by b\r\n\twith SMTP; date\r\n";
    await talk.toData();
    expect(await talk.say(`${hop.repeat(3)}${MESSAGE}Received: in the body\r\n.`)).toMatch(/^250/);
    await talk.toData();
    expect(await talk.say(`${hop.repeat(3)}RECEIVED: x\r\n${MESSAGE}.`)).toMatch(/^554 5\.4\.6/);
  });

  test("S05 too many refused commands end the session", async () => {
    await using run = await startListener({ settings: { maxErrors: 3 } });
    const talk = await run.open();
    await talk.greet();
    talk.write("FOO\r\n".repeat(10));
    const heard = await talk.rest();
    expect(heard.match(/^500 /gm)).toHaveLength(3);
    expect(heard).toMatch(/421 4\.7\.0 [^\r]*\r\n$/);
  });

  test("S05 thousands of commands that move nothing end the session", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    talk.write(`${"NOOP\r\n".repeat(10_000)}FOO\r\n`);
    const heard = await talk.rest();
    expect(heard).toContain("421 4.7.0");
    expect(heard.match(/^250 /gm)?.length).toBeLessThan(200);
  });

  test("an idle client is told so and goes", async () => {
    await using run = await startListener({ settings: { idleTimeoutMs: 100 } });
    const talk = await run.open();
    expect(await talk.rest()).toContain("451 4.4.2 Timeout waiting for client input\r\n");
  });
});

describe("line endings in the content", () => {
  test.each([
    ["\n", "LF"],
    ["\r", "CR"],
    ["\n.\n", "LF"],
    ["\n.\r\n", "LF"],
    ["\r\n.\n", "LF"],
    ["\r.\r\n", "CR"],
  ])("S11 %j is refused by default and nothing behind it runs", async (ending, name) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    const smuggled = "MAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nevil\r\n";
    expect(await talk.say(`${MESSAGE}${ending}${smuggled}.`)).toBe(
      `550 5.6.11 Message contains a bare ${name}; lines end with CRLF`,
    );
    expect(await talk.say("NOOP")).toMatch(/^250/);
    expect(run.intake.messages).toHaveLength(0);
  });

  test("with the setting they are carried as content", async () => {
    await using run = await startListener({ settings: { bareLineEndings: "allow" } });
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    expect(await talk.say(`${MESSAGE}a\nb\rc\n.\r\nd\r\n.`)).toMatch(/^250 2\.6\.0/);
    expect(await bodyOf(run.intake.messages[0])).toBe(`${MESSAGE}a\nb\rc\n.\r\nd\r\n`);
  });
});

describe("taking the message", () => {
  test("a large message goes through the spool, its beginning stays in memory", async () => {
    await using run = await startListener({ settings: { inlineBytes: 100_000 } });
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    const body = `${MESSAGE}${`${"0123456789".repeat(7)}\r\n`.repeat(20_000)}`;
    expect(await talk.say(`${body}.`)).toMatch(/^250 2\.6\.0/);
    const [taken] = run.intake.messages;
    expect(taken?.content.inMemory).toBe(false);
    expect(taken?.content.header.toString()).toContain("Subject: hello\r\n\r\n");
    expect(await bodyOf(taken)).toBe(body);
  });

  test.each([
    [new OnArrivalError("STORE_FAILED", "disk full"), "452 4.3.1"],
    [new Error("surprise"), "451 4.3.0"],
  ])("%s is answered with a transient reply that tells nothing of it", async (fault, answer) => {
    await using run = await startListener();
    run.intake.before = () => Promise.reject(fault);
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    const heard = await talk.say(`${MESSAGE}.`);
    expect(heard).toContain(answer);
    expect(heard).not.toContain(fault.message);
  });

  test("while a message is being stored its session waits and others go on", async () => {
    await using run = await startListener();
    const { promise, resolve: finish } = Promise.withResolvers<void>();
    run.intake.before = () => promise;
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    talk.write(`${MESSAGE}.\r\nNOOP\r\n`);
    const other = await run.open();
    expect(await other.greet()).toContain("250");
    finish();
    expect(await talk.reply()).toMatch(/^250 2\.6\.0/);
    expect(await talk.reply()).toBe("250 2.0.0 OK");
  });

  test("S09 a client that leaves before the final dot was read leaves nothing", async () => {
    await using run = await startListener({ settings: { inlineBytes: 40 } });
    const dialogue = `EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n${MESSAGE}${"x".repeat(60)}\r\n.\r\n`;
    const cuts = Array.from({ length: dialogue.length }, (_, cut) => cut);
    await Promise.all(
      cuts.map(
        (cut) =>
          new Promise<void>((resolve) => {
            const socket = connect({ port: run.port, host: "127.0.0.1" });
            socket.on("error", () => undefined);
            socket.on("close", () => resolve());
            socket.once("data", () => {
              socket.write(dialogue.slice(0, cut));
              if (cut % 2 === 0) socket.end();
              else setTimeout(() => socket.resetAndDestroy(), 5);
              socket.resume();
            });
          }),
      ),
    );
    await expect.poll(() => run.listener.connections).toBe(0);
    expect(run.intake.messages).toHaveLength(0);
    await expect.poll(() => run.intake.spools).toBe(0);
  });

  test("S10 a client that leaves after the final dot has sent one message", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    talk.write(`${MESSAGE}.\r\n`);
    talk.socket.end();
    await talk.rest();
    expect(run.intake.messages).toHaveLength(1);
  });
});

describe("greeting", () => {
  test("S04 a client that talks before a delayed greeting is turned away", async () => {
    await using run = await startListener({ settings: { greetDelayMs: 60_000 } });
    const talk = await Talk.open(run.port);
    talk.write("EHLO x\r\n");
    expect(await talk.rest()).toMatch(/^554 /);
  });

  test("a patient client is greeted after the delay", async () => {
    await using run = await startListener({ settings: { greetDelayMs: 50 } });
    const talk = await run.open();
    expect(await talk.reply()).toMatch(/^220 /);
    expect(await talk.say("EHLO x")).toMatch(/^250/);
  });

  test("the name of the client's address goes into the trace field", async () => {
    await using run = await startListener({
      settings: { reverseLookup: true },
      lookUp: () => Promise.resolve(["host.example\r\nX: y"]),
    });
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    await talk.say(`${MESSAGE}.`);
    expect(run.intake.messages[0]?.content.header.toString()).toContain("(host.example??X:?y [127.0.0.1])");
  });
});
