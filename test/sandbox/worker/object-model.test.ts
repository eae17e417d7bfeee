// The CDO object model as scripts meet it, in a real sandbox process.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALTERNATIVE, logged, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const log = (body: string, message: string = MESSAGE): Promise<readonly string[]> =>
  logged(worker, body, { message });

describe("properties of Message", () => {
  test("header properties are decoded text", async () => {
    expect(
      await log(`for (const p of ["Subject", "From", "To", "CC", "Organization"]) console.log(msg[p])`),
    ).toEqual(["Grüße", "Ann <ann@example.com>", "Bob <bob@example.net>, carol@example.net", "", ""]);
  });

  test("dates are Date objects, and the read-only ones refuse a value by name", async () => {
    const lines = await log(`
      console.log(msg.SentOn.toISOString(), msg.ReceivedTime.toISOString());
      for (const p of ["SentOn", "ReceivedTime", "Attachments", "Fields"]) {
        try { msg[p] = 1 } catch (e) { console.log(p, e.name, e.number) }
      }`);
    expect(lines[0]).toBe("2026-11-21T10:00:00.000Z 2026-11-21T10:00:05.000Z");
    expect(lines.slice(1)).toEqual(
      ["SentOn", "ReceivedTime", "Attachments", "Fields"].map(
        (p) => `${p} CDO_E_PROP_READONLY ${0x80040227 | 0}`,
      ),
    );
  });

  test("H04 a subject outside ASCII is encoded, and both views of it stay linked", async () => {
    const { message } = await worker.run(script(`msg.Subject = "Rückfrage"; msg.DataSource.Save()`));
    expect(message).toMatch(/^Subject: =\?utf-8\?/im);
    expect(
      await log(`
      msg.Subject = "Zürich"; console.log(msg.Fields("urn:schemas:mailheader:subject").Value.startsWith("=?"));
      msg.Fields("urn:schemas:mailheader:subject").Value = "=?utf-8?Q?=C3=A4?="; msg.Fields.Update(); console.log(msg.Subject); msg.DataSource.Save()`),
    ).toEqual(["true", "ä"]);
  });

  test("H01 a line break in a value never makes a second header", async () => {
    const { message, outcome } = await worker.run(
      script(
        `msg.Subject = "a\\r\\nBcc: evil@example.org"; msg.To = "x@y.example\\r\\nX-Evil: 1"; msg.DataSource.Save()`,
      ),
    );
    expect(message).not.toMatch(/^(?:Bcc|X-Evil):/m);
    if (outcome.fault !== undefined) expect(outcome.fault.message).toContain("CDO_E_BAD_DATA");
  });

  test.each(["\r", "\n", "\u0085", "\u2028", "\0", "\r\n\r\n"])("H01 nor does %j", async (end) => {
    const set = `msg.Fields("urn:schemas:mailheader:x-note").Value = ${JSON.stringify(`a${end}Bcc: evil@example.org`)}`;
    const { message } = await worker.run(script(`${set}; msg.Fields.Update(); msg.DataSource.Save()`));
    const [header] = message.split("\r\n\r\n");
    // Whatever takes one of them for a line end, none may begin the field.
    expect(header?.split(/[\r\n\u0085\u2028\0]+/).filter((line) => /^Bcc:/i.test(line))).toEqual([]);
    expect(message).toMatch(/\r\n\r\nHello/);
  });

  test("H02 a header name that is none is refused, and the message stays as it was", async () => {
    const names = ["x bad", "x\r\nbcc", "", "x\0", "ä", `x-${"y".repeat(1000)}`];
    const tries = names.map(
      (name) =>
        `try { msg.Fields.Append(${JSON.stringify(`urn:schemas:mailheader:${name}`)}, 8, 0, 0, "v"); msg.Fields.Update(); msg.DataSource.Save(); console.log("taken") } catch (e) { msg.Fields.CancelUpdate(); console.log(e.message) }`,
    );
    const { message, outcome } = await worker.run(script(tries.join("\n")));
    expect(outcome.logs.map(({ text }) => text)).toEqual(
      names.map(() => expect.stringMatching(/cannot be the name of a header field|^Fields\(/)),
    );
    expect(message).not.toMatch(/^(?:x bad|x:bad|bcc|x-y)/im);
  });

  test("a trailing comma of an address list is dropped", async () => {
    expect(
      await log(`msg.To = msg.To + "," + "dave@example.org,"; console.log(msg.To); msg.DataSource.Save()`),
    ).toEqual(
      ["Bob <bob@example.net>, carol@example.net,dave@example.org"].map((text) =>
        expect.stringMatching(new RegExp(text.replaceAll(",", ", ?"))),
      ),
    );
  });

  test("an empty value removes the header", async () => {
    const { message } = await worker.run(script(`msg.To = ""; msg.DataSource.Save()`));
    expect(message).not.toMatch(/^To:/m);
  });

  test("MDNRequested writes Disposition-Notification-To with the From address", async () => {
    const { message } = await worker.run(script(`msg.MDNRequested = true; msg.DataSource.Save()`));
    expect(message).toContain("Disposition-Notification-To: Ann <ann@example.com>");
  });

  test("a value is coerced once", async () => {
    expect(
      await log(
        `let n = 0; msg.Subject = { toString() { n++; return "s" + n } }; console.log(n, msg.Subject); msg.DataSource.Save()`,
      ),
    ).toEqual(["1 s1"]);
  });
});

describe("names", () => {
  test("members resolve in any case, on messages, collections and fields", async () => {
    expect(
      await log(`console.log(msg.subject, msg.TEXTBODY.length > 0, msg.fields.item("urn:schemas:mailheader:MESSAGE-ID").value);
      msg.textbody = "new"; msg.datasource.save(); status.value = 1`),
    ).toEqual(["Grüße true <1@example.com>"]);
  });

  test("an unknown member is refused when set and undefined when read", async () => {
    expect(
      await log(
        `console.log(msg.Subjekt); try { msg.Subjekt = "x" } catch (e) { console.log(e.name, e.message) }`,
      ),
    ).toEqual(["undefined", expect.stringMatching(/^CDO_E_PROP_UNSUPPORTED .*Subjekt/)]);
  });

  test("a ProgID that is not served is refused by name", async () => {
    expect(
      await log(`try { new ActiveXObject("WScript.Shell") } catch (e) { console.log(e.message) }`),
    ).toEqual([expect.stringContaining("WScript.Shell")]);
  });
});

describe("collections", () => {
  test("Fields is callable, has Item, counts, iterates, and works with Enumerator", async () => {
    expect(
      await log(`
      const name = "urn:schemas:mailheader:message-id";
      console.log(msg.Fields(name).Value === msg.Fields.Item(name).Value, msg.Fields(name) == "<1@example.com>", typeof msg.Fields.Count);
      let n = 0; for (const f of msg.Fields) n++;
      let m = 0; for (const e = new Enumerator(msg.Fields); !e.atEnd(); e.moveNext()) { e.item().Name; m++ }
      console.log(n === m, n === msg.Fields.Count, msg.Fields(0).Name)`),
    ).toEqual(["true true number", "true true urn:schemas:mailheader:received"]);
  });

  test("received is all Received fields, read-only", async () => {
    expect(
      await log(`const f = msg.Fields("urn:schemas:mailheader:received"); console.log(f.Value.split("\\r\\n").length); try { f.Value = "x" } catch (e) { console.log(e.name) }
      try { msg.Fields.Delete("urn:schemas:mailheader:received") } catch (e) { console.log(e.name) }`),
    ).toEqual(["2", "CDO_E_PROP_READONLY", "CDO_E_PROP_CANNOT_DELETE"]);
  });

  test("unknown field names are refused, https is an alias of http", async () => {
    expect(
      await log(`for (const n of ["subject", "urn:x:y", ""]) try { msg.Fields(n) } catch (e) { console.log(e.name) }
      console.log(msg.EnvelopeFields("https://schemas.microsoft.com/cdo/smtpenvelope/clientipaddress").Value)`),
    ).toEqual([
      "CDO_E_INVALID_PROPERTYNAME",
      "CDO_E_INVALID_PROPERTYNAME",
      "CDO_E_INVALID_PROPERTYNAME",
      "192.0.2.1",
    ]);
  });

  test("the httpmail and exchange fields have their types", async () => {
    const message = MESSAGE.replace(
      "MIME-Version",
      "Importance: High\r\nSensitivity: Private\r\nMIME-Version",
    );
    expect(
      await log(
        `const h = (n) => msg.Fields("urn:schemas:httpmail:" + n).Value;
      console.log(h("subject"), h("importance"), h("priority"), h("hasattachment"), h("date") instanceof Date, h("textdescription") === msg.TextBody, msg.Fields(cdoSensitivity).Value)`,
        message,
      ),
    ).toEqual(["Grüße 2 0 false true true 2"]);
  });

  test("Scripting.Dictionary works, with CompareMode too", async () => {
    const code = `const d = new ActiveXObject("Scripting.Dictionary"); d.CompareMode = mode; d.Add("A", 1); console.log(d.exists("A"), d.Exists("a"), d("a"), d.Count, d.Keys().join()); try { d.CompareMode = 0 } catch (e) { console.log(e.message) } d.Item("a", 2); console.log([...d].join(), d.Items().join())`;
    const late = "Scripting.Dictionary: CompareMode is set before the first key is added";
    expect(await log(`const mode = 0; ${code}`)).toEqual(["true false undefined 1 A", late, "A,a 1,2"]);
    expect(await log(`const mode = 1; ${code}`)).toEqual(["true true 1 1 A", late, "A 2"]);
  });
});

describe("bodies and attachments", () => {
  test("both bodies are read and replaced, everything else stays byte for byte", async () => {
    const { message } = await worker.run(
      script(
        `msg.TextBody = msg.TextBody + "!"; msg.HTMLBody = msg.HTMLBody.replace("</body>", "<p>x</p></body>"); msg.DataSource.Save()`,
      ),
      { message: ALTERNATIVE },
    );
    expect(message).toBe(
      ALTERNATIVE.replace("plain text", "plain text!").replace("</body>", "<p>x</p></body>"),
    );
  });

  test("setting HTMLBody alone leaves the plain text of a received message", async () => {
    const { message } = await worker.run(script(`msg.HTMLBody = "<b>new</b>"; msg.DataSource.Save()`), {
      message: ALTERNATIVE,
    });
    expect(message).toContain("plain text");
    expect(message).toContain("<b>new</b>");
  });

  test("AutoGenerateTextBody writes the text of the HTML, and ends when TextBody is set", async () => {
    expect(
      await log(
        `msg.AutoGenerateTextBody = true; msg.HTMLBody = "<p>one &amp; two</p>"; console.log(msg.TextBody.trim()); msg.TextBody = "own"; console.log(msg.AutoGenerateTextBody); msg.DataSource.Save()`,
        ALTERNATIVE,
      ),
    ).toEqual(["one & two", "false"]);
  });

  test("attachments count from 1, know their names and types, and can be deleted", async () => {
    const { message, outcome } = await worker.run(
      script(`const a = msg.Attachments; console.log(a.Count, a.length, a(1).FileName, a.Item(2).ContentMediaType, [...a].length);
      try { a(3) } catch (e) { console.log(e.name) }
      try { a(1).FileName = "x" } catch (e) { console.log(e.name) }
      a.Delete(1); console.log(a.Count, msg.BodyPart.BodyParts.Count); msg.DataSource.Save()`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs.map((line) => line.text)).toEqual([
      "2 2 run.exe text/csv 2",
      "CDO_E_NOT_FOUND",
      "CDO_E_PROP_READONLY",
      "1 2",
    ]);
    expect(message).not.toContain("run.exe");
    expect(message).toContain("table.csv");
  });

  test("a field stands for its value in texts, comparisons and the log, for an empty one when it has none", async () => {
    expect(
      await log(
        `const f = (name) => msg.Fields("urn:schemas:mailheader:" + name);
         console.log(f("subject"), msg.EnvelopeFields(cdoSenderEmailAddress)); console.log(f("subject") == "both", "<" + f("subject") + ">");
         console.log(f("x-not"), f("x-not") == "", "<" + f("x-not") + ">", \`<\${f("x-not")}>\`);
         const arrived = msg.EnvelopeFields(cdoArrivalTime);
         console.log(arrived > new Date(2000, 0, 1), arrived - 0 === arrived.Value.getTime(), "" + arrived === String(arrived), msg.EnvelopeFields(cdoMessageStatus) == 0);`,
        ALTERNATIVE,
      ),
    ).toEqual(["both ann@example.com", "true <both>", "undefined true <> <>", "true true true true"]);
  });

  test("a field name without its namespace is told the whole one", async () => {
    expect(
      await log(
        `for (const ask of [() => msg.Fields("x-a"), () => msg.EnvelopeFields("recipientlist"), () => msg.Configuration.Fields("sendusing")])
           try { ask() } catch (e) { console.log(/whole name: "([^"]*)"/.exec(e.message)[1]) }`,
        ALTERNATIVE,
      ),
    ).toEqual([
      "urn:schemas:mailheader:x-a",
      "http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist",
      "http://schemas.microsoft.com/cdo/configuration/sendusing",
    ]);
  });

  test("a part asked for again is the same object, with the values that wait in its fields", async () => {
    const { message, outcome } = await worker.run(
      script(`const NAME = "urn:schemas:mailheader:content-description";
        msg.Attachments(1).Fields(NAME).Value = "first"; msg.Attachments.Item(1).Fields.Update();
        msg.HTMLBodyPart.Fields(NAME).Value = "second"; msg.TextBodyPart.Parent.BodyParts(2).Fields.Update();
        msg.BodyPart.Fields(NAME).Value = "third"; msg.Attachments(1).Parent.Fields.Update();
        console.log(msg.Attachments(2) === [...msg.Attachments][1], msg.BodyPart.GetInterface("IMessage") === msg);
        msg.DataSource.Save()`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs.map((line) => line.text)).toEqual(["true true"]);
    for (const value of ["first", "second", "third"])
      expect(message).toContain(`content-description: ${value}`);
  });

  test("an HTML emptied beside a text is warned of", async () => {
    expect(await log(`msg.HTMLBody = ""; msg.DataSource.Save()`, ALTERNATIVE)).toEqual([
      expect.stringContaining("delete HTMLBodyPart to keep the text alone"),
    ]);
  });

  test("DeleteAll leaves the text", async () => {
    const { message } = await worker.run(script(`msg.Attachments.DeleteAll(); msg.DataSource.Save()`), {
      message: ALTERNATIVE,
    });
    expect(message).not.toMatch(/run\.exe|table\.csv/);
    expect(message).toContain("html text");
  });

  test("a loop that counts down finds a named text also when it is the last part left", async () => {
    const message =
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; name="notes.txt"\r\n\r\nnotes\r\n--b\r\nContent-Type: application/pdf\r\n\r\nPDF\r\n--b--\r\n';
    expect(
      await log(
        `const a = msg.Attachments;
         for (let i = a.Count; i >= 1; i--) { console.log(a(i).FileName || a(i).ContentMediaType); a.Delete(i); }
         console.log(a.Count, msg.TextBody === ""); msg.DataSource.Save()`,
        message,
      ),
    ).toEqual(["application/pdf", "notes.txt", "0 true"]);
  });

  test("what was signed is no signed multipart without its signature", async () => {
    const message =
      'Subject: x\r\nContent-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMII=\r\n--b--\r\n';
    const done = await worker.run(script(`msg.Attachments.Delete(1); msg.DataSource.Save()`), { message });
    expect(done.message).toBe("Subject: x\r\nContent-Type: text/plain\r\n\r\ntext");
  });

  test("line breaks and controls that a sender encoded into a file name are none of the name", async () => {
    const message =
      "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''a%0D%0Ab%00.pdf\r\n\r\nPDF\r\n";
    expect(
      await log(
        `const part = msg.Attachments(1); console.log(JSON.stringify(part.FileName));
         part.Fields(cdoContentDisposition).Value = 'attachment; filename="x ' + part.FileName + '"'; part.Fields.Update();
         console.log(part.FileName); msg.DataSource.Save()`,
        message,
      ),
    ).toEqual(['"a b .pdf"', "x a b .pdf"]);
  });

  test("a message that is nothing but an attachment becomes an empty text", async () => {
    const message =
      'Subject: x\r\nContent-Type: application/zip; name="a.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n';
    const done = await worker.run(
      script(`console.log(msg.Attachments.Count); msg.Attachments.Delete(1); msg.DataSource.Save()`),
      { message },
    );
    expect(done.outcome.logs[0]?.text).toBe("1");
    expect(done.message).toBe("Subject: x\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
  });

  test("body parts know charset, encoding, fields, parameters and parent", async () => {
    expect(
      await log(
        `const p = msg.TextBodyPart; console.log(p.Charset, p.ContentTransferEncoding, p.GetFieldParameter("urn:schemas:mailheader:content-type", "charset"), p.Parent.ContentMediaType);
      console.log(msg.Attachments(1).Fields(cdoContentDisposition).Value, msg.HTMLBodyPart !== null);
      try { msg.BodyPart.Parent } catch (e) { console.log(e.name) }
      try { p.GetFieldParameter("subject", "x") } catch (e) { console.log(e.name) }`,
        ALTERNATIVE,
      ),
    ).toEqual([
      "utf-8 7bit utf-8 multipart/alternative",
      'attachment; filename="run.exe" true',
      "CDO_E_NOT_FOUND",
      "CDO_E_PROP_NONHEADER",
    ]);
  });

  test("a script is warned before it breaks a signature", async () => {
    const message =
      'Subject: s\r\nContent-Type: multipart/signed; boundary="s"; protocol="application/pgp-signature"; micalg=pgp-sha256\r\n\r\n--s\r\n\r\ntext\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n';
    const { outcome } = await worker.run(
      script(`console.log(msg.Protection); msg.TextBody = "changed"; msg.DataSource.Save()`),
      { message },
    );
    expect(outcome.logs.map((line) => line.text)).toEqual(["signed", expect.stringContaining("signature")]);
  });
});

describe("globals", () => {
  test("constants, coding and cloning are there, dangers are not", async () => {
    expect(
      await log(`console.log(cdoSkipRemainingSinks, cdoStatBadMail, cdoNSMailHeader, btoa("hä"), atob("aGk="), new TextDecoder().decode(new TextEncoder().encode("ä€😀")));
      console.log([typeof WebAssembly, typeof SharedArrayBuffer, typeof Atomics, typeof process, typeof require, typeof setTimeout, typeof __onarrivalConnect, typeof __onarrivalExports].join());
      const c = structuredClone({ a: [1, new Map([[1, 2]])] }); console.log(c.a[1].get(1), /^[0-9a-f-]{36}$/.test(crypto.randomUUID()))`),
    ).toEqual([
      "1 3 urn:schemas:mailheader: aOQ= hi ä€😀",
      "undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined",
      "2 true",
    ]);
  });

  test("everything reachable from the global object and the arguments is an object of the isolate itself", async () => {
    const walk = `
      const made = new ActiveXObject("CDO.Message"); made.TextBody = "x"; const part = made.Attachments.Add(); const stream = msg.GetStream(); const bytes = part.GetDecodedContentStream();
      const errors = [() => made.DataSource.Save(), () => new ActiveXObject("ADODB.Stream").Read(), () => msg.Fields("x")].map((f) => { try { f() } catch (e) { return e } });
      bytes.Write(new Uint8Array([1, 2])); bytes.Flush(); bytes.Position = 0;
      const seen = new Set(); const queue = [globalThis, msg, status, event, msg.Fields, msg.Fields(cdoSubject), msg.Attachments, msg.EnvelopeFields, msg.DataSource, msg.BodyPart, msg.BodyPart.BodyParts,
        made, made.Fields, made.DataSource, part, part.Fields, part.DataSource, stream, stream.constructor, bytes, bytes.Read(), bytes.Read, new ActiveXObject("ADODB.Stream"), new ActiveXObject("Scripting.Dictionary"), ...errors]; const odd = [];
      while (queue.length > 0 && seen.size < 20000) {
        const o = queue.pop(); if (seen.has(o)) continue; seen.add(o);
        const proto = Object.getPrototypeOf(o); if (proto !== null) queue.push(proto);
        if (/^(Reference|ExternalCopy|Callback|Isolate|Dereference|Context|Copy)$/.test(String(o.constructor?.name))) odd.push(String(o.constructor?.name));
        for (const key of Reflect.ownKeys(o)) {
          const d = Reflect.getOwnPropertyDescriptor(o, key); if (d === undefined) continue;
          for (const v of [d.value, d.get, d.set]) if ((typeof v === "object" && v !== null) || typeof v === "function") queue.push(v);
        }
      }
      console.log(seen.size > 500, odd.join());`;
    expect(await log(walk)).toEqual(["true "]);
  });

  test("the prototypes of the object model are frozen", async () => {
    expect(
      await log(
        `for (const o of [msg, msg.Fields, msg.Fields(cdoSubject), msg.Attachments, msg.EnvelopeFields, msg.DataSource, msg.BodyPart, msg.GetStream(), status, msg.Fields.sourceOf("urn:schemas:mailheader:x")]) console.log(Object.isFrozen(Object.getPrototypeOf(o)))`,
      ),
    ).toEqual(Array.from({ length: 10 }, () => "true"));
  });
});
