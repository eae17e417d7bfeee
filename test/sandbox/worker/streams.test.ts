// ADODB.Stream: those of messages and body parts, and those that scripts make themselves.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALTERNATIVE, logged, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const log = (body: string, message: string | Buffer = MESSAGE): Promise<readonly string[]> =>
  logged(worker, body, { message });

/** A text stream that is open, with a charset. */
const STREAM = (charset: string): string =>
  `const s = new ActiveXObject("ADODB.Stream"); s.Open(); s.Charset = "${charset}";`;
const NAMED = `const named = (f) => { try { f(); return "no error" } catch (e) { return e.name } };`;

describe("the stream of a message", () => {
  test("is a text of the whole message, at its start, in US-ASCII", async () => {
    expect(
      await log(`const s = msg.GetStream(); console.log(s.Position, s.Size, s.EOS, s.Type, s.Charset, s.State, s.LineSeparator, s.Mode);
      console.log(s.ReadText(8), s.Position, s.ReadText() .length, s.EOS, JSON.stringify(s.ReadText()))`),
    ).toEqual([
      `0 ${Buffer.byteLength(MESSAGE)} false 2 US-ASCII 1 -1 0`,
      `Received 8 ${Buffer.byteLength(MESSAGE) - 8} true ""`,
    ]);
  });

  test("eight-bit bytes pass through it unharmed", async () => {
    const message = Buffer.concat([
      Buffer.from(`Subject: x\r\nX-Raw: `),
      Buffer.from([0xe4, 0xff, 0x80]),
      Buffer.from("\r\n\r\nb\xe4\r\n", "latin1"),
    ]);
    const { bytes } = await worker.run(
      script(
        `const s = msg.GetStream(); const t = s.ReadText(); s.Position = 0; s.WriteText(t); s.SetEOS(); s.Flush(); msg.Subject = "y"; msg.DataSource.Save()`,
      ),
      { message },
    );
    expect(bytes.toString("latin1")).toBe(message.toString("latin1").replace("Subject: x", "Subject: y"));
  });

  test("replaces the message with Flush and Save, and the splice is no larger than the change", async () => {
    const { message, outcome } = await worker.run(
      script(`const s = msg.GetStream(); const t = s.ReadText().replace("world", "moon and stars"); s.Position = 0; s.WriteText(t); s.SetEOS(); s.Flush();
      console.log(msg.TextBody.includes("moon")); msg.DataSource.Save()`),
    );
    expect(message).toBe(MESSAGE.replace("world", "moon and stars"));
    expect(outcome.logs.map((line) => line.text)).toEqual(["true"]);
    expect(outcome.splices?.[0]?.length).toBeLessThan(20);
  });

  test("a later script reads what a flushed stream with a longer header block made", async () => {
    const first = script(`const s = msg.GetStream(); const t = s.ReadText(); s.Position = 0;
      s.WriteText("X-Long: " + "y ".repeat(9000).trim() + "\\r\\n" + t.slice(0, t.indexOf("Subject")) + "Subject: short\\r\\n\\r\\nb\\r\\n"); s.SetEOS(); s.Flush(); msg.DataSource.Save()`);
    const second = script(
      `console.log(msg.Subject, msg.Fields("urn:schemas:mailheader:x-long").Value.length, msg.TextBody)`,
    );
    const large = `Subject: old\r\n\r\n${"text\r\n".repeat(20_000)}`;
    const { outcomes } = await worker.run([first, second], { message: large });
    expect(outcomes[1]?.logs[0]?.text).toBe("short 17999 b ");
  });

  test("written and not flushed, it is named in the warning", async () => {
    const { outcome } = await worker.run(
      script(`const s = msg.GetStream(); s.WriteText("X"); msg.DataSource.Save()`),
    );
    expect(outcome.splices).toBeUndefined();
    expect(outcome.logs[0]?.text).toMatch(/stream of GetStream \(no Flush\)/);
  });
});

