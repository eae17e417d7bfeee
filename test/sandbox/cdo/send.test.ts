// Send, Reply, ReplyAll, Forward, Post and Configuration in a real sandbox process.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CDO_ERRORS, type CdoErrorName } from "../../../runtime/cdo/errors.ts";
import { ALTERNATIVE, type JobOptions, MESSAGE, script, WorkerUnderTest } from "../worker/support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const ALLOWED: JobOptions = { call: { allow: { send: true } } };

interface Sent {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly notify: number;
  readonly nextHop?: string;
  readonly text: string;
}

/** Runs the lines on the message; what was logged and what was sent. */
async function run(body: string, options: JobOptions = ALLOWED): Promise<{ logs: string[]; sent: Sent[] }> {
  const { outcome, payload } = await worker.run(script(body), options);
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  let at = (outcome.splices ?? []).reduce((sum, splice) => sum + splice.length, 0);
  const sent = (outcome.sent ?? []).map(({ length, ...head }) => {
    at += length;
    return { ...head, text: payload.subarray(at - length, at).toString("utf8") };
  });
  return { logs: outcome.logs.map((line) => line.text), sent };
}

const fails = async (body: string, options: JobOptions = ALLOWED): Promise<string> => {
  const { logs } = await run(
    `try { ${body}; console.log("ok") } catch (e) { console.log(e.name, e.number, e.message) }`,
    options,
  );
  return logs[0] ?? "";
};

const NEW = `const m = new CDO.Message(); m.From = "Office <office@example.com>"; m.To = "a@example.org"; m.Subject = "Hi"; m.TextBody = "text";`;

