// Every hostile script side by side with steady load on an innocent binding, in the real service: what the innocents lose.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CONTAINED, FATAL } from "../sandbox/wall/hostile-scripts.ts";
import { type CapturedMessage, startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { descendants, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, sendAll } from "../support/smtp-client.ts";

/** Pairs of phases, without and with hostile scripts: what else goes on in the machine comes and goes, so neighbours are compared. */
const ROUNDS = 5;
const SECONDS_PER_PHASE = Number(process.env["WALL_SECONDS"] ?? 40) / ROUNDS;
const SESSIONS = 8;
const BATCH = 25;
const HOSTILE_PAUSE_MS = 100;
const PROCESS_MB = 400;
const LONGEST_WAIT_MS = 300_000;
const INNOCENT_SHARE = 0.8;

const INNOCENT_BODY = "x".repeat(4000);
const INNOCENT_ADDRESS = "someone@innocent.example";
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

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Whether it differs in a byte from what was sent, but for the trace field and the mark of its script. */
function isAltered(content: Buffer): boolean {
  const text = content.toString("latin1");
  const subject = /^Subject: (.*)\r$/m.exec(text)?.[1] ?? "";
  const sent = text.slice(text.indexOf("From: Sender ")).replace(/^x-seen: yes\r\n/im, "");
  return sent !== plainMessage(subject, INNOCENT_BODY);
}

const rates = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(", ");

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
    let sent = 0;
    let acknowledged = 0;
    let looked = 0;
    const innocents: CapturedMessage[] = [];
    /** How many of the innocent messages have arrived. */
    const arrived = (): number => {
      for (; looked < hop.messages.length; looked += 1) {
        const message = hop.messages[looked];
        if (message?.to[0] === INNOCENT_ADDRESS) innocents.push(message);
      }
      return innocents.length;
    };
    const allArrived = (): Promise<unknown> =>
      eventually(() => arrived() >= acknowledged, { what: "the innocent mail", timeoutMs: 60_000 });

    /** Messages per second that arrived at the next hop, of as many as are offered. */
    const innocentLoad = async (offered: number): Promise<number> => {
      const before = arrived();
      const started = performance.now();
      const until = started + SECONDS_PER_PHASE * 1000;
      const session = async (): Promise<void> => {
        for (let round = 0; performance.now() < until; round += 1) {
          const messages = Array.from({ length: BATCH }, () => ({
            to: INNOCENT_ADDRESS,
            data: plainMessage(`innocent ${(sent += 1)}.`, INNOCENT_BODY),
          }));
          await sendAll(service.port, messages);
          acknowledged += messages.length;
          await pause(
            Math.max(0, started + ((round + 1) * SESSIONS * BATCH * 1000) / offered - performance.now()),
          );
        }
      };
      await Promise.all(Array.from({ length: SESSIONS }, session));
      return ((arrived() - before) * 1000) / (performance.now() - started);
    };

    let offended = 0;
    const offend = async (): Promise<void> => {
      const index = offended % hostile.length;
      await sendAll(service.port, [{ to: addressOf(index), data: plainMessage(`hostile ${index}.`) }]);
      offended += 1;
    };
    /** Hostile mail beside what `work` does. */
    const besideHostile = async <T>(work: () => Promise<T>): Promise<T> => {
      const load = { isOver: false };
      const offending = (async () => {
        while (!load.isOver) {
          await offend();
          await pause(HOSTILE_PAUSE_MS);
        }
      })();
      const result = await work();
      load.isOver = true;
      await offending;
      return result;
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
    const pairs: { alone: number; beside: number }[] = [];
    const peaks = { alone: 0, beside: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      // What one phase left behind must not count for the next one.
      await allArrived();
      peakMb = 0;
      const alone = await innocentLoad(offered);
      peaks.alone = Math.max(peaks.alone, peakMb);
      await allArrived();
      peakMb = 0;
      pairs.push({ alone, beside: await besideHostile(() => innocentLoad(offered)) });
      peaks.beside = Math.max(peaks.beside, peakMb);
    }
    // Suspects wait for each other: what has not had its turn by now has it beside innocent mail, too.
    while (offended < hostile.length) await offend();
    const ended = (): number =>
      new Set([
        ...service.log.flatMap((line) => /"reason":"(h\d+)\.js\b.*"msg":"message held/.exec(line)?.[1] ?? []),
        ...hop.messages.flatMap(({ to }) => /^(h\d+)@hostile/.exec(to[0] ?? "")?.[1] ?? []),
      ]).size;
    const givenUp = performance.now() + LONGEST_WAIT_MS;
    while (ended() < hostile.length && performance.now() < givenUp) await innocentLoad(offered);
    clearInterval(watch);
    peaks.beside = Math.max(peaks.beside, peakMb);

    await allArrived();
    const share = median(pairs.map(({ alone, beside }) => beside / alone));
    const altered = innocents.filter(({ content }) => isAltered(content)).length;
    console.log(
      [
        `${hostile.length} hostile scripts, one message each ${HOSTILE_PAUSE_MS} ms; ${SESSIONS} sessions of innocent mail; ${ROUNDS} times ${SECONDS_PER_PHASE} s without and with them`,
        `innocent, offered   ${offered.toFixed(0)} messages/s, half of what the machine takes`,
        `innocent, alone     ${rates(pairs.map(({ alone }) => alone))} messages/s   ${peaks.alone.toFixed(0)} MB at most`,
        `innocent, beside    ${rates(pairs.map(({ beside }) => beside))} messages/s   ${peaks.beside.toFixed(0)} MB at most`,
        `share, median       ${(share * 100).toFixed(0)} %`,
        `hostile messages    ${offended}`,
        `hostile scripts run ${ended()} of ${hostile.length}`,
        `innocent lost       ${acknowledged - innocents.length}`,
        `innocent altered    ${altered}`,
        `processes ended     ${service.log.filter((line) => line.includes("a sandbox process ended")).length}`,
        `scripts suspended   ${service.log.filter((line) => line.includes("script suspended")).length}`,
      ].join("\n"),
    );
    expect(service.log.filter((line) => line.includes("script not loaded"))).toEqual([]);
    expect(innocents).toHaveLength(acknowledged);
    expect(altered).toBe(0);
    expect(ended()).toBe(hostile.length);
    expect(new Set(innocents.map(({ content }) => /^Subject: .*$/m.exec(content.toString())?.[0])).size).toBe(
      acknowledged,
    );
    for (const { content } of innocents)
      expect(/\r\nx-seen: yes\r\n/i.test(content.toString("latin1"))).toBe(true);
    const queue = await eventually(() => service.queue(), { what: "the queue" });
    expect(queue.filter(({ recipients }) => recipients[0]?.address.endsWith("@innocent.example"))).toEqual(
      [],
    );
    expect(service.running).toBe(true);
    expect(service.pid).toBe(pid);
    // Relay, ordinary processes and as many for suspects.
    expect(peaks.beside).toBeLessThan(5 * (PROCESS_MB + 300));
    expect(share).toBeGreaterThanOrEqual(INNOCENT_SHARE);
  },
);
