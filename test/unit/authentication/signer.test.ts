import { createHash, verify as verifySignature } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { ed25519Key, rsaKey } from "../../support/signing-keys.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import {
  FOREIGN,
  MESSAGE,
  OWN,
  contentOf,
  entryOf,
  signedText,
  signerOf,
  verifyText,
} from "./authentication-testing.ts";

const rsa = rsaKey();
const ed25519 = ed25519Key();
const ZONE = {
  "one._domainkey.example.com": { TXT: [rsa.record] },
  "two._domainkey.example.com": { TXT: [ed25519.record] },
};
const FORMS = ["relaxed", "simple"] as const;

describe("a signature verifies", () => {
  for (const headerForm of FORMS)
    for (const bodyForm of FORMS)
      test(`${headerForm}/${bodyForm}, RSA and Ed25519 together`, async () => {
        const text = await signedText([
          entryOf(rsa.pem, { headerForm, bodyForm }),
          entryOf(ed25519.pem, { headerForm, bodyForm, selector: "two" }),
        ]);
        expect(text.match(/^DKIM-Signature:/gm)).toHaveLength(2);
        expect(text.endsWith(MESSAGE)).toBe(true);
        const found = await verifyText(text, ZONE);
        expect(found.dkimDomains).toEqual(["example.com", "example.com"]);
      });

  test.each([
    ["an empty body", ""],
    ["a body of empty lines", "\r\n\r\n\r\n"],
    ["a body without its last line end", "text"],
    ["a body that ends in blanks", "text \r\n \r\n\t\r\n"],
    ["blanks at the start of lines", " a\r\n\tb\r\n"],
    ["8-bit text", "Gr\u00fc\u00dfe \u00a0\r\n"],
  ])("of %s", async (_name, body) => {
    for (const bodyForm of FORMS) {
      const text = await signedText(
        [entryOf(rsa.pem, { bodyForm })],
        contentOf(`From: a@example.com\r\nSubject: x\r\n\r\n${body}`),
      );
      // oxlint-disable-next-line no-await-in-loop
      expect((await verifyText(text, ZONE)).dkim, bodyForm).toBe("pass");
    }
  });

  test("by openssl's arithmetic alone, put together by hand from RFC 6376", async () => {
    const message = "From: a@example.com\r\nSubject: A  b\r\n\r\nHi  there \r\n\r\n";
    const text = await signedText([entryOf(rsa.pem, { fields: ["from"] })], contentOf(message));
    const field = text.slice(0, text.indexOf("\r\nFrom:"));
    const bodyHash = createHash("sha256").update("Hi there\r\n").digest("base64");
    expect(field).toContain(`bh=${bodyHash};`);
    const signature = /\bb=([^;]*)$/.exec(field)?.[1] ?? "";
    const bare = field.slice(0, field.length - signature.length);
    const relaxed = `dkim-signature:${bare.slice("DKIM-Signature:".length).replaceAll("\r\n\t", " ").trim()}`;
    const signed = `from:a@example.com\r\n${relaxed}`;
    const bytes = Buffer.from(signature.replaceAll(/\s/g, ""), "base64");
    expect(verifySignature("sha256", Buffer.from(signed), rsa.publicKey, bytes)).toBe(true);
  });

  test("of a message of 8 MB that stays on disk", async () => {
    await using folder = await tempFolder("signer");
    await mkdir(folder.path, { recursive: true });
    const file = join(folder.path, "body");
    const line = `${"word ".repeat(15)}\r\n\r\n`;
    const body = Buffer.from(line.repeat(Math.ceil(8_000_000 / line.length)));
    await writeFile(file, body);
    const start = Buffer.from("From: a@example.com\r\n\r\n");
    const content = Content.fromFile(start, { path: file, offset: 0, length: body.length });
    const signed = await signerOf([entryOf(rsa.pem)])({ id: "ID", content, origin: OWN }, "out");
    expect(signed.pieces.slice(1)).toEqual(content.pieces);
    expect((await verifyText(signed, ZONE)).dkim).toBe("pass");
  });

  test("of a message that ends with its header", async () => {
    for (const bodyForm of FORMS) {
      const message = "From: a@example.com\r\nSubject: x\r\n";
      // oxlint-disable-next-line no-await-in-loop
      const text = await signedText([entryOf(rsa.pem, { bodyForm })], contentOf(message));
      // oxlint-disable-next-line no-await-in-loop
      expect((await verifyText(text, ZONE)).dkim, bodyForm).toBe("pass");
    }
  });

  test("of content that a script left with bare line feeds, as it goes out", async () => {
    const text = await signedText([entryOf(rsa.pem)], contentOf("From: a@example.com\r\n\r\nA\nb\rc\r\n"));
    expect((await verifyText(text.replace("A\nb\rc\r\n", "A\r\nb\r\nc\r\n"), ZONE)).dkim).toBe("pass");
  });
});

