import { array, assert, asyncProperty, constantFrom, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { keepFinding } from "../../../src/authentication/finding.ts";
import { Content, headerBlockLength } from "../../../src/message/content.ts";
import type { PropertyValue } from "../../../src/message/properties.ts";
import { rsaKey } from "../../support/signing-keys.ts";
import type { Zone } from "../../support/dns-zone.ts";
import { FOREIGN, MESSAGE, contentOf, entryOf, signedText, verifyText } from "./authentication-testing.ts";

const rsa = rsaKey();
const weak = rsaKey(512);
const small = rsaKey(1024);
const KEY: Zone = { "one._domainkey.example.com": { TXT: [rsa.record] } };
const REJECT: Zone = { "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject"] } };

const spfZone = (record: string, more: Zone = {}): Zone => ({ "example.com": { TXT: [record] }, ...more });

describe("SPF", () => {
  test.each([
    ["pass", "v=spf1 ip4:192.0.2.0/24 -all"],
    ["fail", "v=spf1 ip4:198.51.100.1 -all"],
    ["softfail", "v=spf1 ~all"],
    ["neutral", "v=spf1 ?all"],
    ["permerror", "v=spf1 nonsense:x -all"],
  ])("of the sender's domain: %s", async (result, record) => {
    const found = await verifyText(MESSAGE, spfZone(record));
    expect(found.spf).toBe(result);
    expect(found.results).toContain(`spf=${result} smtp.mailfrom=alice@example.com`);
  });

  test("of a domain without a record is none", async () => {
    expect((await verifyText(MESSAGE, {})).spf).toBe("none");
  });

  test("of the null sender is that of the HELO name", async () => {
    const zone: Zone = { "out.example.com": { TXT: ["v=spf1 a -all"], A: ["192.0.2.1"] } };
    const found = await verifyText(MESSAGE, zone, { sender: "" });
    expect(found.results).toContain("spf=pass smtp.helo=out.example.com");
  });

  test("over more than 10 look-ups is permerror", async () => {
    const includes = Array.from({ length: 11 }, (_, at) => `include:i${at}.example.com`).join(" ");
    const more = Object.fromEntries(
      Array.from({ length: 11 }, (_, at) => [`i${at}.example.com`, { TXT: ["v=spf1 ip4:203.0.113.9"] }]),
    );
    const found = await verifyText(MESSAGE, spfZone(`v=spf1 ${includes} -all`, more));
    expect(found.spf).toBe("permerror");
    expect(found.asked.length).toBeLessThan(20);
  });

  test("is temperror when DNS fails", async () => {
    expect((await verifyText(MESSAGE, { "example.com": { TXT: "SERVFAIL" } })).spf).toBe("temperror");
  });
});

