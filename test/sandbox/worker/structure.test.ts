// What body setters, attachments and parts do to the tree, from each shape that a message can arrive in (REFERENCE 1.3.3, 1.5).
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const HEAD = "From: ann@example.com\r\nSubject: shape\r\nMIME-Version: 1.0\r\n";
const TEXT = "Content-Type: text/plain; charset=utf-8\r\n\r\nplain";
const INNER = "Content-Type: text/plain; charset=utf-8\r\n\r\ninner text";
const HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>html</p>";
const FILE =
  'Content-Type: application/zip; name="a.zip"\r\nContent-Disposition: attachment; filename="a.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==';
const IMAGE =
  "Content-Type: image/png\r\nContent-ID: <i>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==";
const multipart = (subtype: string, boundary: string, parts: readonly string[]): string =>
  `Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n\r\n${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--`;
const whole = (root: string): string => `${HEAD}${root}\r\n`;

const SHAPES = {
  text: whole(TEXT),
  html: whole(HTML),
  alternative: whole(multipart("alternative", "a", [TEXT, HTML])),
  mixed: whole(multipart("mixed", "m", [TEXT, FILE])),
  related: whole(multipart("related", "r", [HTML.replace("html</p>", '<img src="cid:i"></p>'), IMAGE])),
  nested: whole(multipart("mixed", "m", [multipart("alternative", "a", [TEXT, HTML]), FILE])),
  "attachment only": whole(FILE),
  message: whole(
    multipart("mixed", "m", [TEXT, `Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n${INNER}`]),
  ),
  signed: whole(multipart("signed", "s", [TEXT, "Content-Type: application/pgp-signature\r\n\r\nx"])),
  encrypted: whole(
    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAG",
  ),
  malformed: whole("Content-Type: multipart/mixed; boundary=gone\r\n\r\nno delimiter at all"),
} as const;
type Shape = keyof typeof SHAPES;

const TREE = `const tree = (p) => p.ContentMediaType.replace(/^multipart./, "").replace("application/octet-stream", "new") + (p.BodyParts.Count === 0 ? "" : "(" + [...p.BodyParts].map(tree).join(", ") + ")");`;

/** The tree after the code, told by the objects and again by those over the saved bytes. */
async function treeAfter(shape: Shape, code: string): Promise<{ tree: string; bytes: Buffer }> {
  const show = `${TREE} console.log(tree(msg.BodyPart));`;
  const { outcome, bytes } = await worker.run(script(`${code}; ${show} msg.DataSource.Save()`), {
    message: SHAPES[shape],
  });
  if (outcome.fault !== undefined) throw new Error(outcome.fault.message);
  const tree = outcome.logs.filter((line) => line.level === "info")[0]?.text ?? "";
  const again = await worker.run(script(show), { message: bytes });
  expect(again.outcome.logs[0]?.text).toBe(tree);
  return { tree, bytes };
}

describe("TextBody", () => {
  test.each<[Shape, string]>([
    ["text", "text/plain"],
    ["html", "alternative(text/plain, text/html)"],
    ["alternative", "alternative(text/plain, text/html)"],
    ["mixed", "mixed(text/plain, application/zip)"],
    ["related", "alternative(text/plain, related(text/html, image/png))"],
    ["nested", "mixed(alternative(text/plain, text/html), application/zip)"],
    ["attachment only", "mixed(text/plain, application/zip)"],
    ["message", "mixed(text/plain, message/rfc822)"],
    ["signed", "signed(text/plain, application/pgp-signature)"],
    ["encrypted", "mixed(text/plain, application/pkcs7-mime)"],
  ])("of %s gives %s", async (shape, expected) => {
    const { tree, bytes } = await treeAfter(shape, `msg.TextBody = "new text"`);
    expect(tree).toBe(expected);
    expect((await simpleParser(bytes)).text?.trim()).toContain("new text");
  });
});

