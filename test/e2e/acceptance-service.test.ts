// The acceptance list of the CDO reference (8.1): items 11 and 13 to 15, all on one running service. 12 is in max-firings.test.ts.
import { chmod, readdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { smtpregCommand } from "../../src/cli/smtpreg.ts";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { type CommandRun, runInProcess } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, type StoredFile, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

const FOO_VERB = path.resolve("docs/sinks/foo-verb.ts");
const HOPS = 4;

let hop: CaptureServer;
let service: Service;

beforeAll(async () => {
  hop = await startCaptureServer();
  hop.script.rcpt = (address) => {
    if (address.startsWith("gone")) return "550 5.1.1 nobody of that name";
    return address.startsWith("slow") ? "451 4.2.0 later" : undefined;
  };
  service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["example.com"],
      server: {
        limits: { maxHops: HOPS },
        retry: { glitchRetries: 0, intervalsMinutes: [0.01], delayNoticeMinutes: 0.01, expireMinutes: 100 },
      },
      bindings: [
        {
          displayName: "foo",
          event: "OnInboundCommand",
          sinkClass: FOO_VERB,
          sourceProperties: { rule: "XFOO", priority: 1000 },
        },
        {
          displayName: "foo keyword",
          event: "OnInboundCommand",
          sinkClass: FOO_VERB,
          sourceProperties: { rule: "EHLO", priority: 28_000 },
        },
      ],
    }),
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await hop[Symbol.asyncDispose]();
});

/** The message of Drop or Badmail that holds the text. */
function found(where: () => Promise<StoredFile[]>, text: string): Promise<string> {
  return eventually(
    async () => {
      const file = (await where()).find(
        ({ name, content }) => !name.endsWith(".BDP") && content.includes(text),
      );
      return file?.content.toString("latin1");
    },
    { what: `a file with ${text}`, timeoutMs: 15_000 },
  );
}

const dropped = (text: string): Promise<string> => found(() => service.drop(), text);
const bad = (text: string): Promise<string> => found(() => service.badmail(), text);

async function pickUp(name: string, lines: readonly string[], mode = 0o644): Promise<void> {
  const beside = path.join(service.folder, `writing-${name}`);
  await writeFile(beside, lines.map((line) => `${line}\r\n`).join(""));
  await chmod(beside, mode);
  await rename(beside, path.join(service.mailroot, "Pickup", name));
}

test("11. Pickup file with x-sender/x-receiver vs headers only; Bcc removal; read-only file", async () => {
  const headers = [
    "From: alice@example.com",
    "To: bob@example.com",
    "Cc: carol@example.com",
    "Bcc: secret@example.com",
  ];
  await pickUp("headers.eml", [...headers, "Subject: headers only", "", "body"]);
  const lines = ["x-sender: eve@example.com", "X-Receiver: dan@example.com"];
  await pickUp("lines.eml", [...lines, ...headers, "Subject: envelope lines", "", "body"]);
  await pickUp("read-only.eml", [...headers, "Subject: read-only", "", "body"], 0o444);

  const byHeaders = await dropped("Subject: headers only");
  expect(byHeaders).toMatch(/^x-sender: alice@example\.com\r$/im);
  expect(byHeaders.match(/^x-receiver: .*(?=\r$)/gim)?.toSorted()).toEqual([
    "x-receiver: bob@example.com",
    "x-receiver: carol@example.com",
    "x-receiver: secret@example.com",
  ]);
  expect(byHeaders).not.toMatch(/^Bcc:/im);

  const byLines = await dropped("Subject: envelope lines");
  expect(byLines).toMatch(/^x-sender: eve@example\.com\r$/im);
  expect(byLines.match(/^x-receiver: .*(?=\r$)/gim)).toEqual(["x-receiver: dan@example.com"]);
  // The header was not asked for recipients: it stays as its author wrote it.
  expect(byLines).toMatch(/^To: bob@example\.com\r$/m);

  // The original sent it again and again, because it could not remove it.
  await dropped("Subject: read-only");
  await eventually(async () => (await readdir(path.join(service.mailroot, "Pickup"))).length === 0, {
    what: "an empty Pickup",
  });
  const copies = (await service.drop()).filter(({ content }) => content.includes("Subject: read-only"));
  expect(copies).toHaveLength(1);
});

