import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  createDecoyHash,
  hashPassword,
  parsePasswordHash,
  verifyPassword,
} from "../../../../src/smtp/server/authentication/password-hash.ts";
import { defaultSmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import { startListener, Talk } from "./support.ts";

const pem = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), "utf8");
const tls = { certificate: pem("certificate"), key: pem("key"), implicit: [] };
const users = { alice: await hashPassword("s3cret") };
const auth = { ...defaultSmtpServerSettings.auth, users, failureDelayMs: 1 };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("STARTTLS", () => {
  test("the session starts anew inside TLS, and the trace field tells", async () => {
    await using run = await startListener({ settings: { tls } });
    const talk = await run.open();
    expect(await talk.greet()).toContain("250-STARTTLS");
    expect(await talk.say("STARTTLS now")).toMatch(/^501/);
    await talk.say("MAIL FROM:<>");
    expect(await talk.say("STARTTLS")).toMatch(/^220 2\.0\.0/);
    await talk.startTls();
    expect(await talk.say("RCPT TO:<b@example.com>")).toMatch(/^503/);
    expect(await talk.say("EHLO inside")).not.toContain("STARTTLS");
    expect(await talk.say("STARTTLS")).toMatch(/^503/);
    await talk.toData();
    expect(await talk.say("x\r\n.")).toMatch(/^250/);
    expect(run.intake.messages[0]?.content.header.toString()).toContain(
      "from inside ([127.0.0.1])\r\n\tby mx.example.com with ESMTPS id",
    );
  });

  test("S07 commands sent behind STARTTLS in the clear are never run", async () => {
    await using run = await startListener({ settings: { tls } });
    const talk = await run.open();
    await talk.greet();
    talk.write("STARTTLS\r\nEHLO injected\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.com>\r\n");
    expect(await talk.reply()).toMatch(/^220/);
    await talk.startTls();
    expect(await talk.say("RCPT TO:<c@example.com>")).toBe("503 5.5.2 Send hello first");
  });

  test("a handshake that fails ends its session only", async () => {
    await using run = await startListener({ settings: { tls } });
    const talk = await run.open();
    await talk.greet();
    await talk.say("STARTTLS");
    talk.write("this is no handshake\r\n");
    await talk.rest();
    const other = await run.open();
    expect(await other.greet()).toMatch(/^250/);
    await expect.poll(() => run.listener.connections).toBe(1);
  });
});

test("implicit TLS greets inside TLS, and a new certificate serves the next session", async () => {
  await using run = await startListener({
    settings: { tls: { ...tls, implicit: [{ host: "127.0.0.1", port: 0 }] } },
  });
  const talk = await Talk.openTls(run.ports[1] ?? 0);
  expect(await talk.greet()).not.toContain("STARTTLS");
  await talk.toData();
  expect(await talk.say("x\r\n.")).toMatch(/^250/);
  expect(() =>
    run.listener.prepareUpdate({
      ...defaultSmtpServerSettings,
      tls: { ...tls, implicit: [], certificate: "nonsense" },
    }),
  ).toThrow("tls.certificate: no certificate in PEM");
  run.listener.prepareUpdate({ ...defaultSmtpServerSettings, tls: { ...tls, implicit: [] } })();
  const next = await Talk.openTls(run.ports[1] ?? 0);
  expect(await next.reply()).toMatch(/^220/);
  talk.socket.destroy();
  next.socket.destroy();
});

