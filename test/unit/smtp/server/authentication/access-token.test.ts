// AUTH XOAUTH2 with tokens that the test signs itself, as an identity provider would.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createAccessTokenCheck } from "../../../../../src/smtp/server/authentication/access-token.ts";
import { defaultSmtpServerSettings } from "../../../../../src/smtp/server/settings.ts";
import { startListener, type Talk } from "../support.ts";

const NOW = 1_800_000_000_000;
const USER = "ann@example.com";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });

const jwk = (key: KeyObject, kid: string, more: object = {}): object => ({
  ...key.export({ format: "jwk" }),
  kid,
  ...more,
});
const keys = JSON.stringify({
  keys: [
    jwk(rsa.publicKey, "r"),
    jwk(ec.publicKey, "e"),
    jwk(ed.publicKey, "d"),
    { kty: "oct", k: "c2VjcmV0" },
  ],
});
const settings = {
  issuer: "https://login.example.com",
  audience: "smtp",
  userClaim: "email",
  keys,
  clockSkewMs: 60_000,
};

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = { iss: settings.issuer, aud: ["smtp", "imap"], email: USER, exp: NOW / 1000 + 600 };

function token(alg: string, key: KeyObject, body: object = claims, header: object = {}): string {
  const signed = `${segment({ alg, typ: "at+jwt", ...header })}.${segment(body)}`;
  const hash = alg === "EdDSA" ? undefined : "sha256";
  const signature = sign(hash, Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

const check = createAccessTokenCheck(settings);
const accepts = (text: string, user = USER): boolean => check({ user, token: text }, NOW);

describe("an access token", () => {
  test.each([
    ["RS256", rsa.privateKey],
    ["ES256", ec.privateKey],
    ["EdDSA", ed.privateKey],
  ])("signed with %s by a key of the provider is taken", (alg, key) => {
    expect(accepts(token(alg, key))).toBe(true);
  });

  test.each([
    ["of another user", token("RS256", rsa.privateKey), "eve@example.com"],
    ["signed by somebody else", token("RS256", stranger.privateKey)],
    ["of another issuer", token("RS256", rsa.privateKey, { ...claims, iss: "https://evil.example" })],
    ["for another audience", token("RS256", rsa.privateKey, { ...claims, aud: "imap" })],
    ["without an end", token("RS256", rsa.privateKey, { ...claims, exp: undefined })],
    ["that has expired", token("RS256", rsa.privateKey, { ...claims, exp: NOW / 1000 - 61 })],
    ["that is not valid yet", token("RS256", rsa.privateKey, { ...claims, nbf: NOW / 1000 + 61 })],
    ["that names another key", token("RS256", rsa.privateKey, claims, { kid: "e" })],
    ["that wants no signature", `${segment({ alg: "none" })}.${segment(claims)}.`],
    ["that wants a shared secret", `${segment({ alg: "HS256" })}.${segment(claims)}.AAAA`],
    ["cut short", token("RS256", rsa.privateKey).slice(0, -4)],
    ["that is none", "a.b.c"],
    ["of a megabyte", "x".repeat(1_000_000)],
  ])("%s is not taken", (_, text, user = USER) => {
    expect(accepts(text, user)).toBe(false);
  });

  test.each([
    ["no JSON", "{", "no JWK set ("],
    ["no key set", "[]", "no public key for RS256,"],
    ["no public key that we use", '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', "no public key for RS256,"],
  ])("keys that are %s are a fault of the settings", (_, text, why) => {
    expect(() => createAccessTokenCheck({ ...settings, keys: text })).toThrow(why);
  });
});

describe("AUTH XOAUTH2", () => {
  const auth = {
    ...defaultSmtpServerSettings.auth,
    allowPlaintext: true,
    failureDelayMs: 1,
    accessTokens: settings,
  };
  const fresh = { ...claims, exp: Math.floor(Date.now() / 1000) + 600 };
  const response = (text: string): string =>
    Buffer.from(`user=${USER}\x01auth=Bearer ${text}\x01\x01`).toString("base64");

  async function greeted(run: { open(): Promise<Talk> }): Promise<Talk> {
    const talk = await run.open();
    expect(await talk.greet()).toMatch(/\n250-AUTH XOAUTH2\n/);
    return talk;
  }

  test("a token of the user opens the way for foreign recipients", async () => {
    await using run = await startListener({ settings: { auth } });
    const talk = await greeted(run);
    expect(await talk.say(`AUTH XOAUTH2 ${response(token("ES256", ec.privateKey, fresh))}`)).toMatch(/^235/);
    await talk.say("MAIL FROM:<ann@example.com>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toMatch(/^250/);
    await talk.say("DATA");
    await talk.say("Subject: x\r\n\r\nx\r\n.");
    expect(run.intake.messages[0]?.origin).toMatchObject({ user: USER, authMechanism: "XOAUTH2" });
  });

  test("is cancelled, and refused what is no text, as the others are", async () => {
    await using run = await startListener({ settings: { auth } });
    const talk = await greeted(run);
    await talk.say("AUTH XOAUTH2");
    expect(await talk.say("*")).toMatch(/^501 5\.7\.0/);
    await talk.say("AUTH XOAUTH2");
    expect(await talk.say("a\0b")).toMatch(/^501 5\.5\.2 Control/);
    expect(await talk.say("NOOP")).toMatch(/^250/);
  });

  test("a token of many claims is longer than any command, with AUTH and in the answer (RFC 4954 §4)", async () => {
    await using run = await startListener({ settings: { auth } });
    const long = response(token("ES256", ec.privateKey, { ...fresh, groups: "g".repeat(5000) }));
    expect(long.length).toBeGreaterThan(defaultSmtpServerSettings.maxCommandLength);
    expect(await (await greeted(run)).say(`AUTH XOAUTH2 ${long}`)).toMatch(/^235/);
    const talk = await greeted(run);
    await talk.say("AUTH XOAUTH2");
    expect(await talk.say(long)).toMatch(/^235/);
  });

  test.each([
    ["something in front", (good: string) => `x${good}`],
    ["something behind", (good: string) => `${good}x`],
    ["a second field", (good: string) => good.replace("\x01\x01", "\x01host=x\x01\x01")],
    ["a control character in the name", (good: string) => good.replace("\x01", "\n\x01")],
  ])("with %s it is none", async (_, spoil) => {
    await using run = await startListener({ settings: { auth } });
    const talk = await greeted(run);
    const good = Buffer.from(response(token("RS256", rsa.privateKey, fresh)), "base64").toString();
    expect(await talk.say(`AUTH XOAUTH2 ${Buffer.from(spoil(good)).toString("base64")}`)).toMatch(
      /^501 5\.5\.2/,
    );
  });

  test("a wrong one is refused after the challenge that says why, and the session goes on", async () => {
    await using run = await startListener({ settings: { auth } });
    const talk = await greeted(run);
    expect(await talk.say("AUTH XOAUTH2")).toBe("334");
    const challenge = await talk.say(response(token("RS256", stranger.privateKey, fresh)));
    expect(Buffer.from(challenge.slice(4), "base64").toString()).toContain('"status":"401"');
    expect(await talk.say("")).toMatch(/^535/);
    expect(await talk.say("AUTH PLAIN AGFubgBwdw==")).toMatch(/^504/);
    expect(await talk.say("AUTH XOAUTH2 bm9uc2Vuc2U=")).toMatch(/^501/);
    expect(await talk.say("NOOP")).toMatch(/^250/);
  });
});