describe("a signature breaks", () => {
  test.each([
    ["a changed body", "Hello", "Hallo"],
    ["a changed subject", "two", "2"],
    ["a second From above the signed one", "Received:", "From: ceo@example.com\r\nReceived:"],
    ["a second Subject", "Received:", "Subject: win\r\nReceived:"],
  ])("with %s", async (_name, before, after) => {
    const text = await signedText([entryOf(rsa.pem)]);
    const found = await verifyText(text.replace(before, after), ZONE);
    expect(found.dkim).toBe("fail");
    expect(found.dkimDomains).toEqual([]);
  });

  test("when its time is over, and not before", async () => {
    const clock = new ManualClock();
    const entry = entryOf(rsa.pem, { validForMs: 3_600_000 });
    const signed = await signerOf([entry], clock)(
      { id: "ID", content: contentOf(MESSAGE), origin: OWN },
      "out",
    );
    expect((await verifyText(signed, ZONE, {}, clock)).dkim).toBe("pass");
    await clock.advance(3_601_000);
    const late = await verifyText(signed, ZONE, {}, clock);
    expect(late.dkim).toBe("fail");
    expect(late.results).toContain('reason="expired"');
  });
});

describe("who is signed for", () => {
  test("mail of a stranger that claims our domain is not", async () => {
    expect(await signedText([entryOf(rsa.pem)], contentOf(MESSAGE), FOREIGN)).toBe(MESSAGE);
  });

  test.each([
    ["an authenticated user", { ...FOREIGN, user: "alice" }],
    ["a client of the relay networks", { ...FOREIGN, clientAddress: "127.0.0.1" }],
    ["our own reports", { ...OWN, via: "dsn" as const }],
  ])("%s is", async (_name, origin) => {
    expect(await signedText([entryOf(rsa.pem)], contentOf(MESSAGE), origin)).toMatch(/^DKIM-Signature:/);
  });

  test.each([
    ["another domain", "x@example.org", 0],
    ["a subdomain", "x@news.example.com", 1],
    ["a domain that only ends like it", "x@badexample.com", 0],
    ["authors of two domains", "a@example.com, b@example.org", 0],
    ["no author", "", 0],
  ])("%s, with a key for example.com and what is below it", async (_name, from, count) => {
    const message = `From: ${from}\r\nSubject: x\r\n\r\nx\r\n`;
    const text = await signedText([entryOf(rsa.pem, { subdomains: true })], contentOf(message));
    expect(text.match(/^DKIM-Signature:/gm) ?? []).toHaveLength(count);
  });

  test("a subdomain is not unless the entry says so", async () => {
    const message = "From: x@news.example.com\r\n\r\nx\r\n";
    expect(await signedText([entryOf(rsa.pem)], contentOf(message))).toBe(message);
  });

  test.each([
    ["a header with a stray LF", "From: a@example.com\r\nSubject: x\ny\r\n\r\nx\r\n", 1],
    ["a header that breaks off", "From: a@example.com", 1],
    ["the same of another domain", "From: a@example.org\r\nSubject: x\ny\r\n\r\nx\r\n", 0],
  ])("%s leaves as it is, with a warning where it would have been signed", async (_name, text, count) => {
    const told: unknown[] = [];
    const log = { ...silentLogger, warn: (fields: unknown) => void told.push(fields) };
    const content = contentOf(text);
    const sign = signerOf([entryOf(rsa.pem)], systemClock, log);
    expect(await sign({ id: "ID", content, origin: OWN }, "out")).toBe(content);
    expect(told).toHaveLength(count);
  });

  test("the same content is signed once for all its next hops", async () => {
    const sign = signerOf([entryOf(rsa.pem)]);
    const message = { id: "ID", content: contentOf(MESSAGE), origin: OWN };
    expect(await sign(message, "out")).toBe(await sign(message, "out"));
    expect(await sign(message, "drop")).toBe(message.content);
  });
});
