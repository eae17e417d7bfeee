import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { defaultSmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import { eventually } from "../../../support/eventually.ts";
import { quickHash } from "../../../support/quick-hash.ts";
import { bodyOf, startListener, Talk } from "./support.ts";

const pair = {
  certificate: readFileSync(new URL("../../../fixtures/tls/certificate.pem", import.meta.url), "utf8"),
  key: readFileSync(new URL("../../../fixtures/tls/key.pem", import.meta.url), "utf8"),
};

const auth = {
  ...defaultSmtpServerSettings.auth,
  users: { alice: quickHash("s3cret") },
  allowPlaintext: true,
  failureDelayMs: 0,
};

const CONTROLS = [
  "\0",
  "\x01",
  "\x07",
  "\x08",
  "\t",
  "\x0b",
  "\x0c",
  "\r",
  "\x1b[31m",
  "\x7f",
  "\u0085",
  "\u009b",
];

describe("S15 control characters and broken UTF-8", () => {
  test.each([
    "EHLO a@b",
    "HELO a@b",
    "MAIL FROM:<a@b>",
    "RCPT TO:<a@b>",
    "AUTH PLAIN @x",
    "VRFY @x",
    "XFOO @x",
    "ETRN @x",
  ])("in %s are refused, and no message is begun by them", async (line) => {
    await using run = await startListener({ settings: { auth, maxErrors: 100 } });
    const talk = await run.open();
    await talk.greet();
    for (const control of CONTROLS) {
      talk.write(Buffer.from(`${line.replace("@", control)}\r\n`));
      expect(await talk.reply()).toMatch(/^501 5\.5\.2 Control characters/);
    }
    for (const bytes of [
      [0xff],
      [0xc0, 0xaf],
      [0xe2, 0x28, 0xa1],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
    ]) {
      const [before = "", after = ""] = line.split("@");
      talk.write(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(`${after}\r\n`)]));
      expect(await talk.reply()).toMatch(/^501 5\.5\.2/);
    }
    expect(await talk.say("DATA")).toMatch(/^503/);
  });
});

describe("S16 paths at and beyond their bounds", () => {
  const local = (length: number): string => "l".repeat(length);
  const domain = (length: number): string => `${"d".repeat(60)}.`.repeat(6).slice(0, length - 4) + ".com";

  test.each([
    [`<${local(64)}@example.com>`, 250],
    // The original took longer local parts; the path as a whole is bounded.
    [`<${local(65)}@example.com>`, 250],
    [`<${local(400)}@example.com>`, 501],
    [`<a@${domain(330)}>`, 501],
    [`<a@${domain(200)}>`, 550],
    [`<@${domain(100)},@${domain(90)}:b@example.com>`, 250],
    ["<@:b@example.com>", 501],
    ["<>", 501],
    ["<postmaster>", 250],
    ["<PostMaster>", 250],
    ['<"b c"@example.com>', 250],
    ['<"b\\"c"@example.com>', 250],
    ['<"b>c"@example.com>', 250],
    ['<"b@example.com>', 501],
    ["<b@[192.0.2.1]>", 550],
    ["<b@[IPv6:2001:db8::1]>", 550],
    ["<b@[IPv6:zz]>", 501],
    ["<b@[192.0.2.1>", 501],
    ["<b@-example.com>", 501],
    ["<b@example..com>", 501],
    ["<.b@example.com>", 250],
    ["<b.@example.com>", 250],
    ["<b@>", 501],
    ["<@example.com>", 501],
    ["<b.@example.com>", 250],
    ["<<b@example.com>>", 501],
  ])("RCPT TO:%s is answered %i", async (path, code) => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<>");
    expect(await talk.say(`RCPT TO:${path}`)).toMatch(new RegExp(`^${code} `));
    expect(await talk.say("NOOP")).toMatch(/^250/);
  });
});