describe("Send", () => {
  test("needs the capability, and the error names it", async () => {
    expect(await fails(`${NEW} m.Send()`, {})).toMatch(
      new RegExp(`^CDO_E_UNSAFE_OPERATION ${0x8004021d | 0} .*allow: \\{ send: true \\}`),
    );
  });

  test("leaves binary content what it is, in a message inside the message as well", async () => {
    const bytes = Buffer.from("%PDF\n\0\r\xff\n\r", "latin1");
    const head =
      "Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    const file = Buffer.concat([Buffer.from(`Content-Type: application/pdf\r\n${head}`), bytes]);
    const inner = Buffer.from(
      "\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n",
    );
    const mixed = Buffer.from(
      "From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    );
    const message = Buffer.concat([mixed, file, inner, file, Buffer.from("\r\n--b--\r\n")]);
    const { sent } = await run(
      `const f = msg.Forward(); f.From = "a@example.com"; f.To = "b@example.com"; f.Send()`,
      { ...ALLOWED, message },
    );
    expect(sent[0]?.text.split(bytes.toString("base64"))).toHaveLength(3);
    expect(sent[0]?.text).not.toMatch(/binary/i);
  });

  test("hands over whole CRLFs, whatever the message was made of", async () => {
    const { sent } = await run(
      `const s = new ActiveXObject("ADODB.Stream"); s.Charset = "us-ascii"; s.Open();
       s.WriteText("From: a@example.com\\nTo: b@example.org\\nDate: Mon, 23 Nov 2026 10:00:00 +0000\\n\\none\\ntwo\\r\\nthree\\n");
       const m = new CDO.Message(); m.DataSource.OpenObject(s, "_Stream"); m.Send()`,
    );
    expect(sent[0]?.text).toMatch(/^(?:[^\r\n]*\r\n)+\r\none\r\ntwo\r\nthree\r\n$/);
  });

  test("H06 hands over a complete message to To, Cc and Bcc, each mailbox once, without Bcc", async () => {
    const { sent } = await run(
      `${NEW} m.CC = "A@example.org, b@example.org"; m.BCC = "c@example.org"; m.Send(); console.log(m.BCC)`,
    );
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      sender: "office@example.com",
      recipients: ["a@example.org", "b@example.org", "c@example.org"],
      notify: 0,
    });
    const text = sent[0]?.text ?? "";
    expect(text).toMatch(/^Message-ID: <[\w-]+@example\.com>\r$/m);
    expect(text).toMatch(/^Date: \w{3}, \d\d \w{3} \d{4} /m);
    expect(text).toMatch(/^MIME-Version: 1\.0\r$/m);
    expect(text).toMatch(/\r\n\r\ntext/);
    expect(text).not.toMatch(/^Bcc:/im);
  });

  test("prefers Sender for the envelope, and asks for the reports that DSNOptions and MDNRequested say", async () => {
    const { sent } = await run(
      `${NEW} m.Sender = "robot@example.com"; m.DSNOptions = cdoDSNSuccessFailOrDelay; m.MDNRequested = true; m.Send()`,
    );
    expect(sent[0]).toMatchObject({ sender: "robot@example.com", notify: 14 });
    expect(sent[0]?.text).toMatch(/^Disposition-Notification-To: .*office@example\.com/m);
  });

  test("takes the address of the configuration when the message has none", async () => {
    const { sent } = await run(
      `const m = new CDO.Message(); m.To = "a@example.org"; m.TextBody = "x";
       const f = m.Configuration.Fields; f(cdoSendEmailAddress).Value = "conf@example.com";
       f(cdoSendUserReplyEmailAddress).Value = "re@example.com"; f.Update(); m.Send()`,
    );
    expect(sent[0]?.sender).toBe("conf@example.com");
    expect(sent[0]?.text).toMatch(/^Reply-To: re@example\.com\r$/m);
  });

  test.each<[string, string, CdoErrorName]>([
    ["no recipient", `${NEW} m.To = ""; m.Send()`, "CDO_E_RECIPIENT_MISSING"],
    ["no sender", `${NEW} m.From = ""; m.Send()`, "CDO_E_FROM_MISSING"],
    ["a recipient that is no address", `${NEW} m.To = "a b@@c"; m.Send()`, "CDO_E_RECIPIENTS_REJECTED"],
    [
      "a server instead of Pickup",
      `${NEW} m.Configuration.Fields(cdoSendUsingMethod).Value = cdoSendUsingPort; m.Configuration.Fields(cdoSMTPServer).Value = "x"; m.Configuration.Fields.Update(); m.Send()`,
      "CDO_E_NOT_AVAILABLE",
    ],
    [
      "a server that is not named",
      `${NEW} m.Configuration.Fields(cdoSendUsingMethod).Value = 2; m.Configuration.Fields.Update(); m.Send()`,
      "CDO_E_SMTP_SERVER_REQUIRED",
    ],
    [
      "an unknown way of sending",
      `${NEW} m.Configuration.Fields(cdoSendUsingMethod).Value = 9; m.Configuration.Fields.Update(); m.Send()`,
      "CDO_E_INVALID_SEND_OPTION",
    ],
    ["a post that lacks a newsgroup", `${NEW} m.Post()`, "CDO_E_INVALID_POST"],
    ["a complete post", `${NEW} m.Newsgroups = "a.b"; m.Post()`, "CDO_E_INVALID_POST_OPTION"],
  ])("refuses %s as the original did", async (_what, body, name) => {
    expect(await fails(body)).toMatch(new RegExp(`^${name} ${CDO_ERRORS[name][0] | 0} `));
  });

  describe("with cdoSendUsingPort", () => {
    const port = (more = "", server = "Hub.Example"): string =>
      `${NEW} const f = m.Configuration.Fields; f(cdoSendUsingMethod).Value = cdoSendUsingPort; f(cdoSMTPServer).Value = "${server}"; ${more} f.Update(); m.Send()`;
    const through = (...smtp: readonly string[]): JobOptions => ({ call: { allow: { smtp } } });

    test("hands the message over with the server as its next hop, where allow.smtp names it", async () => {
      const { sent } = await run(port(), through("other:25", "HUB.example:25"));
      expect(sent).toMatchObject([{ nextHop: "hub.example:25", recipients: ["a@example.org"] }]);
      const six = await run(
        port("f(cdoSMTPServerPort).Value = 2525;", "2001:DB8::1"),
        through("[2001:db8::1]:2525"),
      );
      expect(six.sent).toMatchObject([{ nextHop: "[2001:db8::1]:2525" }]);
    });

    test("needs no right to send by the routes of the service, and gives none", async () => {
      expect(await fails(`${NEW} m.Send()`, through("hub.example:25"))).toMatch(
        /^CDO_E_UNSAFE_OPERATION .*allow: \{ send/,
      );
    });

    test.each<[string, string, CdoErrorName, RegExp, JobOptions?]>([
      [
        "another server",
        port(),
        "CDO_E_UNSAFE_OPERATION",
        /smtp: \["hub\.example:25"\]/,
        through("other:25"),
      ],
      ["another port", port("f(cdoSMTPServerPort).Value = 26;"), "CDO_E_UNSAFE_OPERATION", /hub\.example:26/],
      ["port 0", port("f(cdoSMTPServerPort).Value = 0;"), "CDO_E_INVALID_SEND_OPTION", /smtpserverport 0/],
      [
        "credentials",
        port("f(cdoSMTPAuthenticate).Value = cdoBasic;"),
        "CDO_E_NOT_AVAILABLE",
        /delivery\.auth/,
      ],
      ["TLS on connect", port("f(cdoSMTPUseSSL).Value = true;"), "CDO_E_NOT_AVAILABLE", /delivery\.startTls/],
    ])("refuses %s", async (_what, body, name, words, options = through("hub.example:25")) => {
      const said = await fails(body, options);
      expect(said).toMatch(new RegExp(`^${name} `));
      expect(said).toMatch(words);
    });
  });

  test("of a script that fails afterwards sends nothing", async () => {
    const { outcome } = await worker.run(script(`${NEW} m.Send(); throw new Error("late")`), ALLOWED);
    expect(outcome).toMatchObject({ fault: { kind: "throw" } });
    expect(outcome.sent).toBeUndefined();
  });

  test("is bounded per message", async () => {
    const { outcome } = await worker.run(script(`${NEW} for (;;) m.Send()`), {
      ...ALLOWED,
      limits: { sentMessages: 2 },
    });
    expect(outcome.fault).toMatchObject({ kind: "limit", message: expect.stringContaining("sentMessages") });
    expect(outcome.sent).toBeUndefined();
  });

  test("X25 ends when scripts answer each other", async () => {
    const sentBy3 = `X-OnArrival-Sent-By: a.ts; hops=3\r\n${MESSAGE}`;
    expect(await fails(`${NEW} m.Send()`, { ...ALLOWED, message: sentBy3 })).toMatch(
      /^CDO_E_SMTP_SEND_FAILED .*sendHops/,
    );
    expect(await fails(`${NEW} m.Send()`, { ...ALLOWED, message: sentBy3.replace("=3", "=2") })).toBe("ok");
  });
});

