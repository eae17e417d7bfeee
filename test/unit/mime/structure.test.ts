// Which structure each operation makes of each shape of message (the table of body properties of the original).
import { describe, expect, test } from "vitest";
import {
  addAttachmentPart,
  addRelatedPart,
  attachmentParts,
  htmlBodyPart,
  setHtmlBody,
  setTextBody,
  textBodyPart,
} from "../../../src/mime/bodies.ts";
import type { MimeDocument } from "../../../src/mime/document.ts";
import { MimePart } from "../../../src/mime/part.ts";
import { applySplices, crlf, open, structure } from "./mime-testing.ts";

const HEAD = "Received: from a\nSubject: a\nMIME-Version: 1.0\n";
const leaf = (type: string, body: string, more = ""): string => `Content-Type: ${type}\n${more}\n${body}\n`;
const multipart = (kind: string, boundary: string, parts: readonly string[], parameters = ""): string =>
  `Content-Type: multipart/${kind}; boundary="${boundary}"${parameters}\n\n${parts.map((part) => `--${boundary}\n${part}`).join("")}--${boundary}--\n`;

const TEXT = leaf("text/plain; charset=utf-8", "old text");
const HTML = leaf('text/html; charset="utf-8"', '<p>old html <img src="cid:pic"></p>');
const PDF = leaf(
  'application/pdf; name="a.pdf"',
  "JVBERi0xLjQK",
  "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=a.pdf\n",
);
const IMAGE = leaf("image/png", "iVBORw0KGgo=", "Content-ID: <pic>\nContent-Transfer-Encoding: base64\n");
const CALENDAR = leaf("text/calendar; method=REQUEST", "BEGIN:VCALENDAR");
const RFC822 = `Content-Type: message/rfc822\n\nSubject: inner\n${TEXT}\n`;
const ALTERNATIVE = multipart("alternative", "alt", [TEXT, HTML]);
const SIGNATURE = leaf(
  "application/pkcs7-signature; name=smime.p7s",
  "MIIB",
  "Content-Transfer-Encoding: base64\n",
);

const SHAPES: Record<string, string> = {
  empty: "\n",
  "flat text": TEXT,
  "flat html": HTML,
  alternative: ALTERNATIVE,
  "alternative with an invitation": multipart("alternative", "alt", [TEXT, CALENDAR]),
  "mixed of text and file": multipart("mixed", "mix", [TEXT, PDF]),
  "mixed of html and file": multipart("mixed", "mix", [HTML, PDF]),
  "mixed of files": multipart("mixed", "mix", [PDF, PDF]),
  "mixed of alternative and file": multipart("mixed", "mix", [ALTERNATIVE, PDF]),
  related: multipart("related", "rel", [HTML, IMAGE], '; type="text/html"'),
  "alternative with related": multipart("alternative", "alt", [
    TEXT,
    multipart("related", "rel", [HTML, IMAGE]),
  ]),
  "related around alternative": multipart("related", "rel", [ALTERNATIVE, IMAGE]),
  nested: multipart("mixed", "out", [
    multipart("alternative", "alt", [TEXT, multipart("related", "rel", [HTML, IMAGE])]),
    multipart("mixed", "in", [PDF, RFC822]),
  ]),
  "attachment only": PDF,
  signed: multipart("signed", "sig", [TEXT, SIGNATURE], "; protocol=application/pkcs7-signature"),
  encrypted: leaf(
    "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
    "MIIB",
    "Content-Transfer-Encoding: base64\n",
  ),
  "attached message": RFC822,
  "no boundary": leaf("multipart/mixed", "no parts here"),
  "no delimiter line": leaf("multipart/alternative; boundary=x", "no parts here"),
  "no closing line": `Content-Type: multipart/mixed; boundary=cut\n\n--cut\n${TEXT}`,
  "bare boundary in the text": multipart("mixed", "mix", [
    leaf("text/plain", "--mixer\n--alt--\n -- mix"),
    PDF,
  ]),
};

const NEW_HTML = '<p>new html ü <img src="cid:pic"></p>';

const OPERATIONS: Record<string, (doc: MimeDocument) => void> = {
  text: (doc) => setTextBody(doc, "new text ü"),
  html: (doc) => setHtmlBody(doc, NEW_HTML),
  attachment: (doc) => addAttachmentPart(doc, newFile("application/zip", "attachment")),
  related: (doc) => addRelatedPart(doc, newFile("image/gif", "inline")),
};

function newFile(type: string, disposition: string): MimePart {
  const part = MimePart.create(type);
  part.headers.set("Content-Disposition", disposition);
  part.headers.set("Content-ID", "<pic>");
  part.setDecodedBody(Buffer.from([0, 1, 2, 255]), "base64");
  return part;
}