const smtpreg = (...args: readonly string[]): Promise<CommandRun> =>
  runInProcess([smtpregCommand], ["smtpreg", "-c", service.configFile, ...args]);

test("13. smtpreg `/add` default priority, 7th argument, GUID vs name, case rules, `/enum` layout; picked up by the running service", async () => {
  const guid = "{871736C0-FD85-11D0-869A-00C04FD65616}";
  const added = await smtpreg("/Add", "1", "onarrival", "Marks", "OnArrival.AddHeader", "rcpt to=marked*");
  expect(added.out).toContain("   Priority  :24575 (0 - 32767, default: 24575)");
  await smtpreg("/setprop", "1", "ONARRIVAL", "Marks", "sink", "Name", "X-Marked");
  await smtpreg("/setprop", "1", "OnArrival", "Marks", "Sink", "Value", "by smtpreg");
  const byGuid = await smtpreg(
    "/add",
    "1",
    "OnTransportSubmission",
    guid,
    "OnArrival.AddHeader",
    "ehlo=none",
    "7",
  );
  expect(byGuid.out).toContain(` Binding GUID:${guid}`);
  expect((await smtpreg("/disable", "1", "OnArrival", "marks")).out).toContain("Failed to find binding");
  const { out } = await smtpreg("/enum");
  expect(out).toContain(
    [
      "                       | Binding |",
      "                        ---------",
      "                                   Event: SMTP OnTransportSubmission/OnArrival",
      `                                      ID: ${guid}`,
      "                                    Name: OnArrival.AddHeader",
      "                               SinkClass: OnArrival.AddHeader",
      "                                 Enabled: True",
      "                        SourceProperties: {",
      "                                           Rule = ehlo=none",
      "                                           Priority = 7",
      "                                          }",
    ].join("\n"),
  );
  let attempt = 0;
  await eventually(
    async () => {
      attempt += 1;
      const subject = `attempt ${attempt}`;
      await send(service.port, { to: "marked@example.com", data: plainMessage(subject) });
      return (await dropped(`Subject: ${subject}\r\n`)).includes("X-Marked: by smtpreg");
    },
    { what: "a message past the new binding", timeoutMs: 15_000, intervalMs: 100 },
  );
});

test("14. Protocol sink on `XFOO` returns CONSUMED; without a sink → 500; EHLO line added by a sink after the native handler", async () => {
  await using talk = conversation(service.port);
  await talk.expects(220);
  const offer = await talk.sends("EHLO client.example.com").expects(250);
  expect(offer.text.split("\n").slice(-2)).toEqual(["XFOO", "OK"]);
  expect((await talk.sends("XFOO bar").expects(250)).text).toBe("2.0.0 foo bar");
  await talk.sends("XBAR bar").expects(500);
});

test("15. Hop limit by Received count; delay DSN; NDR of NDR → Badmail", async () => {
  const received = Array.from(
    { length: HOPS + 1 },
    (_, index) => `Received: from hop${index}; Thu, 1 Jan 2026 00:00:00 +0000`,
  );
  await expect(
    send(service.port, { to: "bob@example.com", data: plainMessage("round and round", "body", received) }),
  ).rejects.toThrow(/554 5\.4\.6/);
  await send(service.port, {
    from: "alice@example.com",
    to: "slow@example.org",
    data: plainMessage("waits for long"),
  });
  const notice = await dropped("Action: delayed");
  expect(notice).toMatch(/^x-receiver: alice@example\.com\r$/im);
  expect(notice).toMatch(/^Final-Recipient: rfc822; ?slow@example\.org\r$/im);
  // Its sender does not exist either: the report on the report would begin a loop.
  await send(service.port, {
    from: "gone@example.net",
    to: "gone@example.org",
    data: plainMessage("nobody"),
  });
  const report = await bad("multipart/report");
  expect(report).toMatch(/^Action: failed\r$/im);
  expect(report).toContain("gone@example.org");
});
