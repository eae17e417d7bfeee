// Mail that scripts send: into the queue of the real service, by capability, all or nothing, and never in circles.
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const binding = (
  script: string,
  rule: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  event: "OnArrival",
  displayName: script,
  sinkClass: "CDO.SS_SMTPOnArrivalSink",
  sinkProperties: { ScriptName: script },
  sourceProperties: { rule },
  ...more,
});

const answer = (from: string, more = ""): string => `function onArrival(msg) {
  ${more}
  const answer = msg.Reply();
  answer.From = "${from}";
  answer.BCC = "copy@example.org";
  answer.Send();
}`;
const allow = { send: true };

let service: Service;
beforeAll(async () => {
  service = await startService({
    scripts: {
      "answer.js": answer("answer@example.org"),
      "denied.js": answer("denied@example.org"),
      // Another recipient ends the run: the next script comes in a run of its own.
      "first.js": answer(
        "failing@example.org",
        `const f = msg.EnvelopeFields(cdoRecipientList); f.Value += "SMTP:more@example.org;"; msg.EnvelopeFields.Update();`,
      ),
      "gone.js": answer(
        "gone@example.org",
        `msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatAbortDelivery; msg.EnvelopeFields.Update();`,
      ),
      "second.js": `function onArrival() { throw new Error("no") }`,
      "loop.js": answer("loop@example.org"),
    },
    config: serviceConfig({
      localDomains: ["localhost", "example.com", "example.org"],
      bindings: [
        binding("answer.js", "RCPT TO=answer@example.org", { allow }),
        binding("denied.js", "RCPT TO=denied@example.org"),
        binding("first.js", "RCPT TO=failing@example.org", { allow }),
        binding("second.js", "RCPT TO=failing@example.org"),
        binding("gone.js", "RCPT TO=gone@example.org", { allow }),
        binding("loop.js", "RCPT TO=loop@example.org", {
          allow,
          onError: "continue",
          limits: { sendHops: 2 },
        }),
      ],
    }),
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const texts = async (): Promise<string[]> => (await service.drop()).map((file) => file.content.toString());
const withSubject = (subject: string, count: number): Promise<string[]> =>
  eventually(
    async () => {
      const found = (await texts()).filter((text) => text.includes(`Subject: ${subject}`));
      return found.length >= count && found;
    },
    { what: `${count} messages with the subject ${subject}`, timeoutMs: 15_000 },
  );

test("an answer of a script is delivered, carries its guard, and hides the blind copy", async () => {
  await send(service.port, { to: "answer@example.org", data: plainMessage("Question") });
  const [text = ""] = await withSubject("RE: Question", 1);
  expect(text).toMatch(/^X-OnArrival-Sent-By: answer\.js; hops=1\r?$/m);
  expect(text).toMatch(/^In-Reply-To: <Question@example\.com>\r?$/m);
  expect(text).toMatch(/^To: .*sender@example\.com/m);
  expect(text).not.toMatch(/^Bcc:/im);
  expect(text).toContain("copy@example.org");
});

test("without the capability the script fails, its message is held, and the reason names what is missing", async () => {
  await send(service.port, { to: "denied@example.org", data: plainMessage("Denied") });
  await service.logged(/allow: \{ send: true \}/);
  await eventually(async () => (await service.queue()).some(({ reason }) => reason?.includes("denied.js")));
  expect((await texts()).filter((text) => text.includes("Denied"))).toEqual([]);
});

test("nothing is sent by a script that is followed by one that fails", async () => {
  await send(service.port, { to: "failing@example.org", data: plainMessage("Failing") });
  await eventually(async () => (await service.queue()).some(({ reason }) => reason?.includes("second.js")));
  expect((await texts()).filter((text) => text.includes("Failing"))).toEqual([]);
});

test("a message that a script answers and deletes is answered and gone", async () => {
  await send(service.port, { to: "gone@example.org", data: plainMessage("Gone") });
  const found = await withSubject("RE: Gone", 1);
  expect(found).toHaveLength(1);
  expect((await texts()).filter((text) => text.includes("Subject: Gone\r\nDate"))).toEqual([]);
});

test("X25 a script that answers its own answers ends after limits.sendHops messages", async () => {
  const data = plainMessage("Circle").replace("sender@example.com", "loop@example.org");
  await send(service.port, { to: "loop@example.org", data });
  await service.logged(/limits\.sendHops/);
  const found = await withSubject("RE: Circle", 2);
  const hops = found.map((text) => Number(/hops=(\d+)/.exec(text)?.[1] ?? 0));
  expect(Math.max(...hops)).toBe(2);
});