describe("streams of body parts", () => {
  test("decoded text of a UTF-8 part comes as Unicode and goes back into the part alone", async () => {
    const { message, outcome } = await worker.run(
      script(`const s = msg.TextBodyPart.GetDecodedContentStream(); console.log(s.Type, s.Charset, s.ReadText());
      s.Position = 0; s.WriteText("grün und blau, 5 €"); s.SetEOS(); s.Flush(); msg.DataSource.Save()`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs[0]?.text).toBe("2 Unicode plain text");
    expect(message).toBe(
      ALTERNATIVE.replace(
        "charset=utf-8\r\n\r\nplain text",
        "charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn und blau, 5 =E2=82=AC",
      ),
    );
  });

  test("the charset of another text part is that of its stream", async () => {
    const message = Buffer.from(
      "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nS\xfcd\r\n",
      "latin1",
    );
    expect(
      await log(
        `const s = msg.BodyPart.GetDecodedContentStream(); console.log(s.Charset, s.ReadText(3))`,
        message,
      ),
    ).toEqual(["iso-8859-1 Süd"]);
  });

  test("an attachment is bytes, decoded or as on the wire", async () => {
    expect(
      await log(
        `const a = msg.Attachments(1); const d = a.GetDecodedContentStream(); const b = d.Read(); console.log(d.Type, b instanceof Uint8Array, [...b].join(), d.Read() === null);
        const e = a.GetEncodedContentStream(); console.log(e.Charset, e.ReadText(-2)); console.log(a.GetStream().ReadText(-2))`,
        ALTERNATIVE,
      ),
    ).toEqual([
      "1 true 77,90,144,0,3,0,0,0 true",
      "US-ASCII TVqQAAMAAAA=",
      'Content-Type: application/x-msdownload; name="run.exe"',
    ]);
  });

  test("bytes are encoded as the part says when they are put back", async () => {
    const { message } = await worker.run(
      script(
        `const s = msg.Attachments(1).GetDecodedContentStream(); s.Write(new Uint8Array([1, 2, 255])); s.SetEOS(); s.Flush(); msg.DataSource.Save()`,
      ),
      { message: ALTERNATIVE },
    );
    expect(message.replaceAll("\r\n", "")).toContain(Buffer.from([1, 2, 255]).toString("base64"));
    expect(message).toContain("a,b\r\n--m--");
  });

  test("encoded content is put back as it is", async () => {
    const { message } = await worker.run(
      script(
        `const s = msg.Attachments(1).GetEncodedContentStream(); s.WriteText("AAAA", 1); s.SetEOS(); s.Flush(); msg.DataSource.Save()`,
      ),
      { message: ALTERNATIVE },
    );
    expect(message).toBe(ALTERNATIVE.replace("TVqQAAMAAAA=", "AAAA\r\n"));
  });

  test("a whole part is replaced, headers too, and its object goes on to name it", async () => {
    const { message, outcome } = await worker.run(
      script(`const a = msg.Attachments(2); const s = a.GetStream(); s.WriteText("Content-Type: text/html\\r\\nContent-Disposition: attachment; filename=x.html\\r\\n\\r\\n<p>"); s.SetEOS(); s.Flush();
      console.log(a.FileName, msg.Attachments(2).FileName); msg.DataSource.Save()`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs[0]?.text).toBe("x.html x.html");
    expect(message).toContain("filename=x.html\r\n\r\n<p>\r\n--m--");
  });

  test("a multipart has no content of its own", async () => {
    expect(
      await log(
        `${NAMED} console.log(named(() => msg.BodyPart.GetDecodedContentStream()), named(() => msg.BodyPart.GetEncodedContentStream()))`,
        ALTERNATIVE,
      ),
    ).toEqual(["CDO_E_MULTIPART_NO_DATA CDO_E_MULTIPART_NO_DATA"]);
  });
});

describe("text in streams", () => {
  test("is read by characters and by lines of each separator", async () => {
    expect(
      await log(`${STREAM("utf-8")} s.WriteText("äö€😀x\\r\\nline two\\nthree"); s.Position = 0;
      console.log(s.ReadText(2), s.Position, s.ReadText(1), s.Position, s.ReadText(2), s.Position, s.ReadText(-2), s.Position);
      s.LineSeparator = 10; s.SkipLine(); console.log(s.ReadText(-2), s.EOS)`),
    ).toEqual(["äö 7 € 10 😀 14 x 17", "three true"]);
  });

  test.each([
    ["Unicode", "fffe61000a04"],
    ["utf-16", "fffe61000a04"],
    ["utf-8", "efbbbf61d08a"],
    ["windows-1251", "618c"],
    ["us-ascii", "613f"],
  ])("%s is written with the mark of ADO and read back", async (charset, hex) => {
    const lines = await log(`${STREAM(charset)} s.WriteText("aЊ"); s.Position = 0; console.log(s.ReadText());
      s.Position = 0; s.Type = 1; console.log([...s.Read()].map((b) => b.toString(16).padStart(2, "0")).join(""))`);
    expect(lines).toEqual([charset === "us-ascii" ? "a?" : "aЊ", hex]);
  });

  test.each(["little endian", "big endian"])(
    "what is written behind the text of a part in UTF-16 (%s) has no mark of its own",
    async (order) => {
      const text = Buffer.from("\ufeffЊ\r\n", "utf16le");
      const encoded = (order === "big endian" ? text.swap16() : text).toString("base64");
      const { outcome } = await worker.run(
        script(
          `const s = msg.TextBodyPart.GetDecodedContentStream(); s.ReadText(); s.WriteText("a"); s.WriteText("b"); s.Flush(); console.log(JSON.stringify(msg.TextBody))`,
        ),
        {
          message: `Subject: x\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n`,
        },
      );
      expect(outcome.logs[0]?.text).toBe(String.raw`"Њ\r\nab\r\n"`);
    },
  );

  test("ISO-2022-JP is read, written and flushed, and what it lacks is a question mark", async () => {
    const message = Buffer.from(
      "Subject: x\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\8l!A\x1b(B\r\n",
      "latin1",
    );
    const { outcome, bytes } = await worker.run(
      script(`const s = msg.GetStream(); s.Charset = "iso-2022-jp"; let text = ""; while (!s.EOS) text += s.ReadText(1);
      s.Position = 0; s.WriteText(text.replace("\\r\\n\\r\\n", "\\r\\nX-Gateway: 1\\r\\n\\r\\n")); s.SetEOS(); s.Flush(); msg.DataSource.Save(); console.log(msg.TextBody.trim());
      ${STREAM("iso-2022-jp").replaceAll("s.", "o.").replace("const s", "const o")} o.WriteText("日ü"); o.Position = 0; console.log(o.ReadText())`),
      { message },
    );
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs.map((line) => line.text)).toEqual(["日本語～", "日?"]);
    expect(bytes.toString("latin1")).toBe(
      message.toString("latin1").replace("\r\n\r\n", "\r\nX-Gateway: 1\r\n\r\n"),
    );
  });

  test("a charset that can only be read is read to its end, and refuses to be written", async () => {
    expect(
      await log(`${STREAM("x-mac-roman")} s.Type = 1; s.Write(new Uint8Array([0x8a, 97, 0x9f])); s.Position = 0; s.Type = 2;
      const first = s.ReadText(1); console.log(first, s.Position, s.ReadText());
      try { s.WriteText("ä") } catch (e) { console.log(e.name, s.Size) }; s.WriteText("a"); console.log(s.Size)`),
    ).toEqual(["ä 1 aü", "CDO_E_INVALID_CHARSET 3", "4"]);
  });

  test("a charset of several bytes keeps its place", async () => {
    expect(
      await log(
        `${STREAM("shift_jis")} s.WriteText("日本語abc"); s.Position = 0; console.log(s.ReadText(2), s.Position, s.ReadText(2), s.Position)`,
      ),
    ).toEqual(["日本 4 語a 7"]);
  });

  test("a large text is read line by line in linear time", async () => {
    const body = `const write = (lines) => { ${STREAM("utf-8")} for (let i = 0; i < lines; i++) s.WriteText("line ä " + i, 1); return s };
      const read = (s) => { s.Position = 0; let n = 0, last = ""; while (!s.EOS) { last = s.ReadText(-2); n++ } return n + " " + last };
      const time = (s, reads) => { const begun = Date.now(); for (let i = 0; i < reads; i++) read(s); return Date.now() - begun };
      const few = write(5000), many = write(40000); console.log(read(many));
      const ofFew = [], ofMany = []; for (let i = 0; i < 3; i++) { ofFew.push(time(few, 8)); ofMany.push(time(many, 1)) }
      console.log(Math.min(...ofMany) / Math.max(1, Math.min(...ofFew)))`;
    const limits = { timeoutMs: 30_000 };
    const [last, growth] = await logged(worker, body, { message: MESSAGE, limits });
    expect(last).toBe("40000 line ä 39999");
    // As many lines in one text as in eight: 1 when it is linear, 8 when each line costs what lies before or behind it.
    expect(Number(growth)).toBeLessThan(4);
  });

  test("SetEOS cuts, Position extends with zeros, CopyTo copies text and bytes", async () => {
    expect(
      await log(`const open = (type, charset) => { const s = new ActiveXObject("ADODB.Stream"); s.Type = type; s.Open(); if (charset) s.Charset = charset; return s };
      const a = open(2, "us-ascii"); a.WriteText("abcdef"); a.Position = 3; a.SetEOS(); console.log(a.Size, a.EOS);
      const b = open(2, "Unicode"); a.Position = 0; a.CopyTo(b, 2); console.log(b.Size, a.Position);
      const c = open(1); a.CopyTo(c); c.Position = 4; c.Position = 0; console.log([...c.Read()].join());
      c.Position = 0; try { c.CopyTo(b) } catch (e) { console.log(e.name) }`),
    ).toEqual(["3 true", "6 2", "99,0,0,0", "adErrIllegalOperation"]);
  });
});

describe("streams refuse", () => {
  test.each([
    ["a closed one everything", `new ActiveXObject("ADODB.Stream").ReadText()`, "adErrObjectClosed"],
    ["opening twice", `s.Open()`, "adErrObjectOpen"],
    ["bytes from text", `s.Read()`, "adErrIllegalOperation"],
    ["bytes into text", `s.Write(new Uint8Array(1))`, "adErrIllegalOperation"],
    ["a Type that is none", `s.Type = 3`, "adErrInvalidArgument"],
    ["a Type behind the start", `s.WriteText("x"); s.Type = 1`, "adErrIllegalOperation"],
    ["a Charset behind the start", `s.WriteText("x"); s.Charset = "utf-8"`, "adErrIllegalOperation"],
    ["an unknown Charset", `s.Charset = "klingon"`, "CDO_E_INVALID_CHARSET"],
    ["a LineSeparator that is none", `s.LineSeparator = 7`, "adErrInvalidArgument"],
    ["a Position before the start", `s.Position = -1`, "adErrInvalidArgument"],
    ["a Position in words", `s.Position = "here"`, "adErrInvalidArgument"],
    ["a Position beyond all memory", `s.Position = 2 ** 40`, "adErrWriteFile"],
    ["a count that is none", `s.ReadText(-3)`, "adErrInvalidArgument"],
    ["writing what is no bytes", `s.Type = 1; s.Write("text")`, "adErrInvalidArgument"],
    ["Mode while open", `s.Mode = 1`, "adErrObjectOpen"],
    [
      "writing when Mode is read",
      `s.Close(); s.Mode = 1; s.Open(); s.WriteText("x")`,
      "adErrIllegalOperation",
    ],
    ["a source", `s.Close(); s.Open("http://x")`, "CDO_E_NOT_AVAILABLE"],
    ["files for writing", `s.SaveToFile("c:\\\\x")`, "CDO_E_NOT_AVAILABLE"],
    ["files for reading", `s.LoadFromFile("c:\\\\x")`, "CDO_E_NOT_AVAILABLE"],
    ["Size to be set", `s.Size = 1`, "CDO_E_PROP_READONLY"],
  ])("%s", async (_what, code, name) => {
    const lines = await log(
      `${STREAM("us-ascii")} try { ${code}; console.log("no error") } catch (e) { console.log(e.name, e.number < 0, e.message) }`,
    );
    expect(lines[0]).toMatch(new RegExp(`^${name} true `));
    if (code.includes("File")) expect(lines[0]).toMatch(/allow/);
  });

  test("a stream of more than the script's memory share, by name of the limit", async () => {
    const message = `Subject: x\r\n\r\n${"x".repeat(76)}\r\n`.replace(
      "x\r\n\r\n",
      () => `x\r\n\r\n${`${"y".repeat(76)}\r\n`.repeat(220_000)}`,
    );
    const { outcome } = await worker.run(
      script(`try { msg.GetStream() } catch (e) { console.log(e.name, e.message) }`),
      {
        message,
        limits: { memoryMb: 32 },
      },
    );
    expect(outcome.logs[0]?.text).toMatch(/^CDO_E_NOT_AVAILABLE .*memoryMb/);
  });

  test("a message whose processing has ended", async () => {
    const keeper = script(
      `if (globalThis.kept) { try { kept.Flush() } catch (e) { console.log(e.name) } } globalThis.kept = msg.GetStream()`,
    );
    await worker.run(keeper);
    expect((await worker.run(keeper)).outcome.logs[0]?.text).toBe("CDO_E_INACTIVE");
  });
});

describe("streams are bounded", () => {
  test("copies in and out count, and end the script by the name of the limit", async () => {
    const { outcome } = await worker.run(script(`for (;;) msg.GetStream()`), {
      message: `Subject: x\r\n\r\n${"y".repeat(2_000_000)}\r\n`,
      limits: { timeoutMs: 20_000 },
    });
    expect(outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("copiedBytes"),
    });
  });

  test("growing without end is refused or ends for memory, and the next message is served", async () => {
    const { outcome } = await worker.run(
      script(
        `${STREAM("us-ascii")} try { for (;;) s.WriteText("x".repeat(1000)) } catch (e) { console.log(e.name) }`,
      ),
      { limits: { memoryMb: 32, timeoutMs: 5000 } },
    );
    expect(outcome.fault?.kind ?? outcome.logs[0]?.text).toMatch(/memory|adErrWriteFile/);
    expect((await worker.run(script("return 1"))).outcome.verdict).toBe(1);
  });

  test.each([
    ["streams that are kept", "const keep = []; for (;;) keep.push(msg.GetStream())"],
    [
      "texts that are kept",
      "const keep = []; const s = msg.GetStream(); for (;;) { s.Position = 0; keep.push(s.ReadText()) }",
    ],
    [
      "streams of zeros",
      `const keep = []; for (;;) { ${STREAM("us-ascii")} s.Position = 5e6; keep.push(s) }`,
    ],
    [
      "messages in each other",
      `const [a, b] = [0, 0].map(() => new ActiveXObject("CDO.Message")); a.TextBody = "x".repeat(1000);
      for (;;) { a.DataSource.SaveToObject(b.Attachments.Add(), "IBodyPart"); b.DataSource.SaveToObject(a.Attachments.Add(), "IBodyPart") }`,
    ],
    [
      "parts in parts",
      `let p = msg.BodyPart; for (;;) { p = p.AddBodyPart(); p.ContentMediaType = "multipart/mixed" }`,
    ],
  ])("%s without end become the script's fault, and the next message is served", async (_what, body) => {
    const { outcome } = await worker.run(script(body), {
      message: `Subject: x\r\n\r\n${"y".repeat(1_000_000)}\r\n`,
      limits: { memoryMb: 32, timeoutMs: 1000 },
    });
    expect(outcome.fault).toBeDefined();
    expect(outcome.splices).toBeUndefined();
    expect((await worker.run(script("return 1"))).outcome.verdict).toBe(1);
  });

  test("a detached buffer, no bytes, and replaced built-ins do no harm", async () => {
    const body = `const v = new Uint8Array(8); ${STREAM("us-ascii")} s.Type = 1; s.Write(v); v.buffer.transfer();
      const t = new Uint8Array(4); t.buffer.transfer(); try { s.Write(t) } catch (e) { console.log(e.name) }
      Uint8Array.prototype.constructor = class { constructor() { return v } }; Object.getPrototypeOf(Uint8Array.prototype).set = () => { throw 1 };
      s.Position = 0; console.log(s.Read().length, s.Size); const g = msg.GetStream(); g.WriteText("X"); g.Flush(); console.log(msg.GetStream().Size > 0)`;
    const { outcome } = await worker.run(script(body));
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs.map((line) => line.text).slice(0, 3)).toEqual(
      expect.arrayContaining(["8 8", "true"]),
    );
  });
});
