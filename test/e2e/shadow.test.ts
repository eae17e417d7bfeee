// Shadow bindings on the real service: they see live mail, change nothing of it, and what they would have done is compared.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ShadowSummary, addShadow, emptySummary } from "../../src/cli/shadow-summary.ts";
import { callControl } from "../../src/admin/control-client.ts";
import { shadowLines } from "../../src/observe/effect-search.ts";
import { ask } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

/** Live: tags every message. The candidate tags otherwise when the subject is even. */
const LIVE = `
export const binding = { priority: 10, rule: "RCPT TO=*@localhost" };
export default function onArrival(msg) {
  msg.Subject += " live";
  msg.DataSource.Save();
}`;
const NEXT = `
export const binding = { mode: "shadow", rule: "RCPT TO=*@localhost" };
export default function onArrival(msg) {
  msg.Subject += /[02468]$/.test(msg.Subject) ? " next" : " live";
  msg.DataSource.Save();
}`;

/** What `scripts diff` adds up, when `messages` runs are recorded. Read here: the command would be a process for each look. */
function summed(service: Service, name: string, messages: number): Promise<ShadowSummary> {
  return eventually(
    async () => {
      let summary: ShadowSummary | undefined;
      for await (const line of shadowLines(join(service.mailroot, "Effects"))) {
        if (line.shadow.name !== name) continue;
        summary ??= emptySummary(line);
        addShadow(summary, line);
      }
      return summary !== undefined && summary.messages >= messages && summary;
    },
    { what: `${messages} shadow runs of ${name}`, timeoutMs: 20_000 },
  );
}

async function sendAll(service: Service, subjects: readonly string[]): Promise<void> {
  for (const subject of subjects) {
    // oxlint-disable-next-line no-await-in-loop -- the order of the files in Drop is asserted
    const { code } = await send(service.port, { to: "someone@localhost", data: plainMessage(subject) });
    expect(code).toBe(250);
  }
}

const subjectsOf = async (service: Service, count: number): Promise<(string | undefined)[]> =>
  (await service.dropped(count)).map(
    ({ content }) => /^Subject: (.*)\r$/m.exec(content.toString("latin1"))?.[1],
  );

test("a shadow gets the message that the live script gets, and scripts diff tells where they differ", async () => {
  await using service = await startService({
    scripts: {
      "first.js": `
export const binding = { priority: 1 };
export default function onArrival(msg) {
  msg.Fields("urn:schemas:mailheader:x-first").Value = "yes";
  msg.Fields.Update();
  msg.DataSource.Save();
}`,
      "tag.js": LIVE,
      "tag.next.js": NEXT,
    },
  });
  const subjects = ["m1", "m2", "m3", "m4"];
  await sendAll(service, subjects);
  expect(await subjectsOf(service, 4)).toEqual(subjects.map((subject) => `${subject} live`));
  const summary = await summed(service, "tag.next.js", 4);
  expect(summary).toMatchObject({
    name: "tag.next.js",
    live: "tag.js",
    messages: 4,
    compared: 4,
    different: 2,
    differs: { content: 2 },
    shadow: { verdicts: { "0": 4 }, faults: {}, changes: { "header Subject": 4 } },
    liveSide: { verdicts: { "0": 4 }, changes: { "header Subject": 4 } },
  });
  expect(summary.samples).toHaveLength(2);
  const id = summary.samples[0] ?? "";
  const told = await ask(service, "explain", id);
  expect(told.stdout).toContain("tag.next.js [shadow]: run in shadow");
  expect(told.stdout).toContain("differs from tag.js in content");
  const text = (await ask(service, "scripts", "diff", "tag.js")).stdout;
  expect(text).toMatch(/different +2 of 4 compared \(50\.0 %\)/);
  expect(text).toContain(id);
});

test("a shadow behind the live script is not compared, and that may be why", async () => {
  const behind = NEXT.replace('mode: "shadow"', 'mode: "shadow", priority: 20');
  await using service = await startService({ scripts: { "tag.js": LIVE, "tag.next.js": behind } });
  await sendAll(service, ["m1"]);
  expect(await summed(service, "tag.next.js", 1)).toMatchObject({
    compared: 0,
    notCompared: { "the live binding was not called on this message, or comes before the shadow": 1 },
  });
});

