// The service is killed at each of its system calls in turn, from the acceptance of a message to its end (FAULTS C01, C02, C03, Q02). Needs strace; skipped without.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { failing } from "../support/volumes.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 50, intervalsMinutes: [0.005] } };
/** Of each call so many are tried, one for each start of the service; where it makes fewer, all of them. */
const STEPS = Number(process.env["CRASH_STEPS"] ?? 12);
const MESSAGES = 3;
/** Each call of a traced process is reported to its tracer. */
const TRACED_START_TIMEOUT_MS = 60_000;

interface Way {
  readonly name: string;
  /** Everything by which the state on disk, or what others know, changes on this way. Only Drop needs a barrier of its own. */
  readonly calls: readonly string[];
  /** Offers one message; resolves when it was accepted for good. */
  offer(service: Service, data: Buffer, token: string): Promise<unknown>;
  /** Where it has to be in the end. */
  found(service: Service, hop: CaptureServer): Promise<readonly Buffer[]>;
  /** Surplus copies that a crash may cause: a next hop cannot be asked whether it has a message, a file of ours can. */
  readonly copiesPerKill: number;
}

const contents = (messages: readonly { readonly content: Buffer }[]): Buffer[] =>
  messages.map(({ content }) => content);

const WAYS: readonly Way[] = [
  {
    name: "to the next hop",
    calls: ["pwritev", "fsync", "writev"],
    offer: (service, data) => send(service.port, { data }),
    found: (_service, hop) => Promise.resolve(contents(hop.messages)),
    copiesPerKill: MESSAGES,
  },
  {
    name: "into Drop",
    calls: ["pwritev", "fdatasync", "rename"],
    offer: (service, data) => send(service.port, { data, to: "here@localhost" }),
    found: async (service) => contents(await service.drop()),
    copiesPerKill: 0,
  },
  {
    name: "back to its sender in a report",
    calls: ["pwritev", "fdatasync", "rename"],
    offer: (service, data) => send(service.port, { data, from: "here@localhost", to: "unknown@far.example" }),
    found: async (service) => contents(await service.drop()),
    copiesPerKill: MESSAGES,
  },
  {
    name: "into Badmail",
    calls: ["pwritev", "rename"],
    offer: (service, data) => send(service.port, { data, from: "", to: "unknown@far.example" }),
    found: async (service) => contents((await service.badmail()).filter(({ name }) => name.endsWith(".BAD"))),
    copiesPerKill: 0,
  },
  {
    name: "from Pickup",
    calls: ["pwritev", "rename", "unlink"],
    async offer({ mailroot }, data, token) {
      const folder = path.join(mailroot, "Pickup");
      await mkdir(folder, { recursive: true });
      const envelope = "x-sender: a@example.com\r\nx-receiver: here@localhost\r\n";
      await writeFile(path.join(folder, `${token}.eml`), Buffer.concat([Buffer.from(envelope), data]));
    },
    found: async (service) => contents(await service.drop()),
    copiesPerKill: 0,
  },
];

/** Starts the service, which dies at this call, and offers it messages until it does. Answers whether it came to that. */
async function runUntilKilled(
  way: Way,
  options: { mailroot: string; config: Record<string, unknown>; injection: string },
  ledger: Ledger,
): Promise<boolean> {
  const { mailroot, config, injection } = options;
  await using service = await startService({
    config,
    mailroot,
    through: failing([injection]) ?? [],
    env: { UV_THREADPOOL_SIZE: "1" },
    waitForReady: false,
  });
  const ready = await eventually(
    () => !service.running || service.log.find((line) => line.includes("ready on")),
    { timeoutMs: TRACED_START_TIMEOUT_MS, what: "the ready line, or the end" },
  );
  service.port = Number(/127\.0\.0\.1:(\d+)/.exec(String(ready))?.[1] ?? 0);
  for (let number = 0; number < MESSAGES && service.running && service.port > 0; number += 1) {
    const { token, data } = ledger.write();
    try {
      await way.offer(service, data, token);
      ledger.acknowledge(token);
    } catch {
      break;
    }
  }
  await idle(service);
  return !service.running;
}

/** Nothing is under way any more, or the service is dead. */
async function idle(service: Service): Promise<void> {
  const claimed = path.join(service.mailroot, "Queue", "pickup");
  const isEmpty = async (): Promise<boolean> =>
    (await service.pickup()).length === 0 &&
    (await readdir(claimed).catch(() => [])).length === 0 &&
    (await service.queue().catch(() => [1])).length === 0;
  await eventually(async () => !service.running || isEmpty(), { what: "an empty queue" });
}

test.for(WAYS.flatMap((way) => way.calls.map((call) => ({ way, call, name: way.name }))))(
  "C01 C02 C03 Q02 a service that dies at any $call loses nothing on its way $name",
  async ({ way, call, name }, { skip }) => {
    skip(failing([`${call}:signal=KILL`]) === undefined, "no strace");
    await using hop = await startCaptureServer();
    hop.script.rcpt = (address) =>
      address === "unknown@far.example" ? "550 5.1.1 nobody of that name" : undefined;
    await using folder = await tempFolder("steps");
    const config = serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY });
    const mailroot = path.join(folder.path, "mailroot");
    const ledger = new Ledger();
    let kills = 0;
    for (let step = 1; step <= STEPS; step += 1) {
      const injection = `${call}:signal=KILL:when=${step}`;
      if (!(await runUntilKilled(way, { mailroot, config, injection }, ledger))) break;
      kills += 1;
    }
    await using service = await startService({ config, mailroot });
    await idle(service);
    for (const content of await way.found(service, hop)) ledger.find("the end", content);
    const { acknowledged, lost, duplicates, corrupt } = ledger.balance();
    console.log(`${call}, ${name}: ${kills} kills, ${acknowledged} accepted, ${duplicates} surplus copies`);
    expect(kills).toBeGreaterThan(0);
    expect(lost).toEqual([]);
    // A report ends with its boundary behind the message.
    if (way.name !== "back to its sender in a report") expect(corrupt).toEqual([]);
    expect(duplicates).toBeLessThanOrEqual(way.copiesPerKill * kills);
  },
);
