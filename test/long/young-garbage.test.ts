// What a message leaves behind dies young, however the relay was started: else collections take a tenth of the relay's time (docs/decisions/0042).
import { expect, test } from "vitest";
import { generateLoad } from "../../bench/load-generator.ts";
import { buildMessage, toWire } from "../../bench/messages.ts";
import { listen } from "../../bench/smtp-sink.ts";
import { startService } from "../support/service.ts";

/** Before, it happened to two starts of three. */
const STARTS = 3;
const WARM_UP = 20_000;
const MEASURED = 12_000;
/** Each young collection comes after some 20 MB of new objects. */
const MOST_LEFT_MB = 0.5;
const COLLECTION = /(Scavenge|Mark-Compact).*? ([\d.]+) \([\d.]+\) MB,/;

/** By how much each young collection left more in memory than the one before it, on average; full ones begin anew. */
function leftByEach(lines: readonly string[]): number {
  const steps: number[] = [];
  let before: number | undefined;
  for (const line of lines) {
    const [, kind, megabytes] = COLLECTION.exec(line) ?? [];
    if (kind === undefined) continue;
    if (kind === "Scavenge" && before !== undefined) steps.push(Number(megabytes) - before);
    before = kind === "Scavenge" ? Number(megabytes) : undefined;
  }
  expect(steps.length).toBeGreaterThan(5);
  return steps.reduce((sum, step) => sum + step, 0) / steps.length;
}

test.skipIf(process.platform === "win32")(
  "young collections leave nothing of the messages that passed, whatever the process met first",
  async () => {
    const wire = toWire(buildMessage("4k"));
    const left: number[] = [];
    for (let start = 1; start <= STARTS; start += 1) {
      const sink = await listen();
      try {
        await using service = await startService({
          scripts: { "empty.js": "export default function onArrival() {}" },
          config: {
            virtualServers: [{ name: "default", delivery: { smartHost: `127.0.0.1:${sink.port}` } }],
            log: { level: "warn" },
          },
          through: ["sh", "-c", 'exec "$0" --trace-gc "$@"'],
        });
        const load = async (count: number): Promise<void> => {
          const { accepted } = await generateLoad({ port: service.port, count, sessions: 20, wire });
          expect(accepted).toBe(count);
        };
        await load(WARM_UP);
        const from = service.log.length;
        await load(MEASURED);
        left.push(leftByEach(service.log.slice(from)));
      } finally {
        await sink.close();
      }
    }
    console.log(
      `left by each young collection: ${left.map((megabytes) => megabytes.toFixed(2)).join(", ")} MB`,
    );
    for (const megabytes of left) expect(megabytes).toBeLessThan(MOST_LEFT_MB);
  },
);