describe("AUTH", () => {
  test("is neither offered nor taken in the clear", async () => {
    await using run = await startListener({ settings: { auth, tls } });
    const talk = await run.open();
    expect(await talk.greet()).not.toContain("AUTH");
    expect(await talk.say(`AUTH PLAIN ${base64("\0alice\0s3cret")}`)).toMatch(/^538 5\.7\.11/);
  });

  test("PLAIN over TLS gives the right to relay and shows in origin and trace", async () => {
    await using run = await startListener({ settings: { auth, tls } });
    const talk = await run.open();
    await talk.greet();
    await talk.say("STARTTLS");
    await talk.startTls();
    expect(await talk.say("EHLO x")).toContain("250-AUTH PLAIN LOGIN");
    expect(await talk.say(`AUTH PLAIN ${base64("\0alice\0s3cret")}`)).toBe(
      "235 2.7.0 Authentication successful",
    );
    expect(await talk.say("AUTH PLAIN")).toMatch(/^503/);
    await talk.toData(["x@elsewhere.org"]);
    await talk.say("x\r\n.");
    expect(run.intake.messages[0]?.origin.user).toBe("alice");
    expect(run.intake.messages[0]?.content.header.toString()).toContain("with ESMTPSA id");
  });

  test("LOGIN and PLAIN ask for what is missing, and both can be cancelled", async () => {
    await using run = await startListener({ settings: { auth: { ...auth, allowPlaintext: true } } });
    const talk = await run.open();
    expect(await talk.greet()).toContain("AUTH PLAIN LOGIN");
    expect(await talk.say("AUTH PLAIN")).toBe("334");
    expect(await talk.say("*")).toMatch(/^501 5\.7\.0/);
    expect(await talk.say("AUTH LOGIN")).toBe("334 VXNlcm5hbWU6");
    expect(await talk.say(base64("alice"))).toBe("334 UGFzc3dvcmQ6");
    expect(await talk.say(base64("s3cret"))).toMatch(/^235/);
  });

  test.each([
    ["AUTH PLAIN !!!", "501"],
    [`AUTH PLAIN ${base64("alice\0s3cret")}`, "501"],
    [`AUTH PLAIN ${base64("bob\0alice\0s3cret")}`, "501"],
    [`AUTH PLAIN ${base64("\0al\nice\0s3cret")}`, "501"],
    [`AUTH PLAIN ${base64("\0alice\0wrong")}`, "535"],
    [`AUTH PLAIN ${base64("\0nobody\0s3cret")}`, "535"],
    [`AUTH PLAIN ${base64("\0__proto__\0s3cret")}`, "535"],
    [`AUTH LOGIN ${base64("al\nice")}`, "501"],
    ["AUTH LOGIN =", "501"],
    ["AUTH LOGIN !!!", "501"],
    ["AUTH CRAM-MD5", "504"],
    ["AUTH PLAIN a b", "501"],
    [`AUTH PLAIN ${"A".repeat(13_000)}`, "500"],
  ])("S17 %s is answered %s", async (line, code) => {
    await using run = await startListener({ settings: { auth: { ...auth, allowPlaintext: true } } });
    const talk = await run.open();
    await talk.greet();
    expect((await talk.say(line)).slice(0, 3)).toBe(code);
  });

  test("S17 too many failures end the session", async () => {
    await using run = await startListener({
      settings: { auth: { ...auth, allowPlaintext: true, maxFailures: 2 } },
    });
    const talk = await run.open();
    await talk.greet();
    const attempt = `AUTH PLAIN ${base64("\0alice\0wrong")}\r\n`;
    talk.write(attempt.repeat(5));
    const heard = await talk.rest();
    expect(heard.match(/^535 /gm)).toHaveLength(2);
    expect(heard).toMatch(/421 4\.7\.0 [^\r]*\r\n$/);
  });
});

describe("password hashes", () => {
  test("a password matches its own hash only", async () => {
    const hash = await hashPassword("pässword");
    expect(hash).toMatch(/^scrypt\$16384\$8\$1\$[^$]+\$[^$]+$/);
    expect(await verifyPassword("pässword", hash)).toBe(true);
    expect(await verifyPassword("password", hash)).toBe(false);
    expect(await verifyPassword("pässword", createDecoyHash())).toBe(false);
  });

  test.each([
    "",
    "plain",
    "scrypt$3$8$1$AAAA$AAAA",
    "scrypt$99999999$8$1$AAAA$AAAA",
    "scrypt$16384$8$1$$",
    "scrypt$16384$8$1$AAAA$AAAA",
    ...["3$8$1", "1$8$1", "0$8$1", "16384$0$1", "16384$8$0", "33554432$8$1"].map(
      (cost) => `scrypt$${cost}$${"A".repeat(24)}$${"A".repeat(44)}`,
    ),
  ])("%j is no hash, and no password matches it", async (text) => {
    expect(parsePasswordHash(text)).toBeUndefined();
    expect(await verifyPassword("", text)).toBe(false);
  });
});