describe("answers", () => {
  const ORIGINAL = MESSAGE.replace("Cc:", "X:").replace(
    "Subject:",
    'Cc: "Smith, Jo" <jo@example.net>, ann@example.com\r\nReferences: <0@example.com>\r\nSubject:',
  );

  test("Reply goes to Reply-To, else From, quotes the text and refers to the original", async () => {
    const { logs, sent } = await run(
      `const r = msg.Reply(); console.log(r.To); console.log(r.Subject); console.log(r.CC === ""); console.log(r.Attachments.Count);
       r.From = "bob@example.net"; r.TextBody = "No." + r.TextBody; r.Send()`,
      { ...ALLOWED, message: ORIGINAL },
    );
    expect(logs).toEqual(["Ann <ann@example.com>", "RE: Grüße", "true", "0"]);
    const text = sent[0]?.text ?? "";
    expect(text).toMatch(/^In-Reply-To: <1@example\.com>\r$/m);
    expect(text).toMatch(/^References: <0@example\.com> <1@example\.com>\r$/m);
    expect(await fails(`console.log(msg.Reply().TextBody)`)).toContain("-----Original Message-----");
    const other = await run(`console.log(msg.Reply().To, msg.Reply().Reply().Subject)`, {
      ...ALLOWED,
      message: `Reply-To: other@example.com\r\n${MESSAGE}`,
    });
    expect(other.logs).toEqual(["other@example.com RE: Grüße"]);
  });

  test.each([
    ["a run of blanks in Reply-To", `Reply-To: a@example.com,${" ".repeat(100_000)}"b"\r\n${MESSAGE}`],
    [
      "bodies of HTML that never begin",
      `From: a@example.com\r\nContent-Type: text/html\r\n\r\n${"<body ".repeat(40_000)}\r\n`,
    ],
  ])("Reply ends within the time of a script: %s", async (_name, message) => {
    const { logs } = await run(`console.log(msg.Reply().To.slice(0, 13))`, { ...ALLOWED, message });
    expect(logs).toEqual(["a@example.com"]);
  });

  test("Reply of HTML puts the head behind the start of its body", async () => {
    const html = '<html><body\r\nid="a">text</body></html>';
    const { logs } = await run(`console.log(msg.Reply().HTMLBody)`, {
      ...ALLOWED,
      message: `From: a@example.com\r\nContent-Type: text/html\r\n\r\n${html}\r\n`,
    });
    expect(logs[0]).toMatch(/^<html><body\s+id="a"><p>.*<\/p>text<\/body>/s);
  });

  test.each(["Reply", "Forward"])("%s of HTML alone quotes its text for who reads no HTML", async (call) => {
    const { logs } = await run(
      `console.log(JSON.stringify(msg.${call}().TextBody.split("\\r\\n\\r\\n").at(-1)))`,
      {
        ...ALLOWED,
        message: "From: a@example.com\r\nContent-Type: text/html\r\n\r\n<p>one &amp; two</p>\r\n",
      },
    );
    expect(logs).toEqual(['"one & two"']);
  });

  test("ReplyAll adds the other recipients, each once and not the one who is answered", async () => {
    const { logs } = await run(`const r = msg.ReplyAll(); console.log(r.To); console.log(r.CC)`, {
      ...ALLOWED,
      message: ORIGINAL,
    });
    expect(logs[0]).toBe("Ann <ann@example.com>");
    expect(logs[1]).toBe('Bob <bob@example.net>, carol@example.net, "Smith, Jo" <jo@example.net>');
  });

  test("Forward keeps bodies and attachments and has no recipient", async () => {
    const { logs, sent } = await run(
      `const f = msg.Forward(); console.log(f.To === "", f.Subject, f.Attachments.Count, f.Attachments(1).FileName);
       f.From = "a@example.com"; f.To = "b@example.org"; f.Send()`,
      { ...ALLOWED, message: ALTERNATIVE },
    );
    expect(logs).toEqual(["true FW: both 2 run.exe"]);
    const text = sent[0]?.text ?? "";
    expect(text).toContain("TVqQAAMAAAA=");
    expect(text).toContain("a,b");
    expect(text).toMatch(/-----Original Message-----<br>From: ann@example\.com/);
    expect(text).toContain("plain text");
  });

  test("Forward keeps what belongs to the bodies, and what each part is", async () => {
    const related =
      "Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<img src='cid:logo@x'>\r\n--r\r\nContent-Type: image/png\r\nContent-ID: <logo@x>\r\n\r\nPNG\r\n--r--";
    const digest =
      "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in a digest\r\n\r\n--d--";
    const parts = [
      "\r\nfirst text",
      related,
      "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR",
      "\r\nsecond text",
      'Content-Disposition: attachment; filename="a\0.txt"\r\n\r\nnamed',
      digest,
    ];
    const message = `From: a@b\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n${parts.map((part) => `--m\r\n${part}\r\n`).join("")}--m--\r\n`;
    const { logs } = await run(
      `const show = (part) => part.BodyParts.Count === 0 ? part.ContentMediaType + (part.FileName && " " + part.FileName)
         : part.ContentMediaType.replace("multipart/", "") + "(" + [...part.BodyParts].map(show).join(", ") + ")";
       console.log(show(msg.Forward().BodyPart));
       msg.Configuration.Fields(cdoUseMessageResponseText).Value = false; msg.Configuration.Fields.Update();
       console.log(show(msg.Forward().BodyPart));`,
      { ...ALLOWED, message },
    );
    expect(logs).toEqual([
      "mixed(alternative(text/plain, related(text/html, image/png)), text/calendar, text/plain, text/plain a .txt, message/rfc822)",
      "mixed(text/plain a .txt, message/rfc822)",
    ]);
  });

  test("usemessageresponsetext leaves the quotation out", async () => {
    const { logs } = await run(
      `msg.Configuration.Fields(cdoUseMessageResponseText).Value = false; msg.Configuration.Fields.Update();
       console.log(JSON.stringify(msg.Reply().TextBody))`,
    );
    expect(logs).toEqual(['""']);
  });

  test("PostReply goes to the newsgroups, FollowUpTo first", async () => {
    const { logs } = await run(`const p = msg.PostReply(); console.log(p.Newsgroups, p.To === "")`, {
      ...ALLOWED,
      message: `Newsgroups: a.b\r\nFollowup-To: c.d\r\n${MESSAGE}`,
    });
    expect(logs).toEqual(["c.d true"]);
  });

  test("the message that arrived stays as it is", async () => {
    const { message } = await worker.run(
      script(`const f = msg.Forward(); f.From = "a@example.com"; f.To = "b@example.org"; f.Send()`),
      { ...ALLOWED, message: ALTERNATIVE },
    );
    expect(message).toBe(ALTERNATIVE);
  });
});