describe("the object of a part that is the root names that part", () => {
  const ATTACHED = `const a = msg.Attachments.Add(); a.Fields(cdoContentDisposition).Value = "attachment; filename=n.bin"; a.Fields.Update();`;
  const TYPE = `Fields("urn:schemas:mailheader:content-type")`;

  test.each<[string, Shape, string, string, string]>([
    [
      "TextBodyPart beside an attachment",
      "text",
      `const b = msg.TextBodyPart; ${ATTACHED} b.${TYPE}.Value = 'text/plain; charset="utf-8"; format=fixed'; b.Fields.Update()`,
      "mixed(text/plain, new)",
      "format=fixed\r\n\r\nplain",
    ],
    [
      "HTMLBodyPart beside a text",
      "html",
      `const h = msg.HTMLBodyPart; msg.TextBody = "new"; h.Charset = "iso-8859-1"`,
      "alternative(text/plain, text/html)",
      "Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>html",
    ],
    [
      "an attachment beside a text",
      "attachment only",
      `const a = msg.Attachments(1); msg.TextBody = "new"; a.ContentMediaType = "application/x-zip"; if (a.FileName !== "a.zip") throw new Error(a.FileName)`,
      "mixed(text/plain, application/x-zip)",
      "Content-Type: application/x-zip; name=a.zip\r\n",
    ],
    [
      "TextBodyPart that takes a part of its own",
      "text",
      `const b = msg.TextBodyPart; b.AddBodyPart(); b.BodyParts(1).Charset = "us-ascii"; if (b.BodyParts.Count !== 2) throw new Error()`,
      "mixed(text/plain, new)",
      "Content-Type: text/plain; charset=us-ascii\r\n\r\nplain",
    ],
    [
      "TextBodyPart when the message takes a part",
      "text",
      `const b = msg.TextBodyPart; msg.BodyPart.AddBodyPart(); b.Charset = "iso-8859-1"; if (msg.BodyPart.BodyParts.Count !== 2) throw new Error()`,
      "mixed(text/plain, new)",
      "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nplain",
    ],
    [
      "TextBodyPart after its stream was flushed",
      "text",
      `const b = msg.TextBodyPart, s = b.GetStream(); s.WriteText("X-New: 1\\r\\nContent-Type: text/plain\\r\\n\\r\\nother\\r\\n"); s.SetEOS(); s.Flush(); ${ATTACHED} b.Charset = "utf-8"`,
      "mixed(text/plain, new)",
      "Content-Type: text/plain; charset=utf-8\r\n\r\nother",
    ],
  ])("%s", async (_name, shape, code, expected, text) => {
    const { tree, bytes } = await treeAfter(shape, code);
    expect(tree).toBe(expected);
    expect(bytes.toString()).toContain(text);
  });

  test("and is no second object to bind it to", async () => {
    const { outcome } = await worker.run(
      script(
        `try { msg.BodyPart.DataSource.OpenObject(msg.TextBodyPart, "IBodyPart") } catch (e) { console.log(e.name) }`,
      ),
      { message: SHAPES.text },
    );
    expect(outcome.logs[0]?.text).toBe("CDO_E_SELF_BINDING");
  });

  test("a stream that replaces the message leaves no object that names another part", async () => {
    const { outcome } = await worker.run(
      script(
        `const a = msg.Attachments(1), s = msg.GetStream(), text = s.ReadText(); s.Position = 0; s.WriteText(text); s.Flush(); msg.TextBodyPart.Charset; try { a.Charset } catch (e) { console.log(e.name, msg.Attachments(1).FileName) }`,
      ),
      { message: SHAPES.mixed },
    );
    expect(outcome.logs[0]?.text).toBe("CDO_E_INACTIVE a.zip");
  });
});

