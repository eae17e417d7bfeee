// Scripts and native sinks in one chain: rules are evaluated anew after each sink, and each sees what the earlier ones committed.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const ENVELOPE = "http://schemas.microsoft.com/cdo/smtpenvelope/";

const tagging = (rule: string, priority: number, tag: string): string => `
export const binding = { rule: "${rule}", priority: ${priority} };
export default function onArrival(msg) {
  msg.Fields("urn:schemas:mailheader:x-${tag}").Value = msg.Subject;
  msg.Fields.Update();
  msg.Subject += " ${tag}";
  msg.DataSource.Save();
}`;

test("a script that adds a recipient brings later scripts in by their rules", async () => {
  await using service = await startService({
    config: {},
    scripts: {
      "a-adds.js": `
export const binding = { rule: "RCPT TO=first@localhost", priority: 1 };
export default function onArrival(msg) {
  const list = msg.EnvelopeFields("${ENVELOPE}recipientlist");
  list.Value += "SMTP:second@localhost;";
  msg.EnvelopeFields.Update();
  msg.Subject += " adds";
  msg.DataSource.Save();
}`,
      "b-second.js": tagging("RCPT TO=second@localhost", 2, "second"),
      "c-other.js": tagging("RCPT TO=other@localhost", 3, "other"),
      "d-first.js": tagging("RCPT TO=first@localhost", 4, "first"),
    },
  });
  expect((await send(service.port, { to: "first@localhost", data: plainMessage("chain") })).code).toBe(250);
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  expect(text).toContain("x-receiver: second@localhost");
  expect(text).toMatch(/^x-second: chain adds\r$/im);
  expect(text).toMatch(/^x-first: chain adds second\r$/im);
  expect(text).toMatch(/^Subject: chain adds second first\r$/m);
  expect(text).not.toMatch(/^x-other/im);
});

test("the smallest sink works as it is printed, and a module may name its event OnArrival", async () => {
  await using folder = await tempFolder("native");
  const arrival = join(folder.path, "arrival.mjs");
  await writeFile(
    arrival,
    `export default { event: "OnArrival", onEvent: (msg) => msg.headers.add("X-Arrival", true) };`,
  );
  const relay = fileURLToPath(new URL("../../docs/sinks/relay-header.ts", import.meta.url));
  await using service = await startService({
    config: serviceConfig({
      bindings: [
        { displayName: "text", event: "OnTransportSubmission", sinkClass: relay },
        {
          displayName: "number",
          event: "OnTransportSubmission",
          sinkClass: relay,
          sinkProperties: { name: 7 },
        },
        { displayName: "arrival", event: "OnArrival", sinkClass: arrival },
      ],
    }),
  });
  for (const to of ["b@example.com", "b@localhost"])
    // oxlint-disable-next-line no-await-in-loop -- in this order
    expect((await send(service.port, { to, data: plainMessage("printed") })).code).toBe(250);
  const texts = (await service.dropped(2)).map(({ content }) => content.toString("latin1"));
  const [rule = "", other = ""] = texts.sort((a, b) => b.length - a.length);
  expect(rule).toMatch(/^X-Relay: edge-1\r\nX-Relay: 7\r\nX-Arrival: true\r$/m);
  expect(other).toMatch(/^X-Arrival: true\r$/m);
  expect(other).not.toContain("X-Relay");
});

test("a native sink from a file takes its place between two scripts", async () => {
  await using folder = await tempFolder("native");
  const sink = join(folder.path, "count.ts");
  await writeFile(
    sink,
    `import { defineSink, sinkResult } from "onarrival";
export default defineSink({
  event: "OnTransportSubmission",
  onEvent(msg, { properties }) {
    msg.headers.add(properties.text("header", "X-Count"), String(msg.recipients.count));
    return sinkResult.runNext;
  },
});`,
  );
  await using service = await startService({
    config: serviceConfig({
      bindings: [
        {
          displayName: "count",
          event: "OnArrival",
          sinkClass: sink,
          sinkProperties: { header: "X-Recipients" },
          sourceProperties: { priority: 2 },
        },
        {
          displayName: "relay",
          event: "OnArrival",
          sinkClass: "OnArrival.AddHeader",
          sinkProperties: { name: "X-Edge", value: "edge-1" },
        },
      ],
    }),
    scripts: {
      "one.js": tagging("RCPT TO=*@localhost", 1, "one"),
      "two.js": tagging("RCPT TO=*@localhost", 3, "two"),
    },
  });
  await send(service.port, { to: "you@localhost", data: plainMessage("native") });
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  const order = ["x-one: native", "X-Recipients: 1", "x-two: native one", "X-Edge: edge-1"].map((line) =>
    text.indexOf(line),
  );
  expect(order.every((at, index) => at > (order[index - 1] ?? 0))).toBe(true);
});