/** What becomes of the shape; "-" where the operation is refused. */
const TABLE: [shape: string, text: string, html: string, attachment: string, related: string][] = [
  ["empty", "text/plain", "text/html", "mixed(application/zip)", "-"],
  ["flat text", "text/plain", "alternative(text/plain,text/html)", "mixed(text/plain,application/zip)", "-"],
  [
    "flat html",
    "alternative(text/plain,text/html)",
    "text/html",
    "mixed(text/html,application/zip)",
    "related(text/html,image/gif)",
  ],
  [
    "alternative",
    "alternative(text/plain,text/html)",
    "alternative(text/plain,text/html)",
    "mixed(alternative(text/plain,text/html),application/zip)",
    "alternative(text/plain,related(text/html,image/gif))",
  ],
  [
    "alternative with an invitation",
    "alternative(text/plain,text/calendar)",
    "alternative(text/plain,text/html,text/calendar)",
    "mixed(alternative(text/plain,text/calendar),application/zip)",
    "-",
  ],
  [
    "mixed of text and file",
    "mixed(text/plain,application/pdf)",
    "mixed(alternative(text/plain,text/html),application/pdf)",
    "mixed(text/plain,application/pdf,application/zip)",
    "-",
  ],
  [
    "mixed of html and file",
    "mixed(alternative(text/plain,text/html),application/pdf)",
    "mixed(text/html,application/pdf)",
    "mixed(text/html,application/pdf,application/zip)",
    "mixed(related(text/html,image/gif),application/pdf)",
  ],
  [
    "mixed of files",
    "mixed(text/plain,application/pdf,application/pdf)",
    "mixed(text/html,application/pdf,application/pdf)",
    "mixed(application/pdf,application/pdf,application/zip)",
    "-",
  ],
  [
    "mixed of alternative and file",
    "mixed(alternative(text/plain,text/html),application/pdf)",
    "mixed(alternative(text/plain,text/html),application/pdf)",
    "mixed(alternative(text/plain,text/html),application/pdf,application/zip)",
    "mixed(alternative(text/plain,related(text/html,image/gif)),application/pdf)",
  ],
  [
    "related",
    "alternative(text/plain,related(text/html,image/png))",
    "related(text/html,image/png)",
    "mixed(related(text/html,image/png),application/zip)",
    "related(text/html,image/png,image/gif)",
  ],
  [
    "alternative with related",
    "alternative(text/plain,related(text/html,image/png))",
    "alternative(text/plain,related(text/html,image/png))",
    "mixed(alternative(text/plain,related(text/html,image/png)),application/zip)",
    "alternative(text/plain,related(text/html,image/png,image/gif))",
  ],
  [
    "related around alternative",
    "related(alternative(text/plain,text/html),image/png)",
    "related(alternative(text/plain,text/html),image/png)",
    "mixed(related(alternative(text/plain,text/html),image/png),application/zip)",
    "related(alternative(text/plain,text/html),image/png,image/gif)",
  ],
  [
    "nested",
    "mixed(alternative(text/plain,related(text/html,image/png)),mixed(application/pdf,message/rfc822))",
    "mixed(alternative(text/plain,related(text/html,image/png)),mixed(application/pdf,message/rfc822))",
    "mixed(alternative(text/plain,related(text/html,image/png)),mixed(application/pdf,message/rfc822),application/zip)",
    "mixed(alternative(text/plain,related(text/html,image/png,image/gif)),mixed(application/pdf,message/rfc822))",
  ],
  [
    "attachment only",
    "mixed(text/plain,application/pdf)",
    "mixed(text/html,application/pdf)",
    "mixed(application/pdf,application/zip)",
    "-",
  ],
  [
    "signed",
    "signed(text/plain,application/pkcs7-signature)",
    "signed(alternative(text/plain,text/html),application/pkcs7-signature)",
    "mixed(signed(text/plain,application/pkcs7-signature),application/zip)",
    "-",
  ],
  [
    "encrypted",
    "mixed(text/plain,application/pkcs7-mime)",
    "mixed(text/html,application/pkcs7-mime)",
    "mixed(application/pkcs7-mime,application/zip)",
    "-",
  ],
  [
    "attached message",
    "mixed(text/plain,message/rfc822)",
    "mixed(text/html,message/rfc822)",
    "mixed(message/rfc822,application/zip)",
    "-",
  ],
  [
    "no boundary",
    "mixed(text/plain,multipart/mixed)",
    "mixed(text/html,multipart/mixed)",
    "mixed(multipart/mixed,application/zip)",
    "-",
  ],
  [
    "no delimiter line",
    "mixed(text/plain,multipart/alternative)",
    "mixed(text/html,multipart/alternative)",
    "mixed(multipart/alternative,application/zip)",
    "-",
  ],
  [
    "no closing line",
    "mixed(text/plain)",
    "mixed(alternative(text/plain,text/html))",
    "mixed(text/plain,application/zip)",
    "-",
  ],
  [
    "bare boundary in the text",
    "mixed(text/plain,application/pdf)",
    "mixed(alternative(text/plain,text/html),application/pdf)",
    "mixed(text/plain,application/pdf,application/zip)",
    "-",
  ],
];

const cases = TABLE.flatMap(([shape, ...results]) =>
  Object.keys(OPERATIONS).map((operation, index) => ({ shape, operation, expected: results[index] ?? "" })),
);
const attachmentBytes = (doc: MimeDocument): string[] =>
  attachmentParts(doc).map((part) => `${part.fileName}: ${part.rawBody().toString("latin1").trimEnd()}`);

