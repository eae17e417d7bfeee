// Reloading for long: under load, in a storm of saves, and a thousand scripts at once (FAULTS R01, R08, R10).
import { readdirSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, sleep } from "../support/eventually.ts";
import { descendants, startService, type Service } from "../support/service.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const EDITS = 200;
const STORM_MS = 60_000;
const SAVES_PER_SECOND = 100;
const THOUSAND = 1000;

const stamping = (version: number): string => `export default function onArrival(msg) {
  msg.Fields("urn:schemas:mailheader:x-version").Value = "${version}";
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;
const broken = [
  (version: number): string => `${stamping(version)}}`,
  (version: number): string => `throw new Error("${version}");\n${stamping(version)}`,
  (version: number): string => `export const version = ${version};\n`,
];

/** In place and by a move, as editors do. */
async function save(service: Service, name: string, text: string, round: number): Promise<void> {
  const path = join(service.scriptsFolder, name);
  if (round % 2 === 0) return writeFile(path, text);
  await writeFile(`${path}~`, text);
  await rename(`${path}~`, path);
}

test("R01: during 200 edits, half of them broken, every message meets exactly one good version, and never an older one than before", async () => {
  await using service = await startService({ scripts: { "stamp.ts": stamping(0) } });
  const editing = new AbortController();
  let sent = 0;
  const load = (async () => {
    while (!editing.signal.aborted) {
      sent += 1;
      await send(service.port, { data: plainMessage(`message ${sent}`) });
    }
  })();
  for (let version = 1; version <= EDITS; version += 1) {
    const text = version % 2 === 0 ? stamping(version) : (broken[version % broken.length]?.(version) ?? "");
    await save(service, "stamp.ts", text, version);
    await sleep(100);
  }
  editing.abort();
  await load;
  const files = await service.dropped(sent, 60_000);
  const order = new Map<number, number>();
  for (const { content } of files) {
    const text = content.toString("latin1");
    const stamps = [...text.matchAll(/^X-Version: (\d+)\r$/gim)].map(([, version]) => Number(version));
    expect(stamps).toHaveLength(1);
    expect(stamps[0]).toSatisfy((version: number) => version % 2 === 0);
    order.set(Number(/^Subject: message (\d+)/m.exec(text)?.[1]), stamps[0] ?? -1);
  }
  // One session sends them one after the other.
  const versions = [...order].toSorted(([a], [b]) => a - b).map(([, version]) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  expect(new Set(versions).size).toBeGreaterThan(EDITS / 8);
});

interface Size {
  readonly relayMb: number;
  /** The sandbox processes and the compiler. */
  readonly othersMb: number;
  readonly files: number;
  readonly processes: number;
}

function residentMb(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
  return Math.round((pages * 4096) / 1024 / 1024);
}

function sizeOf({ pid }: Service): Size {
  const others = descendants(pid);
  return {
    relayMb: residentMb(pid),
    othersMb: others.reduce((sum, other) => sum + residentMb(other), 0),
    files: readdirSync(`/proc/${pid}/fd`).length,
    processes: others.length,
  };
}

/** With room the relay keeps its garbage for more than a minute, and grows by 50 MB that are no leak. */
const SMALL_HEAP = { NODE_OPTIONS: "--max-old-space-size=64 --max-semi-space-size=2" };

test.skipIf(process.platform !== "linux")(
  "R10: a minute of 100 saves a second leaves no memory, descriptor or process behind",
  async () => {
    await using service = await startService({ scripts: { "stamp.ts": stamping(0) }, env: SMALL_HEAP });
    const storm = async (durationMs: number): Promise<number> => {
      const end = Date.now() + durationMs;
      let round = 0;
      for (; Date.now() < end; round += 1) {
        await save(service, "stamp.ts", stamping(round), round);
        await sleep(1000 / SAVES_PER_SECOND);
      }
      return round;
    };
    await storm(5000);
    // The first message opens files that stay open.
    await send(service.port, { data: plainMessage("first") });
    await service.dropped(1);
    await sleep(2000);
    const before = sizeOf(service);
    await storm(STORM_MS);
    await save(service, "stamp.ts", stamping(-1), 0);
    await eventually(
      async () => {
        const drop = (await service.drop()).length;
        await send(service.port, { data: plainMessage("probe") });
        return (await service.dropped(drop + 1)).some(({ content }) => content.includes("-1"));
      },
      { what: "the last version", timeoutMs: 20_000, intervalMs: 200 },
    );
    await sleep(2000);
    const after = sizeOf(service);
    process.stdout.write(`storm: before ${JSON.stringify(before)}, after ${JSON.stringify(after)}\n`);
    expect(after.files).toBeLessThanOrEqual(before.files + 3);
    expect(after.processes).toBeLessThanOrEqual(before.processes);
    expect(after.relayMb).toBeLessThan(before.relayMb + 25);
    expect(after.othersMb).toBeLessThan(before.othersMb + 25);
  },
);

test("R08: a thousand scripts that appear at once, and then change at once, all go live", async () => {
  await using service = await startService({});
  const all = async (version: number): Promise<void> => {
    for (let index = 0; index < THOUSAND; index += 1)
      await save(
        service,
        `s${index}.ts`,
        `export const binding = { rule: "RCPT TO=u${index}@example.com" };\n${stamping(version)}`,
        0,
      );
  };
  for (const version of [1, 2]) {
    const from = Date.now();
    await all(version);
    const wanted = version === 1 ? /"script live"/ : /"script reloaded"/;
    await eventually(() => service.log.filter((line) => wanted.test(line)).length >= THOUSAND, {
      what: "a thousand scripts",
      timeoutMs: 120_000,
    });
    process.stdout.write(`${THOUSAND} scripts, version ${version}: ${Date.now() - from} ms\n`);
  }
});