test("a large message is there for its shadow after it was delivered, and no longer", async () => {
  const slow = LIVE.replace(
    "priority: 10",
    'mode: "shadow", limits: { timeoutMs: 20000, cpuMs: 20000 }',
  ).replace(
    "msg.Subject +=",
    "for (const until = Date.now() + 500; Date.now() < until;);\n  console.log(msg.TextBody.length);\n  msg.Subject +=",
  );
  await using service = await startService({ scripts: { "tag.js": LIVE, "tag.next.js": slow } });
  const large = `${plainMessage("m1")}${`${"x".repeat(70)}\r\n`.repeat(40_000)}`;
  expect((await send(service.port, { to: "someone@localhost", data: large })).code).toBe(250);
  await service.dropped(1);
  expect(await summed(service, "tag.next.js", 1)).toMatchObject({ compared: 1, different: 0 });
  expect(service.log.filter((line) => /ended|lost|failed/.test(line))).toEqual([]);
  await eventually(async () => (await readdir(join(service.mailroot, "Queue", "content"))).length === 0, {
    what: "an empty folder of contents",
  });
});

test("a message that a suspended shadow was not run on is no difference", async () => {
  const loops = NEXT.replace("msg.Subject +=", "for (;;);\n  msg.Subject +=").replace(
    "mode:",
    "limits: { timeoutMs: 200, cpuMs: 200 }, mode:",
  );
  await using service = await startService({
    config: serviceConfig({ file: { sandbox: { strikes: 1 } } }),
    scripts: { "tag.js": LIVE, "tag.next.js": loops },
  });
  await sendAll(service, ["m1"]);
  await summed(service, "tag.next.js", 1);
  await sendAll(service, ["m2"]);
  expect(await summed(service, "tag.next.js", 2)).toMatchObject({
    compared: 1,
    different: 1,
    notCompared: { "one of the two was suspended, and not run": 1 },
  });
});

test("shadow runs that the end of the service cuts off are no differences", async () => {
  const slow = NEXT.replace(
    "msg.Subject +=",
    "for (const until = Date.now() + 700; Date.now() < until;);\n  msg.Subject +=",
  );
  await using service = await startService({ scripts: { "tag.js": LIVE, "tag.next.js": slow } });
  const subjects = ["m1", "m3", "m5", "m7"];
  await sendAll(service, subjects);
  await service.dropped(4);
  expect(await service.kill("SIGTERM")).toBe(0);
  const summary = await summed(service, "tag.next.js", 4);
  expect(summary.different).toBe(0);
  expect(Object.keys(summary.notCompared)).toEqual([
    "no process could be had to run it, as when the service stops",
  ]);
});