describe("DKIM", () => {
  test.each([
    ["no key", {}, "permerror"],
    ["a key that was withdrawn", { "one._domainkey.example.com": { TXT: ["v=DKIM1; p="] } }, "permerror"],
    ["the key of another", { "one._domainkey.example.com": { TXT: [rsaKey().record] } }, "fail"],
    ["a key of 512 bits", { "one._domainkey.example.com": { TXT: [weak.record] } }, "policy"],
    ["DNS that fails", { "one._domainkey.example.com": { TXT: "SERVFAIL" } }, "temperror"],
  ] as const)("with %s", async (_name, zone, result) => {
    const found = await verifyText(await signedText([entryOf(rsa.pem)]), zone);
    expect(found.results).toContain(`dkim=${result}`);
    expect(found.dkimDomains).toEqual([]);
  });

  test("with a key of 1024 bits passes, as RFC 8301 has it", async () => {
    const zone: Zone = { "one._domainkey.example.com": { TXT: [small.record] } };
    expect((await verifyText(await signedText([entryOf(small.pem)]), zone)).dkim).toBe("pass");
  });

  test("of an unsigned message is none", async () => {
    expect((await verifyText(MESSAGE, {})).results).toContain("; dkim=none;");
  });

  test("a signature over a part of the body counts for nothing, and nothing is printed", async () => {
    const text = await signedText([entryOf(rsa.pem)]);
    for (const tag of ["l=5", "L =5", "(c) l=5", "l (c)=5"]) {
      const partial = text.replace("DKIM-Signature: v=1;", `DKIM-Signature: v=1; ${tag};`);
      // oxlint-disable-next-line no-await-in-loop
      const found = await verifyText(partial, KEY);
      expect(found.results, tag).toContain("dkim=policy");
      expect(found.dkim, tag).toBe("policy");
    }
  });

  test("times that are no times spoil their own signature only", async () => {
    const text = await signedText([entryOf(rsa.pem)]);
    for (const tag of ["t=9e99", "x=1e400", "t=-9999999999999", "(c) t=99999999999999999999"]) {
      const field = `DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=one; h=from; bh=x; b=x; ${tag}\r\n`;
      // oxlint-disable-next-line no-await-in-loop
      expect((await verifyText(field + text, KEY)).dkim, tag).toBe("pass");
    }
  });

  test("whatever its signatures look like, a message has a result and DMARC is judged", async () => {
    const values =
      "v=1|a=rsa-sha256|a=|d=example.com|d=__proto__|d=\u00ff.com|s=one|s=../x|bh=x|b=|b=AAAA|h=from:to|c=foo/bar|t=9e99|x=1e400|i=1|i=1e9|cv=none|cv=pass|cv|=|constructor=1|(((|\"|\\|'|l|l=5||\r\n ";
    const names = "DKIM-Signature|ARC-Seal|ARC-Message-Signature|ARC-Authentication-Results|Content-Type";
    const tag = constantFrom(...values.split("|"));
    const name = constantFrom(...names.split("|"));
    const field = tuple(name, array(tag, { maxLength: 9 })).map(
      ([label, tags]) => `${label}: ${tags.join("; ")}\r\n`,
    );
    await assert(
      asyncProperty(array(field, { minLength: 1, maxLength: 6 }), async (fields) => {
        const found = await verifyText(fields.join("") + MESSAGE, { ...KEY, ...REJECT }, { sender: "" });
        expect(found.dmarc).toBe("fail");
        expect(found.results).toMatch(/; dkim=.*; dmarc=.*; arc=/);
      }),
      { numRuns: 300 },
    );
  });

  test("of hundreds of signatures the first ten are looked at", async () => {
    const field = "DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=SEL; h=from; bh=x; b=x\r\n";
    const many = Array.from({ length: 300 }, (_, at) => field.replace("SEL", `s${at}`)).join("");
    const found = await verifyText(many + MESSAGE, KEY);
    expect(found.results.match(/dkim=/g)).toHaveLength(11);
    expect(found.results).toContain('reason="290 signatures that are beyond those looked at"');
  });

  test.each([
    ["of 250,000 folded lines", `X: a\r\n${" b\r\n".repeat(250_000)}`],
    ["of 5,001 folded lines", `X: a\r\n${" b\r\n".repeat(5000)}`],
    ["of a megabyte", `X: ${"a".repeat(1_000_000)}\r\n`],
    ["whose author is a hundred thousand blanks", `From: a${" ".repeat(100_000)}b\r\n`],
    ["with a Return-Path of as many groups", `Return-Path: ${"a;".repeat(100_000)}b\r\n`],
    ["with a hundred authors of a thousand blanks", `FROM : a${" ".repeat(1000)}b\r\n`.repeat(100)],
  ])("a header %s is not worth the time", async (_name, field) => {
    const begin = performance.now();
    const found = await verifyText(field + MESSAGE, KEY);
    expect(found.dkim).toBe("permerror");
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});

describe("DMARC", () => {
  const SPF_PASSES = spfZone("v=spf1 ip4:192.0.2.0/24 -all");

  test("passes on an aligned signature, with SPF of another domain", async () => {
    const text = await signedText([entryOf(rsa.pem)]);
    const found = await verifyText(text, { ...KEY, ...REJECT }, { sender: "bounce@list.example.net" });
    expect([found.dmarc, found.dmarcPolicy]).toEqual(["pass", "reject"]);
  });

  test("passes on aligned SPF without a signature", async () => {
    expect((await verifyText(MESSAGE, { ...SPF_PASSES, ...REJECT })).dmarc).toBe("pass");
  });

  test.each([
    ["relaxed alignment", "v=DMARC1; p=reject", "pass"],
    ["strict alignment, which SPF that fails does not give,", "v=DMARC1; p=reject; adkim=s; aspf=s", "fail"],
  ])("%s of a subdomain", async (_name, record, result) => {
    const message = MESSAGE.replace("<alice@example.com>", "<alice@news.example.com>");
    const text = await signedText([entryOf(rsa.pem, { subdomains: true })], contentOf(message));
    const zone: Zone = {
      ...KEY,
      "_dmarc.example.com": { TXT: [record] },
      "news.example.com": { TXT: ["v=spf1 -all"] },
    };
    expect((await verifyText(text, zone, { sender: "alice@news.example.com" })).dmarc).toBe(result);
  });

  test("fails without either, with the policy of the domain", async () => {
    const found = await verifyText(MESSAGE, { ...REJECT, ...spfZone("v=spf1 -all") });
    expect([found.dmarc, found.dmarcPolicy]).toEqual(["fail", "reject"]);
    expect(found.results).toContain("dmarc=fail policy.dmarc=reject header.from=example.com");
  });

  test("asks for less while its pct is below 100", async () => {
    const zone: Zone = { "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject; pct=50"] } };
    expect((await verifyText(MESSAGE, zone)).dmarcPolicy).toBe("quarantine");
  });

  test("is temperror when DNS did not tell what might have passed", async () => {
    const zone: Zone = { ...REJECT, "example.com": { TXT: "SERVFAIL" } };
    expect((await verifyText(MESSAGE, zone)).dmarc).toBe("temperror");
  });

  test("is a failure still when only a stranger's servers fail", async () => {
    const field = "DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=one; h=from; bh=HASH; b=AAAA\r\n";
    const hash =
      /bh=([^;]*);/.exec(
        await signedText([entryOf(rsa.pem, { headerForm: "simple", bodyForm: "simple" })]),
      )?.[1] ?? "";
    const zone: Zone = {
      ...REJECT,
      "evil.example": { TXT: "SERVFAIL" },
      "one._domainkey.evil.example": { TXT: "SERVFAIL" },
    };
    const found = await verifyText(field.replace("HASH", hash) + MESSAGE, zone, { sender: "x@evil.example" });
    expect([found.spf, found.dkim, found.dmarc]).toEqual(["temperror", "temperror", "fail"]);
  });

  test("with two authors is permerror, whichever is ours", async () => {
    for (const second of ["From: x@evil.example\r\n", "From: <x@evil.example>, <alice@example.com>\r\n"]) {
      // oxlint-disable-next-line no-await-in-loop
      const found = await verifyText(second + MESSAGE, { ...SPF_PASSES, ...REJECT });
      expect(found.dmarc).toBe("permerror");
    }
  });

  test("looks at the domain behind the last at-sign", async () => {
    const message = MESSAGE.replace("<alice@example.com>", '<"a@evil.example"@example.com>');
    const found = await verifyText(
      message,
      { ...REJECT, "evil.example": { TXT: ["v=spf1 +all"] } },
      { sender: "a@evil.example" },
    );
    expect([found.spf, found.dmarc]).toEqual(["pass", "fail"]);
  });

  test("of a message that ends within its header is looked at as well", async () => {
    const found = await verifyText("From: alice@example.com\r\nSubject: x\r\n", { ...REJECT });
    expect(found.dmarc).toBe("fail");
  });
});

