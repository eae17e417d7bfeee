// Five hostile scripts at once, innocent messages beside them; the relay does not even restart.
import { expect } from "vitest";
import { startCaptureServer } from "./capture-server.ts";
import { eventually } from "./eventually.ts";
import { startService } from "./service.ts";
import { serviceConfig } from "./service-config.ts";
import { plainMessage, send, sendAll } from "./smtp-client.ts";

const HOSTILE: Readonly<Record<string, string>> = {
  loop: "while (true) {}",
  arrays: "const a = []; while (1) a.push(new Array(1000));",
  json: 'JSON.stringify(Array(1e8).fill("aaaaaaaaaaaa"));',
  promise: "return new Promise(() => {});",
  throws: 'throw new Error("on purpose");',
};
const KINDS = Object.keys(HOSTILE);

const boundTo = (kind: string, body: string): string => `
export const binding = { rule: "RCPT TO=${kind}@hostile.example" };
export default function onArrival(msg) {
  ${body}
}`;

/** Five kinds of hostile scripts hold their own messages only, and a corrected script releases them. */
export async function hostileRun(innocents: number): Promise<void> {
  await using hop = await startCaptureServer();
  const scripts = Object.fromEntries(
    Object.entries(HOSTILE).map(([kind, body]) => [`${kind}.js`, boundTo(kind, body)]),
  );
  const innocent = `export const binding = { rule: "RCPT TO=*@innocent.example" };
export default function onArrival(msg) {
  msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes";
  msg.Fields.Update();
  msg.DataSource.Save();
}`;
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, file: { sandbox: { workers: 2 } } }),
    scripts: { ...scripts, "innocent.js": innocent },
  });
  const { pid } = service;
  const offending = KINDS.map((kind) =>
    send(service.port, { to: `${kind}@hostile.example`, data: plainMessage(`hostile ${kind}`) }),
  );
  const sessions = Array.from({ length: 10 }, (_, session) =>
    sendAll(
      service.port,
      Array.from({ length: innocents / 10 }, (_unused, number) => ({
        to: "someone@innocent.example",
        data: plainMessage(`innocent ${session}.${number}.`),
      })),
    ),
  );
  await Promise.all([...offending, ...sessions]);
  const arrived = await hop.received(innocents, 60_000);
  expect(arrived.every((message) => message.to[0] === "someone@innocent.example")).toBe(true);
  expect(
    arrived.every(
      (message) =>
        message.content.includes("\r\nx-seen: yes\r\n") ||
        /\r\nx-seen: yes\r\n/i.test(message.content.toString("latin1")),
    ),
  ).toBe(true);

  const held = await eventually(
    async () => {
      const entries = await service.queue();
      const names = KINDS.filter((kind) =>
        entries.some(
          (entry) =>
            entry.recipients[0]?.address === `${kind}@hostile.example` &&
            (entry.reason ?? "").includes(`${kind}.js`),
        ),
      );
      return names.length === KINDS.length && entries;
    },
    { timeoutMs: 60_000, intervalMs: 250, what: "all five messages in the queue with their reasons" },
  );
  expect(held).toHaveLength(KINDS.length);
  expect(service.running).toBe(true);
  expect(service.pid).toBe(pid);

  for (const kind of KINDS)
    await service.writeScript(
      `${kind}.js`,
      boundTo(kind, "msg.Subject += ' (corrected)'; msg.DataSource.Save();"),
    );
  const all = await hop.received(innocents + KINDS.length, 30_000);
  const released = all.slice(innocents).map((message) => message.to[0]);
  expect(new Set(released)).toEqual(new Set(KINDS.map((kind) => `${kind}@hostile.example`)));
  expect(all.slice(innocents).every((message) => message.content.includes("(corrected)"))).toBe(true);
  expect(service.pid).toBe(pid);
}
