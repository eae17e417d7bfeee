// Every hostile script side by side with steady load on an innocent binding, in the real service: what the innocents lose.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CONTAINED, FATAL } from "../sandbox/wall/hostile-scripts.ts";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { descendants, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, sendAll } from "../support/smtp-client.ts";

const SECONDS_PER_PHASE = Number(process.env["WALL_SECONDS"] ?? 30);
const SESSIONS = 8;
const BATCH = 25;
const HOSTILE_PAUSE_MS = 100;
const PROCESS_MB = 400;
const INNOCENT_SHARE = 0.8;

const INNOCENT = `export const binding = { rule: "RCPT TO=*@innocent.example" };
export default function onArrival(msg) {
  msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes";
  msg.Fields.Update();
  msg.DataSource.Save();
}`;

const hostile = [...FATAL, ...CONTAINED];
const addressOf = (index: number): string => `h${index}@hostile.example`;
const hostileScript = (body: string, index: number): string =>
  `var binding = { rule: "RCPT TO=${addressOf(index)}", limits: { timeoutMs: 300 } };\nfunction onArrival(msg, status) {\n${body}\n}`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * 4096) / 1024 / 1024;
  } catch {
    return 0;
  }
}

test(
  "every hostile script beside steady load: innocents keep four fifths of their rate, and nothing of theirs is lost, held or altered",
  { timeout: 600_000 },
  async () => {
    await using hop = await startCaptureServer();
    await using service = await startService({
      config: serviceConfig({
        smartHostPort: hop.port,
        file: { sandbox: { processMemoryMb: PROCESS_MB } },
      }),
      scripts: {
        "innocent.js": INNOCENT,
        ...Object.fromEntries(hostile.map(({ body }, index) => [`h${index}.js`, hostileScript(body, index)])),
      },
    });
    const { pid } = service;
    let acknowledged = 0;

    /** Messages per second that arrived at the next hop, of as many as are offered. */
    const innocentLoad = async (offered: number): Promise<number> => {
      const before = hop.messages.length;
      const started = performance.now();
      const until = started + SECONDS_PER_PHASE * 1000;
      const session = async (name: number): Promise<void> => {
        for (let round = 0; performance.now() < until; round += 1) {
          const messages = Array.from({ length: BATCH }, (_unused, number) => ({
            to: "someone@innocent.example",
            data: plainMessage(`innocent ${pid}.${name}.${round}.${number}.`, "x".repeat(4000)),
          }));
          await sendAll(service.port, messages);
          acknowledged += messages.length;
          await pause(
            Math.max(0, started + ((round + 1) * SESSIONS * BATCH * 1000) / offered - performance.now()),
          );
        }
      };
      await Promise.all(Array.from({ length: SESSIONS }, (_unused, name) => session(name)));
      return ((hop.messages.length - before) * 1000) / (performance.now() - started);
    };

    const load = { isOver: false };
    let offended = 0;
    const offend = async (): Promise<void> => {
      for (let index = 0; !load.isOver; index = (index + 1) % hostile.length) {
        await sendAll(service.port, [{ to: addressOf(index), data: plainMessage(`hostile ${index}.`) }]);
        offended += 1;
        await pause(HOSTILE_PAUSE_MS);
      }
    };
    let peakMb = 0;
    const watch = setInterval(() => {
      const processes = [pid, ...descendants(pid)];
      peakMb = Math.max(
        peakMb,
        processes.reduce((sum, one) => sum + residentMb(one), 0),
      );
    }, 100);

    const most = await innocentLoad(Number.POSITIVE_INFINITY);
    const offered = most / 2;
    const alone = await innocentLoad(offered);
    const alonePeakMb = peakMb;
    peakMb = 0;
    const offending = offend();
    const beside = await innocentLoad(offered);
    load.isOver = true;
    await offending;
    clearInterval(watch);

    const arrived = await hop.received(acknowledged, 60_000);
    const innocents = arrived.filter(({ to }) => to[0] === "someone@innocent.example");
    const share = beside / alone;
    console.log(
      [
        `${hostile.length} hostile scripts, one message each ${HOSTILE_PAUSE_MS} ms; ${SESSIONS} sessions of innocent mail, ${SECONDS_PER_PHASE} s each`,
        `innocent, offered   ${offered.toFixed(0)} messages/s, half of what the machine takes`,
        `innocent, alone     ${alone.toFixed(0)} messages/s   ${alonePeakMb.toFixed(0)} MB at most`,
        `innocent, beside    ${beside.toFixed(0)} messages/s   ${peakMb.toFixed(0)} MB at most`,
        `share               ${(share * 100).toFixed(0)} %`,
        `hostile messages    ${offended}`,
        `innocent lost       ${acknowledged - innocents.length}`,
        `processes ended     ${service.log.filter((line) => line.includes("a sandbox process ended")).length}`,
        `scripts suspended   ${service.log.filter((line) => line.includes("script suspended")).length}`,
      ].join("\n"),
    );
    expect(innocents).toHaveLength(acknowledged);
    expect(
      new Set(innocents.map(({ content }) => /^Subject: (.*)$/m.exec(content.toString())?.[1])).size,
    ).toBeLessThanOrEqual(acknowledged);
    for (const { content } of innocents)
      expect(/\r\nx-seen: yes\r\n/i.test(content.toString("latin1"))).toBe(true);
    const queue = await eventually(() => service.queue(), { what: "the queue" });
    expect(queue.filter(({ recipients }) => recipients[0]?.address.endsWith("@innocent.example"))).toEqual(
      [],
    );
    expect(service.running).toBe(true);
    expect(service.pid).toBe(pid);
    // Relay, ordinary processes and as many for suspects.
    expect(peakMb).toBeLessThan(5 * (PROCESS_MB + 300));
    expect(share).toBeGreaterThanOrEqual(INNOCENT_SHARE);
  },
);