describe("HTMLBody", () => {
  test.each<[Shape, string]>([
    ["text", "alternative(text/plain, text/html)"],
    ["html", "text/html"],
    ["alternative", "alternative(text/plain, text/html)"],
    ["mixed", "mixed(alternative(text/plain, text/html), application/zip)"],
    ["related", "related(text/html, image/png)"],
    ["nested", "mixed(alternative(text/plain, text/html), application/zip)"],
    ["attachment only", "mixed(text/html, application/zip)"],
    ["message", "mixed(alternative(text/plain, text/html), message/rfc822)"],
  ])("of %s gives %s", async (shape, expected) => {
    const { tree, bytes } = await treeAfter(shape, `msg.HTMLBody = "<b>new html</b>"`);
    expect(tree).toBe(expected);
    const parsed = await simpleParser(bytes);
    expect(parsed.html === false ? "" : parsed.html).toContain("<b>new html</b>");
    if (shape !== "html" && shape !== "related" && shape !== "attachment only")
      expect(parsed.text).toContain("plain");
  });
});

describe("a new attachment", () => {
  test.each<[Shape, string]>([
    ["text", "mixed(text/plain, new)"],
    ["html", "mixed(text/html, new)"],
    ["alternative", "mixed(alternative(text/plain, text/html), new)"],
    ["mixed", "mixed(text/plain, application/zip, new)"],
    ["related", "mixed(related(text/html, image/png), new)"],
    ["nested", "mixed(alternative(text/plain, text/html), application/zip, new)"],
    ["attachment only", "mixed(application/zip, new)"],
    ["message", "mixed(text/plain, message/rfc822, new)"],
    ["signed", "mixed(signed(text/plain, application/pgp-signature), new)"],
    ["encrypted", "mixed(application/pkcs7-mime, new)"],
    ["malformed", "mixed(mixed, new)"],
  ])("of %s gives %s", async (shape, expected) => {
    const { tree } = await treeAfter(
      shape,
      `const n = msg.Attachments.Count; const a = msg.Attachments.Add(); a.Fields(cdoContentDisposition).Value = "attachment; filename=n.bin"; a.Fields.Update();
      const s = a.GetDecodedContentStream(); s.Write(new Uint8Array([1])); s.Flush(); if (msg.Attachments.Count !== n + 1) throw new Error("count")`,
    );
    expect(tree).toBe(expected);
  });
});

describe("Charset of a text that is there", () => {
  test.each([
    ["iso-2022-jp", "日本語", "iso-2022-jp", 0],
    ["iso-2022-jp", "für", "utf-8", 1],
    ["x-mac-roman", "für", "utf-8", 1],
  ])("%s of %s is then %s", async (charset, text, expected, warnings) => {
    const { outcome, bytes } = await worker.run(
      script(
        `msg.TextBody = "${text}"; msg.TextBodyPart.Charset = "${charset}"; console.log(msg.TextBodyPart.Charset); msg.DataSource.Save()`,
      ),
      { message: SHAPES.text },
    );
    expect(outcome.logs.filter((line) => line.level === "info")[0]?.text).toBe(expected);
    const told = outcome.logs.filter((line) => line.level === "warn").map((line) => line.text);
    expect(told).toEqual(
      Array.from({ length: warnings }, () => expect.stringContaining(`"${charset}" cannot hold the text`)),
    );
    expect((await simpleParser(bytes)).text?.trim()).toBe(text);
  });
});

describe("deleting all attachments", () => {
  test.each<[Shape, string]>([
    ["text", "text/plain"],
    ["alternative", "alternative(text/plain, text/html)"],
    ["mixed", "text/plain"],
    ["related", "related(text/html, image/png)"],
    ["nested", "alternative(text/plain, text/html)"],
    ["attachment only", "text/plain"],
    ["message", "text/plain"],
    ["encrypted", "text/plain"],
  ])("of %s leaves %s", async (shape, expected) => {
    const { tree, bytes } = await treeAfter(
      shape,
      `msg.Attachments.DeleteAll(); if (msg.Attachments.Count !== 0) throw new Error("left")`,
    );
    expect(tree).toBe(expected);
    const parsed = await simpleParser(bytes);
    expect(parsed.subject).toBe("shape");
    expect(parsed.attachments.filter((attachment) => Boolean(attachment.filename))).toEqual([]);
  });
});