describe("Configuration", () => {
  test("has the defaults of the original and takes values as scripts write them", async () => {
    const { logs } = await run(`
      const c = new ActiveXObject("CDO.Configuration"), f = c.Fields;
      console.log([cdoSendUsingMethod, cdoSMTPServerPort, cdoSMTPConnectionTimeout, cdoUseMessageResponseText].map(f).join(" "));
      f(cdoSMTPServerPort).Value = "2525"; f(cdoSMTPUseSSL).Value = "true"; f.Update();
      console.log(f.Item(cdoSMTPServerPort).Value === 2525, f(cdoSMTPUseSSL).Value === true);
      c.Load(cdoDefaults); console.log(f(cdoSMTPServerPort).Value);
      msg.Configuration = c; console.log(msg.Configuration === c, msg.configuration.fields.count);`);
    expect(logs).toEqual(["1 25 30 true", "true true", "25", "true 34"]);
  });

  test.each<[string, string, CdoErrorName]>([
    [
      "a port that is no number",
      `const f = msg.Configuration.Fields; f(cdoSMTPServerPort).Value = "x"; f.Update()`,
      "CDO_E_BAD_DATA",
    ],
    ["an unknown field", `msg.Configuration.Fields(cdoNSConfiguration + "x")`, "CDO_E_INVALID_PROPERTYNAME"],
    ["the settings of Outlook Express", `msg.Configuration.Load(cdoOutlookExpress)`, "CDO_E_NOT_AVAILABLE"],
    ["another source", `msg.Configuration.Load(7)`, "CDO_E_ARGUMENT1"],
    ["another object", `msg.Configuration = {}`, "CDO_E_BAD_DATA"],
    ["another interface", `msg.Configuration.GetInterface("IMessage")`, "E_NOINTERFACE"],
  ])("refuses %s", async (_what, body, name) => {
    expect(await fails(body)).toMatch(new RegExp(`^${name} `));
  });
});

