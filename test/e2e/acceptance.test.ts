// The acceptance list of the CDO reference (8.1): the items that need the transport. The others are in test/sandbox/worker.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send, sendAll } from "../support/smtp-client.ts";

/** A script that marks the message; `lines` run before the mark is saved. */
const marking = (mark: string, binding: string, lines = ""): string => `
export const binding = ${binding};
export default function onArrival(msg, status) {
  const mark = msg.Fields("urn:schemas:mailheader:x-${mark}");
  mark.Value = "fired";
  msg.Fields.Update();
  ${lines}
  msg.DataSource.Save();
}`;

const STATUS = (value: number, update: string): string => `
  msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = ${value};
  ${update}`;

test("3. messagestatus=2 without Update → delivered; with → gone, no NDR; 3 → Badmail file", async () => {
  await using service = await startService({
    config: {},
    scripts: {
      "a-forgets.js": marking("forgot", `{ rule: "RCPT TO=forgets@localhost" }`, STATUS(2, "")),
      "b-aborts.js": marking(
        "abort",
        `{ rule: "RCPT TO=aborts@localhost" }`,
        STATUS(2, "msg.EnvelopeFields.Update();"),
      ),
      "c-badmail.js": marking(
        "bad",
        `{ rule: "RCPT TO=bad@localhost" }`,
        STATUS(3, "msg.EnvelopeFields.Update();"),
      ),
    },
  });
  await sendAll(
    service.port,
    ["aborts", "bad", "forgets"].map((name) => ({
      to: `${name}@localhost`,
      data: plainMessage(`to ${name}`),
    })),
  );
  const [delivered] = await service.dropped(1);
  expect(delivered?.content.toString()).toMatch(/^Subject: to forgets\r?$/m);
  const badmail = await eventually(
    async () => {
      const files = await service.badmail();
      return files.find((file) => file.content.includes("Subject: to bad"));
    },
    { timeoutMs: 10_000, what: "a file in Badmail" },
  );
  expect(badmail.content.toString()).toContain("x-bad: fired");
  await eventually(async () => (await service.queue()).length === 0, {
    timeoutMs: 10_000,
    what: "an empty queue",
  });
  // Neither the aborted message nor a report about it.
  expect(await service.drop()).toHaveLength(1);
});

test("4. Rule `rcpt to=*@a.com;mail from=boss*` → OR; case-insensitive; any recipient", async () => {
  await using service = await startService({
    config: {},
    scripts: { "rule.js": marking("rule", `{ rule: "rcpt to=*@a.com;mail from=boss*" }`) },
  });
  await sendAll(service.port, [
    { from: "x@y.com", to: ["n@b.com", "N@A.COM"], data: plainMessage("second recipient") },
    { from: "BOSS.lady@y.com", to: "n@b.com", data: plainMessage("sender only") },
    { from: "x@boss.com", to: "a.com@b.com", data: plainMessage("neither") },
  ]);
  const files = (await service.dropped(3)).map((file) => file.content.toString());
  const fired = (subject: string): boolean =>
    /^x-rule: fired\r?$/im.test(files.find((text) => text.includes(`Subject: ${subject}`)) ?? "");
  expect([fired("second recipient"), fired("sender only"), fired("neither")]).toEqual([true, true, false]);
});

// A message store beside the transport (MAPI) does not exist here; what enters by neither SMTP nor Pickup is the
// service's own report. No copy is made of it: a sink without a rule has it like any other message.
test("5. Rule present + message injected through the “store” path → sink does not fire; no rule → fires", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = (address) => (address === "gone@example.org" ? "550 5.1.1 no such user here" : undefined);
  await using service = await startService({
    scripts: {
      "always.js": marking("always", `{ priority: 1 }`),
      "ruled.js": marking("ruled", `{ rule: "EHLO=*", priority: 2 }`),
    },
    config: serviceConfig({ smartHostPort: hop.port }),
  });
  await send(service.port, {
    from: "sender@localhost",
    to: "gone@example.org",
    data: plainMessage("bounces"),
  });
  const [report] = await service.dropped(1);
  const head = report?.content.toString().split(/\r?\n\r?\n/, 1)[0] ?? "";
  expect(head).toMatch(/^x-always: fired\r?$/im);
  expect(head).not.toMatch(/^x-ruled:/im);
});

test("6. EventStatus=1 at priority 100 → sinks at 100 (later) and above do not run", async () => {
  await using service = await startService({
    config: {},
    scripts: {
      "a.js": marking("a", "{ priority: 50 }"),
      "b.js": marking("b", "{ priority: 100 }", "status.Value = cdoSkipRemainingSinks;"),
      "c.js": marking("c", "{ priority: 100 }"),
      "d.js": marking("d", "{ priority: 200 }"),
    },
  });
  await send(service.port, { data: plainMessage("chain") });
  const [file] = await service.dropped(1);
  const marks = [...(file?.content.toString() ?? "").matchAll(/^x-([a-d]): fired/gim)].map(
    (match) => match[1],
  );
  expect(new Set(marks)).toEqual(new Set(["a", "b"]));
});

test("8. AddAttachment to an alternative message → mixed(alternative, attachment)", async () => {
  const tree = `const tree = (p) => p.ContentMediaType + (p.BodyParts.Count === 0 ? "" : "(" + [...p.BodyParts].map(tree).join(", ") + ")");`;
  await using service = await startService({
    scripts: {
      "add.js": `function onArrival(msg) { ${tree} msg.AddAttachment("assets/note.txt"); msg.Fields(cdoNSMailHeader + "x-tree").Value = tree(msg.BodyPart); msg.Fields.Update(); msg.DataSource.Save(); }`,
      "assets/note.txt": "a note",
    },
    config: serviceConfig({
      bindings: [
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "add.js" },
          allow: { read: ["assets/**"] },
        },
      ],
    }),
  });
  const parts = [
    "--a\r\nContent-Type: text/plain\r\n\r\nplain\r\n",
    "--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--",
  ];
  const type = 'Content-Type: multipart/alternative; boundary="a"';
  await send(service.port, {
    data: plainMessage("alternative", parts.join(""), ["MIME-Version: 1.0", type]),
  });
  const [file] = await service.dropped(1);
  const text = file?.content.toString() ?? "";
  expect(text.replaceAll(/\r\n[ \t]+/g, " ")).toMatch(
    /^x-tree: multipart\/mixed\(multipart\/alternative\(text\/plain, text\/html\), text\/plain\)\r?$/im,
  );
  expect(text).toContain(parts.join(""));
  expect(text).toContain(Buffer.from("a note").toString("base64"));
});