test("a shadow that throws, loops, sends, redirects or discards leaves live mail byte for byte as it is", async () => {
  const shadow = (body: string, limits = {}): string => `
export const binding = { mode: "shadow", compareWith: "tag.js", limits: ${JSON.stringify(limits)} };
export default function onArrival(msg) { ${body} }`;
  const granted = (name: string): Record<string, unknown> => ({
    event: "OnArrival",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    sinkProperties: { ScriptName: name },
    allow: { send: true },
  });
  const live = { "tag.js": LIVE };
  const shadows = {
    "throws.js": shadow(`throw new Error("in shadow");`),
    "loops.js": shadow(`for (;;);`, { timeoutMs: 300, cpuMs: 300 }),
    "edits.js": shadow(`
      msg.TextBody = "replaced"; msg.Subject = "replaced"; msg.DataSource.Save();
      msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = "SMTP:else@localhost;";
      msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = 2;
      msg.EnvelopeFields.Update();`),
    "sends.js": shadow(`
      const mail = new CDO.Message();
      mail.From = "robot@localhost"; mail.To = "else@localhost"; mail.Subject = "never"; mail.TextBody = "x";
      mail.Send();`),
  };
  const withoutDates = (content: Buffer): string =>
    content.toString("latin1").replaceAll(/^(?:Received|x-createdby|x-arrival).*\r\n(?:[ \t].*\r\n)*/gim, "");
  const dropsOf = async (
    scripts: Record<string, string>,
    bindings: Record<string, unknown>[],
  ): Promise<string[]> => {
    await using service = await startService({ config: serviceConfig({ bindings }), scripts });
    await sendAll(service, ["a", "b", "c"]);
    const files = await service.dropped(3);
    if (bindings.length > 0) {
      const throws = await summed(service, "throws.js", 3);
      expect(throws.shadow.faults).toEqual({ throw: throws.messages });
      expect(throws.differs).toEqual({ fault: throws.compared });
      expect((await summed(service, "loops.js", 3)).shadow.faults).toHaveProperty("timeout");
      const edits = await summed(service, "edits.js", 3);
      expect(Object.keys(edits.differs).toSorted()).toEqual(["content", "recipients", "status"]);
      expect((await summed(service, "sends.js", 3)).differs).toHaveProperty("sent messages");
      // Strikes count against the shadow: the live script was never in doubt.
      expect(service.log.filter((line) => /suspended/.test(line) && !/"shadow":true/.test(line))).toEqual([]);
      expect(await service.queue()).toEqual([]);
      expect(await service.drop()).toHaveLength(3);
    }
    return files.map(({ content }) => withoutDates(content));
  };
  const alone = await dropsOf(live, []);
  const beside = await dropsOf({ ...live, ...shadows }, [granted("sends.js")]);
  expect(beside).toEqual(alone);
});

test("what a shadow says, how it fails and that it is suspended is told of its script", async () => {
  const failing = (body: string): string => `
export const binding = { mode: "shadow", limits: { timeoutMs: 200, cpuMs: 200 } };
export default function onArrival(msg) { console.log("saw", msg.Subject); ${body} }`;
  await using service = await startService({
    config: serviceConfig({ file: { sandbox: { strikes: 1 } } }),
    scripts: { "throws.js": failing(`throw new Error("boom");`), "loops.js": failing("for (;;);") },
  });
  await sendAll(service, ["a"]);
  await summed(service, "throws.js", 1);
  await summed(service, "loops.js", 1);
  const said = (await ask(service, "scripts", "log", "throws.js")).stdout;
  expect(said).toMatch(/info +\[[0-9a-f]{16} \S+ in shadow\] saw a\n/);
  expect(said).toMatch(/error +\[[0-9a-f]{16} \S+ in shadow\] throw: throws\.js:3:\d+: Error: boom\n/);
  await service.logged(/boom.*"msg":"script failed in shadow"/);
  const list = (await ask(service, "scripts", "list")).stdout;
  expect(list).toMatch(/\nthrows\.js +\S+ +\S+ +live +1 +1 /);
  expect(list).toMatch(/\nloops\.js +\S+ +\S+ +suspended in shadow +1 +1 /);
  expect(list).toContain("loops.js is suspended in shadow: onarrival scripts show loops.js");
  expect((await ask(service, "scripts", "show", "loops.js")).stdout).toMatch(
    /\nsuspended +in shadow, nothing else: \S+ timeout: loops\.js:3:/,
  );
  expect(await callControl(service.mailroot, "status")).toMatchObject({
    suspendedScripts: ["loops.js (in shadow)"],
  });
});

test("a native sink in shadow is refused, and so is compareWith on a live binding", async () => {
  await using service = await startService({
    config: serviceConfig({
      bindings: [
        { event: "OnArrival", sinkClass: "OnArrival.AddHeader", mode: "shadow" },
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "x.js" },
          mode: "live",
          compareWith: "y.js",
        },
      ],
    }),
    waitForReady: false,
  });
  await service.exited;
  const said = service.log.join("\n");
  expect(said).toMatch(/bindings\[0\]\.mode.*only scripts can run as shadow/);
  expect(said).toMatch(/bindings\[1\]\.compareWith.*is for bindings with mode: shadow/);
});