test("an attached message is one attachment whose parts are its own, and its bodies are not those of the message", async () => {
  const { outcome } = await worker.run(
    script(`const a = msg.Attachments(1); console.log(msg.Attachments.Count, a.ContentMediaType, a.BodyParts.Count, msg.TextBody);
    const m = new ActiveXObject("CDO.Message"); m.DataSource.OpenObject(a, "IBodyPart"); console.log(m.Subject, m.TextBody)`),
    { message: SHAPES.message },
  );
  expect(outcome.logs.map((line) => line.text)).toEqual(["1 message/rfc822 0 plain", "inner inner text"]);
});

test.each(Object.entries(SHAPES))(
  "%s read through and through, and saved, stays as it was",
  async (_shape, message) => {
    const { outcome, message: after } = await worker.run(
      script(
        `${TREE} tree(msg.BodyPart); msg.TextBody; msg.HTMLBody; for (const a of msg.Attachments) { a.FileName; a.GetStream().ReadText() } for (const f of msg.Fields) f.Value; msg.GetStream().ReadText(); msg.DataSource.Save()`,
      ),
      { message },
    );
    expect(outcome.fault).toBeUndefined();
    expect(outcome.splices).toBeUndefined();
    expect(after).toBe(message);
  },
);

test("walking a thousand attachments by their places, and adding as many, costs a few calls each", async () => {
  const message = whole(multipart("mixed", "m", [TEXT, ...Array.from({ length: 1000 }, () => FILE)]));
  const { outcome } = await worker.run(
    script(`let bytes = 0; for (let i = 1; i <= msg.Attachments.Count; i++) bytes += msg.Attachments(i).FileName.length; console.log(bytes);
    const m = new ActiveXObject("CDO.Message"); m.TextBody = "t"; for (let i = 0; i < 1000; i++) m.Attachments.Add(); console.log(m.Attachments.Count);
    while (m.Attachments.Count > 990) m.Attachments.Delete(1); m.Attachments.DeleteAll(); console.log(m.Attachments.Count, m.BodyPart.ContentMediaType)`),
    { message, limits: { hostCalls: 8000, timeoutMs: 20_000 } },
  );
  expect(outcome.fault).toBeUndefined();
  expect(outcome.logs.map((line) => line.text)).toEqual(["5000", "1000", "0 text/plain"]);
});

const UNREADABLE: readonly (readonly [why: string, type: string])[] = [
  ["without a boundary", "multipart/mixed"],
  ["without a delimiter line", 'multipart/mixed; boundary="gone"'],
  ["with too long a boundary", `multipart/mixed; boundary=${"b".repeat(2100)}`],
];
const RELABELLED: readonly (readonly [what: string, code: string, isEdit: boolean])[] = [
  ["itself", "const f = msg.Fields(TYPE); f.Value = f.Value; msg.Fields.Update()", false],
  ["a parameter more", "const f = msg.Fields(TYPE); f.Value += '; x=y'; msg.Fields.Update()", true],
  ["its media type", "msg.BodyPart.ContentMediaType = msg.BodyPart.ContentMediaType", false],
  [
    "its media type as a field",
    "const f = msg.Fields(cdoContentMediaType); f.Value = f.Value; msg.Fields.Update()",
    false,
  ],
  ["another multipart", "msg.BodyPart.ContentMediaType = 'multipart/related'", true],
];
test.each(
  UNREADABLE.flatMap(([why, type]) =>
    RELABELLED.map(([what, code, isEdit]) => [why, what, type, code, isEdit] as const),
  ),
)("a multipart %s keeps its bytes when its type is set to %s", async (_why, _what, type, code, isEdit) => {
  const body = "--x\r\nContent-Type: text/plain\r\n\r\nIs this a part?\r\n--x--\r\n";
  const message = `${HEAD}Content-Type: ${type}\r\n\r\n${body}`;
  const { outcome, bytes } = await worker.run(
    script(`const TYPE = "urn:schemas:mailheader:content-type"; ${code}; msg.DataSource.Save()`),
    { message },
  );
  expect(outcome.fault).toBeUndefined();
  expect(bytes.toString().slice(bytes.indexOf("\r\n\r\n") + 4)).toBe(body);
  expect(bytes.toString() !== message).toBe(isEdit);
});

