// A binding with maxFirings dies after its last call, and a restart does not bring it back (REFERENCE 8.1).
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("12. MaxFirings=1 → called for one message, restarts and kills included; Expiration in the past → never fires", async () => {
  const counted = {
    displayName: "Once",
    event: "OnTransportSubmission",
    sinkClass: "OnArrival.AddHeader",
    maxFirings: 1,
    sinkProperties: { name: "X-Once", value: "yes" },
  };
  const expired = {
    displayName: "Expired",
    event: "OnTransportSubmission",
    sinkClass: "OnArrival.AddHeader",
    expiration: "2020-01-01",
    sinkProperties: { name: "X-Expired", value: "yes" },
  };
  await using service = await startService({ config: serviceConfig({ bindings: [counted, expired] }) });
  const sendOne = async (subject: string): Promise<void> => {
    await send(service.port, { from: "a@example.com", to: "b@example.org", data: plainMessage(subject) });
  };
  await sendOne("first");
  await sendOne("second");
  await service.dropped(2);
  await service.restart();
  await sendOne("third");
  await service.dropped(3);
  await service.restart("SIGKILL");
  await sendOne("fourth");
  const files = await service.dropped(4);
  const marked = files.filter(({ content }) => content.includes("X-Once: yes"));
  expect(marked).toHaveLength(1);
  expect(files.filter(({ content }) => content.includes("X-Expired"))).toEqual([]);
  expect(marked[0]?.content.toString()).toContain("Subject: first");
});

test("a message that is held meets a binding with MaxFirings=1 again, and does not pass it unseen", async () => {
  const once = {
    displayName: "Once",
    event: "OnArrival",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    maxFirings: 1,
    sinkProperties: { ScriptName: "once.js" },
  };
  await using service = await startService({
    config: serviceConfig({ bindings: [once] }),
    scripts: { "once.js": 'export default () => { throw new Error("not yet"); };' },
  });
  await send(service.port, { from: "a@example.com", to: "b@example.org", data: plainMessage("held") });
  await eventually(async () => (await service.queue())[0]?.state === "held", { timeoutMs: 10_000 });
  await service.writeScript(
    "once.js",
    'export default (msg) => { msg.Subject = "seen"; msg.DataSource.Save(); };',
  );
  const [file] = await service.dropped(1);
  expect(file?.content.toString()).toContain("Subject: seen");
  await send(service.port, { from: "a@example.com", to: "b@example.org", data: plainMessage("after") });
  const files = await service.dropped(2);
  expect(files.filter(({ content }) => content.includes("Subject: after"))).toHaveLength(1);
});

test("a message whose call of a binding with MaxFirings=1 was cut off by kill -9 meets it again", async () => {
  await using folder = await tempFolder("cut-off");
  const [sink, called] = [join(folder.path, "hangs-once.mjs"), join(folder.path, "called")];
  await writeFile(
    sink,
    `import { existsSync, writeFileSync } from "node:fs";
export default { event: "OnArrival", onEvent(msg) {
  if (existsSync(${JSON.stringify(called)})) return msg.headers.add("X-Seen", "yes");
  writeFileSync(${JSON.stringify(called)}, "");
  return new Promise(() => undefined);
} };`,
  );
  const bindings = [{ displayName: "Once", event: "OnArrival", sinkClass: sink, maxFirings: 1 }];
  await using service = await startService({ config: serviceConfig({ bindings }) });
  await send(service.port, { from: "a@example.com", to: "b@example.org", data: plainMessage("cut off") });
  await eventually(() => existsSync(called) && existsSync(join(service.mailroot, "firings.json")), {
    timeoutMs: 10_000,
  });
  await service.restart("SIGKILL");
  const [file] = await service.dropped(1);
  expect(file?.content.toString()).toContain("X-Seen: yes");
});
