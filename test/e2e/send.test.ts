// Mail that scripts send: into the queue of the real service, by capability, all or nothing, and never in circles.
import { expect, test } from "vitest";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const binding = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  event: "OnArrival",
  sinkClass: "CDO.SS_SMTPOnArrivalSink",
  sinkProperties: { ScriptName: script },
  ...more,
});

const config = (...bindings: readonly Record<string, unknown>[]): Record<string, unknown> =>
  serviceConfig({ localDomains: ["localhost", "example.com", "example.org"], bindings });

const ANSWER = `
  const answer = msg.Reply();
  answer.From = "robot@example.org";
  answer.BCC = "copy@example.org";
  answer.Send();`;

test("an answer of a script is delivered, carries its guard, and hides the blind copy", async () => {
  await using service = await startService({
    scripts: {
      "answer.js": `function onArrival(msg) { if (msg.EnvelopeFields(cdoClientIPAddress) == "") return; ${ANSWER} }`,
    },
    config: config(binding("answer.js", { allow: { send: true } })),
  });
  await send(service.port, { data: plainMessage("Question") });
  const texts = (await service.dropped(2)).map((file) => file.content.toString());
  const answer = texts.find((text) => text.includes("Subject: RE: Question")) ?? "";
  expect(answer).toMatch(/^X-OnArrival-Sent-By: answer\.js; hops=1\r?$/m);
  expect(answer).toMatch(/^In-Reply-To: <Question@example\.com>\r?$/m);
  expect(answer).toContain("sender@example.com");
  expect(answer).not.toMatch(/^Bcc:/im);
  expect(texts.filter((text) => text.includes("copy@example.org")).length).toBeGreaterThan(0);
});

test("without the capability the script fails, its message is held, and the reason names what is missing", async () => {
  await using service = await startService({
    scripts: { "answer.js": `function onArrival(msg) { ${ANSWER} }` },
    config: config(binding("answer.js")),
  });
  await send(service.port, { data: plainMessage("Question") });
  await service.logged(/allow: \{ send: true \}/);
  expect(await service.drop()).toEqual([]);
  expect(await service.queue()).toMatchObject([{ state: "held" }]);
});

test("nothing is sent by a script that is followed by one that fails", async () => {
  await using service = await startService({
    scripts: {
      "a.js": `function onArrival(msg) { ${ANSWER} }`,
      "b.js": `function onArrival() { throw new Error("no") }`,
    },
    config: config(
      binding("a.js", { allow: { send: true }, sourceProperties: { priority: 1 } }),
      binding("b.js", { sourceProperties: { priority: 2 } }),
    ),
  });
  await send(service.port, { data: plainMessage("Question") });
  await service.logged(/message held/);
  expect(await service.drop()).toEqual([]);
  expect(await service.queue()).toHaveLength(1);
});

test("scripts that answer each other end after limits.sendHops messages", async () => {
  await using service = await startService({
    scripts: { "loop.js": `function onArrival(msg) { ${ANSWER} }` },
    config: config(
      binding("loop.js", { allow: { send: true }, onError: "continue", limits: { sendHops: 2 } }),
    ),
  });
  await send(service.port, { data: plainMessage("Question") });
  await service.logged(/limits\.sendHops/);
  const texts = (await service.dropped(3)).map((file) => file.content.toString());
  const hops = texts.map((text) => Number(/hops=(\d+)/.exec(text)?.[1] ?? 0));
  expect(Math.max(...hops)).toBe(2);
  expect(await service.queue()).toEqual([]);
});