describe("S17 AUTH", () => {
  const send = async (lines: readonly string[]): Promise<string[]> => {
    await using run = await startListener({ settings: { auth } });
    const talk = await run.open();
    await talk.greet();
    const heard: string[] = [];
    for (const line of lines) heard.push((await talk.say(line)).slice(0, 3));
    return heard;
  };

  test.each([
    ["a token of 3 KB", [`AUTH PLAIN ${"QUJD".repeat(750)}`], ["501"]],
    ["a token of 3 KB as answer", ["AUTH PLAIN", "QUJD".repeat(750)], ["334", "501"]],
    ["an empty initial response", ["AUTH PLAIN ="], ["501"]],
    ["no mechanism", ["AUTH"], ["504"]],
    ["the user in another's name", [`AUTH PLAIN ${btoa("root\0alice\0s3cret")}`], ["501"]],
    ["the user in its own name", [`AUTH PLAIN ${btoa("alice\0alice\0s3cret")}`], ["235"]],
    ["a cancelled LOGIN", ["AUTH LOGIN", btoa("alice"), "*", "NOOP"], ["334", "334", "501", "250"]],
    ["a command as answer", ["AUTH LOGIN", "MAIL FROM:<a@example.net>", "DATA"], ["334", "501", "503"]],
    ["AUTH twice", [`AUTH PLAIN ${btoa("\0alice\0s3cret")}`, "AUTH LOGIN"], ["235", "503"]],
    ["AUTH in a transaction", ["MAIL FROM:<>", "AUTH LOGIN"], ["250", "503"]],
  ])("%s", async (_, lines, codes) => expect(await send(lines)).toEqual(codes));

  test("an answer beyond the line cap ends the session", async () => {
    await using run = await startListener({ settings: { auth } });
    const talk = await run.open();
    await talk.greet();
    await talk.say("AUTH PLAIN");
    talk.write("Q".repeat(100_000));
    expect(await talk.rest()).toMatch(/^500 5\.5\.6 [^\r]*\r\n$/);
  });
});

test("S18 ten thousand recipients: the first hundred stay, the same one twice counts once", async () => {
  await using run = await startListener();
  const talk = await run.open();
  await talk.greet();
  await talk.say("MAIL FROM:<a@example.net>");
  talk.write(Array.from({ length: 10_000 }, (_, at) => `RCPT TO:<u${at % 5000}@example.com>\r\n`).join(""));
  const codes = new Map<string, number>();
  for (let at = 0; at < 10_000; at += 1) {
    const code = (await talk.reply()).slice(0, 9);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes]).toEqual([
    ["250 2.1.5", 200],
    ["452 4.5.3", 9800],
  ]);
  await talk.say("DATA");
  await talk.say(".");
  expect(run.intake.messages[0]?.envelope.recipients).toHaveLength(100);
});

test("a message that cannot be spooled is read to its end, and the store is asked once", async () => {
  await using run = await startListener({ settings: { inlineBytes: 100 } });
  let asked = 0;
  run.intake.createSpool = () => {
    asked += 1;
    return Promise.reject(new Error("disk full"));
  };
  const talk = await run.open();
  await talk.greet();
  await talk.toData();
  for (let piece = 0; piece < 20; piece += 1) talk.write(`${"x".repeat(998)}\r\n`.repeat(100));
  expect(await talk.say(".")).toMatch(/^45/);
  expect(asked).toBe(1);
  expect(await talk.say("NOOP")).toMatch(/^250/);
});

test.each([
  ["SIZE=999999999999", "552"],
  ["SIZE=2000", "552"],
  ["SIZE=10", "250"],
])("S19 %s is answered %s at MAIL, and what is really sent counts at the end", async (parameter, code) => {
  await using run = await startListener({ settings: { maxMessageSize: 1000, inlineBytes: 100 } });
  const talk = await run.open();
  await talk.greet();
  expect(await talk.say(`MAIL FROM:<a@example.net> ${parameter}`)).toMatch(new RegExp(`^${code}`));
  if (code === "552") return;
  await talk.say("RCPT TO:<b@example.com>");
  await talk.say("DATA");
  expect(await talk.say(`${"x".repeat(998)}\r\n`.repeat(50) + ".")).toMatch(/^552 5\.3\.4/);
  expect(run.intake.messages).toHaveLength(0);
  await expect.poll(() => run.intake.spools).toBe(0);
});

test.each([
  ["noop", 250],
  ["NoOp", 250],
  ["NOOP   ", 250],
  ["NOOP\t", 250],
  ["NOOP \t ", 250],
  ["NOOP\v", 501],
  ["NOOP\r", 501],
  [" NOOP", 500],
  ["", 500],
  ["NO OP", 500],
  ["NOOPNOOP", 500],
])("S23 %j is answered %i", async (line, code) => {
  await using run = await startListener();
  const talk = await run.open();
  await talk.greet();
  expect(await talk.say(line)).toMatch(new RegExp(`^${code} `));
});

test("S25 a hundred open sessions are told 421, those inside their content finish", async () => {
  await using run = await startListener();
  const talks = await Promise.all(Array.from({ length: 100 }, () => run.open()));
  await Promise.all(talks.map((talk) => talk.greet()));
  const busy = talks.slice(0, 20);
  await Promise.all(busy.map((talk) => talk.toData()));
  // Longer than the test may take: whoever is through must not wait for the grace.
  const closed = run.listener.close(60_000);
  await Promise.all(talks.slice(20).map(async (talk) => expect(await talk.rest()).toMatch(/^421 4\.3\.2/)));
  await Promise.all(
    busy.map(async (talk) => {
      expect(await talk.say("hello\r\n.")).toMatch(/^250 2\.6\.0/);
      expect(await talk.rest()).toMatch(/^421 4\.3\.2/);
    }),
  );
  await closed;
  expect(run.intake.messages).toHaveLength(20);
});

