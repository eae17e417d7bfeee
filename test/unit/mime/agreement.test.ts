// Two parsers that share no code with the document judge it; docs/mime.md gives the reason of every difference.
import { simpleParser } from "mailparser";
import PostalMime, { type Address } from "postal-mime";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAddressList } from "../../../src/mime/addresses.ts";
import {
  attachmentParts,
  htmlBodyPart,
  setHtmlBody,
  setTextBody,
  textBodyPart,
} from "../../../src/mime/bodies.ts";
import { decodeWords } from "../../../src/mime/encoded-words.ts";
import { applySplices, open } from "./mime-testing.ts";

/** What a reader of mail sees. */
interface View {
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly html: string;
  readonly names: string;
  readonly contents: string;
}

type Difference = keyof View;

const FOLDER = new URL("../../fixtures/mime/", import.meta.url);
const fixture = (name: string): Buffer => readFileSync(new URL(name, FOLDER));
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".eml"));

/** Blanks and line ends at the end are a matter of taste, and so is CRLF against LF. */
const comparable = (text: string): string => text.replaceAll("\r\n", "\n").trimEnd();
const mailbox = (name: string, address: string): string => `${name} <${address}>`;
const hex = (contents: readonly Uint8Array[]): string =>
  contents.map((bytes) => comparable(Buffer.from(bytes).toString("latin1"))).join("|");

function ourView(bytes: Buffer): View {
  const doc = open(bytes);
  const { headers } = doc.root;
  const addresses = (field: string): string =>
    parseAddressList(headers.get(field) ?? "")
      .map(({ name, address }) => mailbox(name, address))
      .join();
  const files = attachmentParts(doc);
  return {
    subject: decodeWords(headers.get("Subject") ?? ""),
    from: addresses("From"),
    to: addresses("To"),
    text: comparable(textBodyPart(doc)?.text() ?? ""),
    html: comparable(htmlBodyPart(doc)?.text() ?? ""),
    names: files.map((part) => part.fileName).join(),
    contents: hex(files.map((part) => part.decodedBody())),
  };
}

async function mailparserView(bytes: Buffer): Promise<View> {
  const mail = await simpleParser(bytes, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
  });
  const addresses = (field: typeof mail.to): string =>
    [field ?? []]
      .flat()
      .flatMap(({ value }) => value)
      .map(({ name = "", address = "" }) => mailbox(name, address))
      .join();
  return {
    subject: mail.subject ?? "",
    from: addresses(mail.from),
    to: addresses(mail.to),
    text: comparable(mail.text ?? ""),
    html: comparable(mail.html === false ? "" : (mail.html ?? "")),
    names: mail.attachments.map(({ filename }) => (filename === false ? "" : (filename ?? ""))).join(),
    contents: hex(mail.attachments.map(({ content }) => content)),
  };
}

async function postalMimeView(bytes: Buffer): Promise<View> {
  const mail = await PostalMime.parse(bytes, { attachmentEncoding: "arraybuffer" });
  const addresses = (list: readonly Address[]): string =>
    list.map(({ name, address }) => mailbox(name, address ?? "")).join();
  return {
    subject: mail.subject ?? "",
    from: addresses(mail.from === undefined ? [] : [mail.from]),
    to: addresses(mail.to ?? []),
    text: comparable(mail.text ?? ""),
    html: comparable(mail.html ?? ""),
    names: mail.attachments.map(({ filename }) => filename ?? "").join(),
    contents: hex(
      mail.attachments.map(({ content }) =>
        typeof content === "string" ? Buffer.from(content) : new Uint8Array(content),
      ),
    ),
  };
}

const differences = (ours: View, theirs: View): Difference[] =>
  (["subject", "from", "to", "text", "html", "names", "contents"] as const).filter(
    (key) => ours[key] !== theirs[key],
  );

/** Where both see something else than the document. */
const BOTH: Record<string, Difference[]> = {
  // Pictures of the HTML are no attachments of the message.
  "nested.eml": ["names", "contents"],
  "related-inline.eml": ["names", "contents"],
  // Latin-1 bytes are read as Latin-1, not replaced.
  "eight-bit-headers.eml": ["to"],
  // The lines as they are: what is read can be written back.
  "format-flowed.eml": ["text"],
  // A multipart that cannot be read is a file, not nothing.
  "missing-boundary.eml": ["contents"],
};
const MAILPARSER: Record<string, Difference[]> = {
  ...BOTH,
  // The first of several fields counts, not the last.
  "duplicate-headers.eml": ["subject", "from"],
};

describe("the fixtures are read as other parsers read them", () => {
  test.each(NAMES)("%s by mailparser", async (name) => {
    const bytes = fixture(name);
    expect(differences(ourView(bytes), await mailparserView(bytes))).toEqual(MAILPARSER[name] ?? []);
  });

  test.each(NAMES)("%s by postal-mime", async (name) => {
    const bytes = fixture(name);
    expect(differences(ourView(bytes), await postalMimeView(bytes))).toEqual(BOTH[name] ?? []);
  });
});

describe("what the document writes is read by other parsers as it was meant", () => {
  test.each(NAMES)("%s with both bodies replaced", async (name) => {
    const bytes = fixture(name);
    const doc = open(bytes);
    setTextBody(doc, "Neuer Text, 5 €\r\n");
    setHtmlBody(doc, "<p>Neues HTML, 5 €</p>");
    doc.root.headers.set("Subject", "Größe geändert");
    const edited = applySplices(bytes, doc.splices());
    const ours = ourView(edited);
    expect(ours).toMatchObject({
      subject: "Größe geändert",
      text: "Neuer Text, 5 €",
      html: "<p>Neues HTML, 5 €</p>",
    });
    for (const theirs of [await mailparserView(edited), await postalMimeView(edited)]) {
      expect(theirs.subject).toBe(ours.subject);
      expect(theirs.text).toContain(ours.text);
      expect(theirs.html).toContain(ours.html);
    }
  });

  test.each(NAMES)("M28 %s comes back byte for byte when nothing is changed", (name) => {
    const bytes = fixture(name);
    ourView(bytes);
    const doc = open(bytes);
    attachmentParts(doc);
    expect(doc.splices()).toEqual([]);
    expect(doc.root.toBuffer().equals(bytes)).toBe(true);
  });
});
