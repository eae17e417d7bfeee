// Messages that a script makes beside the arriving one: their defaults, structure and data sources.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALTERNATIVE, logged, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const log = (body: string, message: string = MESSAGE): Promise<readonly string[]> =>
  logged(worker, body, { message });

/** A new message, and its tree in one line. */
const NEW = `const m = new ActiveXObject("CDO.Message");
  const tree = (p) => p.ContentMediaType + (p.BodyParts.Count === 0 ? "" : "(" + [...p.BodyParts].map(tree).join(", ") + ")");
  const named = (f) => { try { f(); return "no error" } catch (e) { return e.name } };`;

describe("a new message", () => {
  test("has the defaults of the original", async () => {
    expect(
      await log(`${NEW} console.log(m.AutoGenerateTextBody, m.MimeFormatted, m.MDNRequested, m.DSNOptions, m.Attachments.Count, m.Fields.Count, m.EnvelopeFields.Count);
      console.log(JSON.stringify(["BCC", "CC", "FollowUpTo", "From", "HTMLBody", "Keywords", "Newsgroups", "Organization", "ReplyTo", "Sender", "Subject", "TextBody", "To"].map((p) => m[p])));
      console.log(m.SentOn, m.ReceivedTime, m.HTMLBodyPart, tree(m.BodyPart), m.BodyPart.Charset, m.BodyPart.ContentTransferEncoding, JSON.stringify(m.DataSource.SourceClass), m.DataSource.Source)`),
    ).toEqual([
      "true true false 0 0 0 0",
      JSON.stringify(Array.from({ length: 13 }, () => "")),
      'undefined undefined null text/plain us-ascii 7bit "" null',
    ]);
  });

  test("takes all properties, and is independent of the arriving one", async () => {
    const { outcome, message } = await worker.run(
      script(`${NEW} m.From = "a@b.example"; m.To = "c@d.example,"; m.Subject = "neu ü"; m.Keywords = "one, two"; m.Organization = "O"; m.ReplyTo = "r@b.example";
      m.TextBody = "text"; m.MDNRequested = true; m.DSNOptions = cdoDSNFailure + cdoDSNDelay;
      console.log(m.To, m.Subject, m.Keywords, m.Fields(cdoKeywords).Value, m.Fields(cdoDispositionNotificationTo).Value, m.DSNOptions, m.AutoGenerateTextBody, msg.Subject);
      console.log(m.GetStream().ReadText())`),
    );
    expect(outcome.logs[0]?.text).toBe("c@d.example neu ü one, two one, two a@b.example 10 false Grüße");
    for (const line of ["From: a@b.example", "MIME-Version: 1.0", "Date: ", "Keywords: one, two", " text"])
      expect(outcome.logs[1]?.text).toContain(line);
    expect(message).toBe(MESSAGE);
  });

  test("is also made by the module's Message", async () => {
    const source = `import { Message } from "cdo"; export default function (msg) { const m = new Message(); m.Subject = "s"; console.log(m.Subject, m.AutoGenerateTextBody) }`;
    expect((await worker.run(source)).outcome.logs[0]?.text).toBe("s true");
  });

  test.each([
    ["TextBody", `m.TextBody = "t"`, "text/plain"],
    [
      "HTMLBody with its text made",
      `m.HTMLBody = "<p>h</p>"`,
      "multipart/alternative(text/plain, text/html)",
    ],
    ["HTMLBody alone", `m.AutoGenerateTextBody = false; m.HTMLBody = "<p>h</p>"`, "text/html"],
    [
      "HTMLBody after TextBody",
      `m.TextBody = "t"; m.HTMLBody = "h"`,
      "multipart/alternative(text/plain, text/html)",
    ],
    [
      "TextBody after HTMLBody",
      `m.AutoGenerateTextBody = false; m.HTMLBody = "h"; m.TextBody = "t"`,
      "multipart/alternative(text/plain, text/html)",
    ],
    [
      "an attachment to a text",
      `m.TextBody = "t"; m.Attachments.Add()`,
      "multipart/mixed(text/plain, application/octet-stream)",
    ],
    [
      "an attachment to an HTML",
      `m.AutoGenerateTextBody = false; m.HTMLBody = "h"; m.Attachments.Add()`,
      "multipart/mixed(text/html, application/octet-stream)",
    ],
    [
      "an attachment to an alternative",
      `m.HTMLBody = "h"; m.Attachments.Add()`,
      "multipart/mixed(multipart/alternative(text/plain, text/html), application/octet-stream)",
    ],
    [
      "a part beside an alternative",
      `m.HTMLBody = "h"; m.BodyPart.AddBodyPart()`,
      "multipart/mixed(multipart/alternative(text/plain, text/html), application/octet-stream)",
    ],
    [
      "two attachments",
      `m.TextBody = "t"; m.Attachments.Add().ContentMediaType = "image/png"; m.Attachments.Add(1)`,
      "multipart/mixed(text/plain, application/octet-stream, image/png)",
    ],
    [
      "a first part",
      `m.TextBody = "t"; m.BodyPart.BodyParts.Add(1)`,
      "multipart/mixed(application/octet-stream, text/plain)",
    ],
    [
      "HTML beside an attachment",
      `m.AutoGenerateTextBody = false; m.TextBody = "t"; m.Attachments.Add(); m.HTMLBody = "h"`,
      "multipart/mixed(multipart/alternative(text/plain, text/html), application/octet-stream)",
    ],
    [
      "a tree built by hand",
      `const r = m.BodyPart; r.ContentMediaType = "multipart/alternative"; r.AddBodyPart().ContentMediaType = "text/plain"; r.AddBodyPart().ContentMediaType = "text/html"`,
      "multipart/alternative(text/plain, text/html)",
    ],
    [
      "a tree built by its fields",
      `const f = m.Fields; f(cdoContentType).Value = "multipart/related; type=\\"text/html\\""; f.Update(); m.BodyPart.AddBodyPart().ContentMediaType = "text/html"`,
      "multipart/related(text/html)",
    ],
    [
      "a part of a part",
      `m.TextBody = "t"; const p = m.BodyPart.AddBodyPart(); p.AddBodyPart(); p.AddBodyPart()`,
      "multipart/mixed(text/plain, multipart/mixed(application/octet-stream, application/octet-stream))",
    ],
  ])("structure: %s", async (_what, code, tree) => {
    expect(
      await log(
        `${NEW} ${code}; console.log(tree(m.BodyPart)); const c = new ActiveXObject("CDO.Message"), s = m.GetStream(); c.DataSource.OpenObject(s, "_Stream"); console.log(tree(c.BodyPart) === tree(m.BodyPart))`,
      ),
    ).toEqual([tree, "true"]);
  });

  test("AutoGenerateTextBody follows HTMLBody until TextBody is set", async () => {
    expect(
      await log(
        `${NEW} m.HTMLBody = "<p>one</p>"; const a = m.TextBody.trim(); m.HTMLBody = "<p>two</p>"; const b = m.TextBody.trim(); m.TextBody = "own"; m.HTMLBody = "<p>three</p>"; console.log(a, b, m.TextBody.trim(), m.AutoGenerateTextBody)`,
      ),
    ).toEqual(["one two own false"]);
  });

  test("the recipe for an attachment by hand works", async () => {
    const lines = await log(`${NEW} m.TextBody = "t"; const bp = m.Attachments.Add(); const f = bp.Fields;
      f("urn:schemas:mailheader:content-type").Value = "application/pdf; name=x.pdf"; f("urn:schemas:mailheader:content-transfer-encoding").Value = "base64"; f.Update();
      const s = bp.GetDecodedContentStream(); s.Write(new Uint8Array([37, 80, 68, 70, 0, 255])); s.Flush();
      console.log(m.Attachments.Count, bp.FileName, bp.Fields(cdoContentDisposition).Value, bp.GetEncodedContentStream().ReadText(), [...m.Attachments(1).GetDecodedContentStream().Read()].join())`);
    expect(lines).toEqual(["1 x.pdf attachment JVBERgD/  37,80,68,70,0,255"]);
  });

  test("MimeFormatted False takes the HTML and writes attachments as uuencoded text", async () => {
    const lines =
      await log(`${NEW} m.HTMLBody = "<p>one</p>"; const a = m.Attachments.Add(); a.Fields(cdoContentDisposition).Value = "attachment; filename=cat.txt"; a.Fields.Update();
      const s = a.GetDecodedContentStream(); s.Write(new TextEncoder().encode("Cat")); s.Flush(); m.MimeFormatted = false;
      console.log(m.MimeFormatted, m.HTMLBodyPart, m.AutoGenerateTextBody); console.log(JSON.stringify(m.GetStream().ReadText()));
      m.HTMLBody = "<p>two</p>"; console.log(m.MimeFormatted)`);
    expect(lines[0]).toBe("false null false");
    expect(JSON.parse(lines[1] ?? "")).toMatch(/\r\n\r\none\r\nbegin 644 cat\.txt\r\n#0V%T\r\n`\r\nend\r\n$/);
    expect(lines[2]).toBe("true");
  });
});

describe("data sources", () => {
  test("a message that is bound to nothing cannot be saved", async () => {
    expect(
      await log(
        `${NEW} try { m.DataSource.Save() } catch (e) { console.log(e.name, e.number === (0x80040202 | 0), e.message) }`,
      ),
    ).toEqual([expect.stringMatching(/^CDO_E_NOT_OPENED true .*OpenObject/)]);
  });

  test("a message is opened from a stream, changed, and saved back into it", async () => {
    expect(
      await log(`${NEW} const s = new ActiveXObject("ADODB.Stream"); s.Open(); s.Charset = "us-ascii"; s.WriteText("Subject: in\\r\\nReceived: x; Sat, 21 Nov 2026 10:00:00 +0000\\r\\n\\r\\nbody\\r\\n");
      m.DataSource.OpenObject(s, "_Stream"); console.log(m.Subject, m.AutoGenerateTextBody, m.DataSource.IsDirty, m.DataSource.SourceClass, m.DataSource.Source === s, m.ReceivedTime.toISOString());
      m.Subject = "out"; console.log(m.DataSource.IsDirty); m.DataSource.Save(); s.Position = 0; console.log(s.ReadText(-2), m.DataSource.IsDirty)`),
    ).toEqual(["in false false _Stream true 2026-11-21T10:00:00.000Z", "true", "Subject: out false"]);
  });

  test("a message is embedded in the arriving one, and taken out again", async () => {
    const { message, outcome } = await worker.run(
      script(`${NEW} m.Subject = "inner"; m.TextBody = "inner text"; const bp = msg.Attachments.Add(); bp.ContentMediaType = "message/rfc822";
      m.DataSource.SaveToObject(bp, "IBodyPart"); msg.DataSource.Save();
      const out = new ActiveXObject("CDO.Message"); out.DataSource.OpenObject(msg.Attachments(1), "IBodyPart"); console.log(out.Subject, out.TextBody, m.DataSource.SourceClass, tree(msg.BodyPart));
      out.Subject = "changed"; out.DataSource.Save(); console.log(msg.Attachments(1).GetStream().ReadText().includes("Subject: changed"))`),
    );
    expect(outcome.logs.map((line) => line.text).slice(0, 2)).toEqual([
      "inner inner text  IBodyPart multipart/mixed(text/plain, message/rfc822)",
      "true",
    ]);
    expect(message).toContain(
      "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\nSubject: inner\r\n",
    );
  });

  test("a message that was opened and not edited is saved as it was", async () => {
    const message = [
      "Subject: outer",
      "MIME-Version: 1.0",
      'Content-Type: multipart/mixed; boundary="m"',
      "",
      "--m",
      "Content-Type: message/rfc822",
      "",
      "Subject: inner",
      "",
      "inner text",
      "--m--",
      "",
    ].join("\r\n");
    const { outcome, message: after } = await worker.run(
      script(`${NEW} m.DataSource.OpenObject(msg.Attachments(1), "IBodyPart"); console.log(JSON.stringify(m.GetStream().ReadText()));
      m.DataSource.Save(); msg.DataSource.Save()`),
      { message },
    );
    expect(outcome.logs[0]?.text).toBe(JSON.stringify("Subject: inner\r\n\r\ninner text"));
    expect(after).toBe(message);
  });

  test("a copy of the arriving message changes without it", async () => {
    const { outcome, message } = await worker.run(
      script(`${NEW} m.DataSource.OpenObject(msg, "IMessage"); m.Subject = "copy"; m.Attachments.DeleteAll(); console.log(m.TextBody, m.Attachments.Count, msg.Attachments.Count, msg.Subject, m.AutoGenerateTextBody);
      const s = new ActiveXObject("ADODB.Stream"); s.Open(); m.DataSource.SaveToObject(s, "_Stream"); console.log(s.Size > 100)`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs.map((line) => line.text)).toEqual(["plain text 0 2 both false", "true"]);
    expect(message).toBe(ALTERNATIVE);
  });

  test("a part is opened from a stream and saved to another part", async () => {
    expect(
      await log(`${NEW} m.TextBody = "t"; const a = m.Attachments.Add(), b = m.Attachments.Add(); const s = new ActiveXObject("ADODB.Stream"); s.Open(); s.Charset = "us-ascii";
      s.WriteText("Content-Type: text/x-one\\r\\nContent-Disposition: attachment\\r\\n\\r\\n1"); a.DataSource.OpenObject(s, "_Stream"); console.log(tree(m.BodyPart));
      a.DataSource.SaveToObject(b, "IBodyPart"); console.log(tree(m.BodyPart)); console.log(named(() => a.DataSource.OpenObject(a, "IBodyPart")))`),
    ).toEqual([
      "multipart/mixed(text/plain, text/x-one, application/octet-stream)",
      "multipart/mixed(text/plain, text/x-one, text/x-one)",
      "CDO_E_SELF_BINDING",
    ]);
  });

  test("what cannot be bound is refused by its error, and nothing changes", async () => {
    expect(
      await log(`${NEW} m.Subject = "s"; m.TextBody = "t"; m.Attachments.Add(); const before = m.GetStream().ReadText(), d = m.DataSource;
      console.log([() => d.OpenObject(m, "IMessage"), () => d.SaveToObject(m.BodyPart, "IBodyPart"), () => d.SaveToObject(m.Attachments(1), "IBodyPart"), () => d.OpenObject(msg, "IRecordset"),
        () => d.OpenObject(msg, "_Stream"), () => d.OpenObject({}, "IMessage"), () => d.OpenObject(msg.BodyPart.BodyParts, "IBodyPart"), () => d.OpenObject(msg.Attachments, "IMessage"), () => d.OpenObject(msg.BodyPart, "IMessage"),
        () => d.OpenObject(new ActiveXObject("ADODB.Stream"), "_Stream"), () => d.Open("http://x"), () => d.SaveTo("x"), () => d.SaveToContainer("x"), () => d.ActiveConnection, () => d.SourceURL, () => { d.Source = 1 }].map(named).join());
      console.log(m.GetStream().ReadText() === before)`),
    ).toEqual([
      "CDO_E_SELF_BINDING,CDO_E_SELF_BINDING,CDO_E_SELF_BINDING,CDO_E_UNSUPPORTED_DATASOURCE,CDO_E_ARGUMENT1,CDO_E_ARGUMENT1,CDO_E_ARGUMENT1,CDO_E_ARGUMENT1,CDO_E_ARGUMENT1,adErrObjectClosed,CDO_E_NOT_AVAILABLE,CDO_E_NOT_AVAILABLE,CDO_E_NOT_AVAILABLE,CDO_E_NOT_AVAILABLE,CDO_E_NOT_AVAILABLE,CDO_E_PROP_READONLY",
      "true",
    ]);
  });

  test("once the arriving message is bound elsewhere, its Save does not reach the transport, and the log says so", async () => {
    const { outcome } = await worker.run(
      script(
        `const s = new ActiveXObject("ADODB.Stream"); s.Open(); msg.DataSource.SaveToObject(s, "_Stream"); msg.Subject = "lost"; msg.DataSource.Save()`,
      ),
    );
    expect(outcome.splices).toBeUndefined();
    expect(outcome.logs[0]?.text).toMatch(
      /dropped: DataSource\.Save \(the message is bound to another object .* not to the transport any more\); Subject \(no DataSource\.Save\)/,
    );
    const unchanged = `const m = new CDO.Message(); msg.DataSource.SaveToObject(m.Attachments.Add(), "IBodyPart"); msg.DataSource.Save()`;
    expect((await worker.run(script(unchanged))).outcome.logs).toEqual([]);
    const opened = await worker.run(script(`msg.DataSource.OpenObject(new CDO.Message(), "IMessage")`));
    expect(opened.outcome.logs[0]?.text).toMatch(/dropped: OpenObject \(no DataSource\.Save\)$/);
  });

  test("messages are bounded in number", async () => {
    const { outcome } = await worker.run(script(`for (;;) new ActiveXObject("CDO.Message")`));
    expect(outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("messages (50)"),
    });
  });

  test("there are none while the script is being loaded", async () => {
    const source = `let e1; try { new ActiveXObject("CDO.Message") } catch (e) { e1 = e } const s = new ActiveXObject("ADODB.Stream"); function onArrival() { s.Open(); s.WriteText("x"); console.log(e1.name, e1.message, s.Size); s.Close() }`;
    expect((await worker.run(source)).outcome.logs[0]?.text).toMatch(/^CDO_E_NOT_AVAILABLE .*onArrival.* 4$/);
  });
});

describe("interfaces", () => {
  test("GetInterface gives each object the others", async () => {
    expect(
      await log(`${NEW} const i = (o, n) => { try { return o.GetInterface(n).constructor.name.replace(/^_/, "") } catch (e) { return e.name } };
      console.log(["IMessage", "ibodypart", "IDataSource", "_Stream", "IUnknown"].map((n) => i(msg, n)).join());
      console.log(["IMessage", "IBodyPart", "IDataSource", "_Stream", ""].map((n) => i(msg.BodyPart, n)).join()); m.TextBody = "x"; const a = m.Attachments.Add(); console.log(i(a, "IMessage"), a.GetInterface("IBodyPart") === a, msg.BodyPart.GetInterface("IMessage") === msg)`),
    ).toEqual([
      "Message,BodyPart,DataSource,Stream,E_NOINTERFACE",
      "Message,BodyPart,DataSource,Stream,E_NOINTERFACE",
      "E_NOINTERFACE true true",
    ]);
  });
});