describe("S26 half-closed sockets", () => {
  test("a client that has said all it will is answered to the end, then the connection goes", async () => {
    await using run = await startListener();
    // Long enough for the end of its half to be seen before the message is stored.
    run.intake.before = () => wait(50);
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port: run.port, host: "127.0.0.1", allowHalfOpen: true });
      let said = "";
      socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
      socket.once("data", () =>
        socket.end(
          "EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nhello\r\n.\r\n",
        ),
      );
      socket.on("end", () => resolve(said));
      socket.on("error", reject);
    });
    expect(heard).toMatch(/250 2\.6\.0 [^\r]*\r\n$/);
    expect(await bodyOf(run.intake.messages[0])).toBe("hello\r\n");
    await expect.poll(() => run.listener.connections).toBe(0);
  });

  test.each([
    ["in place of a handshake", ["STARTTLS\r\n", ""]],
    ["while STARTTLS waits its turn", [`AUTH PLAIN ${btoa("\0alice\0wrong")}\r\nSTARTTLS\r\n`]],
  ])("one that ends its half %s is gone", async (_, [said = "", last]) => {
    const tls = { ...pair, implicit: [] };
    await using run = await startListener({ settings: { tls, auth: { ...auth, failureDelayMs: 50 } } });
    const talk = await run.open();
    await talk.greet();
    talk.write(said);
    if (last !== undefined) await talk.reply();
    talk.socket.end();
    await expect.poll(() => run.listener.connections).toBe(0);
  });

  test("half a message is none", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    await talk.toData();
    talk.socket.end("half\r\n.");
    await talk.rest();
    await expect.poll(() => run.listener.connections).toBe(0);
    expect(run.intake.messages).toHaveLength(0);
  });
});

test("S04 S07 whoever talks before the delayed greeting is refused, STARTTLS or not", async () => {
  await using run = await startListener({ settings: { greetDelayMs: 60 } });
  for (const early of ["STARTTLS\r\n", "EHLO x\r\nSTARTTLS\r\n", "X", "\r\n"]) {
    const talk = await Talk.open(run.port);
    talk.write(early);
    expect(await talk.rest()).toMatch(/^554 5\.5\.0 [^\r]*\r\n$/);
  }
});

describe("S02 S03 S20 sockets that never become a session", () => {
  const tls = { ...pair, implicit: [{ host: "127.0.0.1", port: 0 }] };
  const trust = { proxy: ["127.0.0.1"], xclient: [], xforward: [] };

  test.each([
    ["a balancer that says nothing", { trust }, 0, ""],
    ["a balancer that begins its header", { trust }, 0, "PROXY TCP4 "],
    ["a client that begins a handshake", { tls }, 1, "\x16\x03"],
    ["a client that never begins one", { tls }, 1, ""],
  ])("%s is dropped at the idle deadline", async (_, settings, at, bytes) => {
    await using run = await startListener({ settings: { ...settings, idleTimeoutMs: 150 } });
    const talk = await Talk.open(run.ports[at] ?? 0);
    if (bytes !== "") talk.write(Buffer.from(bytes, "latin1"));
    await talk.rest();
    expect(talk.isClosed).toBe(true);
  });

  test("those of one address that never finish a handshake are limited, and keep nobody else out", async () => {
    await using run = await startListener({
      settings: { tls, maxConnectionsPerAddress: 2, maxConnections: 4 },
    });
    const port = run.ports[1] ?? 0;
    const talks = [await Talk.open(port), await Talk.open(port)];
    const tooMany = await Talk.open(port);
    await tooMany.rest();
    expect(talks.map(({ isClosed }) => isClosed)).toEqual([false, false]);
    const others = ["127.0.0.2", "127.0.0.3"].map((localAddress) => connect({ port, localAddress }));
    await eventually(() => others.every(({ readyState }) => readyState === "open"));
    const inAll = connect({ port, localAddress: "127.0.0.4" });
    await new Promise((resolve) => inAll.once("close", resolve));
    expect(run.listener.counts.refused).toMatchObject({ address: 1, connections: 1 });
    for (const socket of [...others, ...talks.map((talk) => talk.socket)]) socket.destroy();
    const secured = await eventually(() => Talk.openTls(port));
    expect(await secured.reply()).toMatch(/^220/);
  });

  test("a byte now and then does not keep a balancer's header open for ever", async () => {
    await using run = await startListener({ settings: { trust, idleTimeoutMs: 200 } });
    const talk = await Talk.open(run.port);
    talk.write("PROXY TCP4 ");
    const drip = setInterval(() => talk.write("1"), 50);
    await talk.rest();
    clearInterval(drip);
    expect(talk.isClosed).toBe(true);
  });
});