test.each([
  ["ContentMediaType", "msg.BodyPart.ContentMediaType = 'multipart/mixed'"],
  [
    "content-type",
    "const f = msg.Fields('urn:schemas:mailheader:content-type'); f.Value = 'multipart/mixed; x=y'; msg.Fields.Update()",
  ],
])("the content of what becomes a multipart by its %s moves down into a part", async (_what, code) => {
  const { tree, bytes } = await treeAfter("text", `${code}; msg.BodyPart.AddBodyPart()`);
  expect(tree).toBe("mixed(text/plain, new)");
  expect(bytes.toString()).toContain(`\r\n${TEXT}\r\n`);
});

test.each([
  [
    "a part added in front",
    "msg.BodyPart.AddBodyPart(1)",
    "mixed(new, signed(text/plain, application/pgp-signature))",
  ],
  ["a part added", "msg.BodyPart.AddBodyPart()", "mixed(signed(text/plain, application/pgp-signature), new)"],
  [
    "an attachment added before the signature",
    "msg.Attachments.Add(1)",
    "mixed(signed(text/plain, application/pgp-signature), new)",
  ],
])("what is signed stays one of two parts: %s", async (_what, code, tree) => {
  expect((await treeAfter("signed", code)).tree).toBe(tree);
});

test.each<[Shape, string]>([
  ["text", "msg.HTMLBody = msg.HTMLBody.replace('a', 'b')"],
  ["mixed", "msg.AutoGenerateTextBody = true; msg.HTMLBody = ''"],
  ["html", "msg.TextBody = msg.TextBody"],
  ["attachment only", "msg.TextBody = ''; msg.HTMLBody = ''"],
])("a body that is not there and is set to nothing is not made: %s, %s", async (shape, code) => {
  const { bytes } = await treeAfter(shape, code);
  if (shape !== "mixed") expect(bytes.toString()).toBe(SHAPES[shape]);
  else expect(bytes.toString()).not.toContain("text/html");
});

const SIGNED = [
  "From: =?iso-8859-1?Q?J=F6rg?= <j@example.com>",
  "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=",
  'Content-Type: multipart/signed; micalg=pgp-sha256; boundary="sig"',
  "",
  "--sig",
  'content-type: text/plain; CHARSET="utf-8"',
  "content-transfer-encoding: quoted-printable",
  "",
  "soft =",
  "breaks, =c3=bc",
  "--sig",
  'Content-Type: TEXT/HTML; charset="us-ascii"',
  "",
  "<p>bare</p>",
  "--sig--",
  "",
].join("\n");
const FIELD =
  "const f = (name) => { const field = msg.Fields(name); field.Value = field.Value; msg.Fields.Update() };";

test.each([
  "f('urn:schemas:mailheader:content-type')",
  "f('urn:schemas:httpmail:content-media-type')",
  "f('urn:schemas:mailheader:subject')",
  "f('urn:schemas:httpmail:subject')",
  "msg.Subject = msg.Subject",
  "msg.From = msg.From",
  "msg.TextBody = msg.TextBody",
  "msg.HTMLBody = msg.HTMLBody",
  ...["msg.BodyPart", "msg.TextBodyPart", "msg.HTMLBodyPart"].flatMap((part) =>
    ["ContentMediaType", "ContentTransferEncoding"].map((name) => `${part}.${name} = ${part}.${name}`),
  ),
])("what is set to what it was is no edit: %s", async (code) => {
  const { outcome } = await worker.run(script(`${FIELD} ${code}; msg.DataSource.Save()`), {
    message: SIGNED,
  });
  expect(outcome.fault).toBeUndefined();
  expect(outcome.splices).toBeUndefined();
});

test("a body that is set to what it was is neither warned of nor missed", async () => {
  const { outcome } = await worker.run(
    script(
      "msg.TextBody = msg.TextBody; msg.HTMLBody = msg.HTMLBody.replace('x', 'y'); console.log(msg.DataSource.IsDirty)",
    ),
    { message: SIGNED },
  );
  expect(outcome.logs.map((line) => line.text)).toEqual(["false"]);
});