test("the sample autoresponder.ts answers people, and neither bounces nor robots", async () => {
  const source = readFileSync(new URL("../../../scripts/autoresponder.ts", import.meta.url), "utf8");
  const { outcome, payload } = await worker.run(source, ALLOWED);
  expect(outcome.sent).toMatchObject([{ sender: "away@localhost", recipients: ["ann@example.com"] }]);
  expect(payload.toString()).toMatch(/^Auto-Submitted: auto-replied\r$/m);
  // Whoever shows HTML first would see a quotation in it and not the answer.
  const ofHtml = await worker.run(source, { ...ALLOWED, message: ALTERNATIVE });
  expect(ofHtml.payload.toString()).toMatch(/\r\n\r\nI am back on Monday\.\r\n$/);
  expect(ofHtml.payload.toString()).not.toContain("text/html");
  for (const given of [
    { envelope: { sender: "" } },
    { message: `Auto-Submitted: auto-generated\r\n${MESSAGE}` },
    { message: `List-Id: <a.example.com>\r\n${MESSAGE}` },
    { message: `Precedence: bulk\r\n${MESSAGE}` },
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one process, one job at a time
    const done = await worker.run(source, { ...ALLOWED, ...given });
    expect(done.outcome.fault).toBeUndefined();
    expect(done.outcome.sent).toBeUndefined();
  }
});