describe("the structure table", () => {
  test("has a row for every shape", () => {
    expect(TABLE.map(([shape]) => shape)).toEqual(Object.keys(SHAPES));
  });

  test.each(cases)("$operation into $shape makes $expected", ({ shape, operation, expected }) => {
    const bytes = Buffer.from(crlf((shape === "empty" ? "Subject: a\n" : HEAD) + (SHAPES[shape] ?? "")));
    const doc = open(bytes);
    const original = open(bytes);
    const before = {
      text: textBodyPart(original)?.text().trimEnd() ?? "",
      html: htmlBodyPart(original)?.text().trimEnd() ?? "",
      files: attachmentBytes(original),
    };
    const edit = (): void => OPERATIONS[operation]?.(doc);
    if (expected === "-") {
      expect(edit).toThrow(RangeError);
      expect(doc.splices()).toEqual([]);
      return;
    }
    edit();
    const result = applySplices(bytes, doc.splices());
    expect(result.equals(doc.toBuffer())).toBe(true);
    expect(structure(doc.root)).toBe(expected);
    const again = open(result);
    expect(structure(again.root)).toBe(expected);
    // Defects that were there may go, no new one may come.
    for (const defect of again.defects) expect(original.defects).toContain(defect);
    expect(again.root.headers.get("subject")).toBe("a");
    expect(again.root.headers.getAll("mime-version")).toEqual(["1.0"]);

    const bodies = [textBodyPart(again), htmlBodyPart(again)].map((part) => part?.text().trimEnd() ?? "");
    expect(bodies).toEqual([
      operation === "text" ? "new text ü" : before.text,
      operation === "html" ? NEW_HTML : before.html,
    ]);
    // The attachments that were there still are, byte for byte.
    const files = attachmentBytes(again);
    expect(files).toEqual(operation === "attachment" ? [...before.files, ": AAEC/w=="] : before.files);
  });

  test("removing the last attachment and unwrapping promotes the single child", () => {
    const doc = open(crlf(HEAD + (SHAPES["mixed of text and file"] ?? "")));
    const [file] = attachmentParts(doc);
    if (file !== undefined) doc.root.removeChild(file);
    doc.root.unwrap();
    const again = open(doc.toBuffer());
    expect(structure(again.root)).toBe("text/plain");
    expect(again.root.headers.getAll("content-type")).toEqual(["text/plain; charset=utf-8"]);
    expect(again.root.text().trimEnd()).toBe("old text");
  });

  test("an inline picture of the HTML is no attachment, an unused one is", () => {
    expect(attachmentParts(open(crlf(HEAD + (SHAPES["related"] ?? ""))))).toEqual([]);
    const unused = crlf(HEAD + (SHAPES["related"] ?? "").replace("cid:pic", "cid:other"));
    expect(attachmentParts(open(unused)).map((part) => part.mediaType)).toEqual(["image/png"]);
  });

  test.each<[string, string, string, string, boolean]>([
    ["as it is written", "logo.png", '<img src="logo.png">', "", true],
    ["without quotes", "logo.png", "<img src=logo.png>", "", true],
    ["in a style", "a/b.png", "<p style=\"background: url('a/b.png')\">", "", true],
    ["with an entity", "http://h.example/x?a=1&b=2", '<img src="http://h.example/x?a=1&amp;b=2">', "", true],
    [
      "relative to the base",
      "http://h.example/d/x.png",
      '<img src="x.png">',
      "http://h.example/d/p.htm",
      true,
    ],
    ["both relative", "./d/../x.png", '<img src="x.png">', "", true],
    ["only as a part of another name", "logo.png", '<img src="old-logo.png">', "", false],
    ["only in the text", "logo.png", "<p>logo.png</p>", "", false],
    ["nowhere", "logo.png", "<p></p>", "", false],
  ])("a part whose Content-Location the HTML names %s", (_title, location, html, base, shown) => {
    const page = leaf("text/html", html, base === "" ? "" : `Content-Location: ${base}\n`);
    const image = leaf("image/png", "x", `Content-Location: ${location}\n`);
    const related = multipart("related", "rel", [page, image]);
    expect(attachmentParts(open(crlf(HEAD + related)))).toHaveLength(shown ? 0 : 1);
  });

  test("M: a page of nothing but half references costs linear time", () => {
    const half = '<img src = "a" url( src= href=\'b'.repeat(40_000);
    const images = Array.from({ length: 200 }, (_, at) =>
      leaf("image/png", "x", `Content-Location: ${at}.png\n`),
    );
    const doc = open(crlf(HEAD + multipart("related", "rel", [leaf("text/html", half), ...images])));
    const started = performance.now();
    expect(attachmentParts(doc)).toHaveLength(200);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("a leaf with content becomes no multipart by its label: its bytes would be gone", () => {
  const { root } = open("Content-Type: text/plain\r\n\r\ntext\r\n");
  expect(() => root.setMediaType("multipart/mixed")).toThrow(RangeError);
  expect(root.toBuffer().toString()).toBe("Content-Type: text/plain\r\n\r\ntext\r\n");
});