describe("what the message says never becomes a result", () => {
  test.each([
    ['"x; dmarc=pass header.d=bank.example"@evil.example', "out.example"],
    ['"("@evil.example', "out.example"],
    ["", 'x";dmarc=pass (('],
  ])("sender %j, HELO %j", async (sender, heloDomain) => {
    const found = await verifyText(MESSAGE, REJECT, { sender, heloDomain });
    const bare = found.results.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
    expect(bare.match(/; *dmarc=/g)).toHaveLength(1);
    expect(bare).toContain("dmarc=fail");
    expect(bare).not.toContain("(");
  });
});

describe("ARC", () => {
  const SEAL_ZONE: Zone = {
    ...KEY,
    "one._domainkey.list.example": { TXT: [rsa.record] },
    "one._domainkey.hop.example": { TXT: [rsa.record] },
  };
  const sealer = (domain: string) => entryOf(rsa.pem, { domain, arc: true });
  const throughHop = async (text: string, domain: string): Promise<string> => {
    const found = await verifyText(text, { ...SEAL_ZONE, ...REJECT }, { authservId: `mx.${domain}` });
    const properties = new Map<string, PropertyValue>();
    keepFinding(properties, found);
    return signedText([sealer(domain)], contentOf(text), FOREIGN, properties);
  };

  test("two hops seal one after the other; the first broke the author's signature", async () => {
    const original = await signedText([entryOf(rsa.pem)]);
    const first = await throughHop(original, "list.example");
    expect(first).toMatch(/^ARC-Seal: i=1; a=rsa-sha256; t=\d+; cv=none;/);
    const edited = await verifyText(first, SEAL_ZONE);
    expect([edited.arc, edited.vouchedBy]).toEqual(["pass", "list.example"]);
    const second = await throughHop(first, "hop.example");
    expect(second).toMatch(/^ARC-Seal: i=2; .*cv=pass;/);
    const found = await verifyText(second, SEAL_ZONE);
    expect([found.arc, found.vouchedBy]).toEqual(["pass", "hop.example"]);
  });

  test("a body changed after the last seal fails, and nobody seals it again", async () => {
    const sealed = await throughHop(await signedText([entryOf(rsa.pem)]), "list.example");
    const changed = sealed.replace("Hello", "Hallo");
    expect((await verifyText(changed, SEAL_ZONE)).arc).toBe("fail");
    expect(await throughHop(changed, "hop.example")).toBe(changed);
  });

  test("a chain that lost a field between verification and departure is left alone", async () => {
    const sealed = await throughHop(MESSAGE, "list.example");
    const found = await verifyText(sealed, SEAL_ZONE);
    const properties = new Map<string, PropertyValue>();
    keepFinding(properties, found);
    const cut = sealed.replace(/^ARC-Seal:(?:.*\r\n[ \t])*.*\r\n/, "");
    expect(await signedText([sealer("hop.example")], contentOf(cut), FOREIGN, properties)).toBe(cut);
  });

  test.each([
    "ARC-Authentication-Results: i=1; mx.example.org; dkim=pass __proto__.polluted=yes",
    'ARC-Authentication-Results: i=1; mx.example.org; dkim=pass __pr"oto__".polluted=yes',
  ])("%s changes no other object of the process", async (field) => {
    expect((await verifyText(`${field}\r\n${MESSAGE}`, {})).arc).toBe("fail");
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test("a field that only begins like one of the chain is none of it", async () => {
    const first = await throughHop(`ARC-Other: i=1\r\n${MESSAGE}`, "list.example");
    expect(await throughHop(first, "hop.example")).toMatch(/^ARC-Seal: i=2; /);
  });

  test("what nobody looked at is not sealed", async () => {
    expect(await signedText([sealer("list.example")], contentOf(MESSAGE), FOREIGN)).toBe(MESSAGE);
  });
});

describe("a body that is work for the library", () => {
  const signed = (body: string): Promise<string> =>
    signedText([entryOf(rsa.pem)], contentOf(`From: alice@example.com\r\n\r\n${body}`));

  test("leaves the others their turns", async () => {
    const text = await signed(" \r\n".repeat(350_000));
    let turns = 0;
    let timer = setImmediate(function count() {
      turns += 1;
      timer = setImmediate(count);
    });
    expect((await verifyText(text, KEY)).dkim).toBe("pass");
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(25);
  });

  test("is read in pieces as in one", async () => {
    const pieces = Buffer.from(await signed("a  b \r\n\r\n".repeat(10_000)), "latin1");
    const cut = Array.from({ length: Math.ceil(pieces.length / 1000) }, (_, at) =>
      pieces.subarray(at * 1000, (at + 1) * 1000),
    );
    const header = pieces.subarray(0, headerBlockLength(pieces));
    expect((await verifyText(Content.fromPieces(header, cut), KEY)).dkim).toBe("pass");
  });

  test("is not read where a line of it has no end; without a signature nobody cares", async () => {
    const line = "x".repeat(1_100_000);
    const found = await verifyText(await signed(line), KEY);
    expect(found.results).toContain('dkim=permerror reason="the signatures cannot be read"');
    expect((await verifyText(`From: alice@example.com\r\n\r\n${line}`, KEY)).dkim).toBe("none");
  });

  test.each([
    ["DKIM-Signature", "policy", (run: string) => run.replaceAll("?", ":")],
    ["DKIM-Signature", "policy", (run: string) => run.replaceAll("?", " ")],
    ["DKIM-Signature", "policy", (run: string) => run.replaceAll("?", ".")],
    ["Subject", "permerror", (run: string) => run.replaceAll("?", "\r")],
  ])("has no long runs of separators in its %s field: dkim=%s", async (name, result, fill) => {
    const message = `From: alice@example.com\r\nSubject: a\r\n\r\n`;
    const text = await signedText([entryOf(rsa.pem, { headerForm: "simple" })], contentOf(message));
    const began = performance.now();
    const found = await verifyText(
      text.replace(`${name}: `, `${name}: z=x${fill("?".repeat(100_000))}x; `),
      KEY,
    );
    expect(found.dkim).toBe(result);
    // The library alone takes several seconds.
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test("nor in a seal of ARC", async () => {
    const seal = `ARC-Seal: i=1; z=x${":".repeat(100_000)}x; a=rsa-sha256; cv=none; d=example.com; s=one; b=AAAA\r\n`;
    const found = await verifyText(`${seal}${MESSAGE}`, KEY);
    expect(found.results).toContain('dkim=policy reason="1 signature that are malformed"');
  });
});
