// Load under repeated kill -9, of the relay unless told otherwise: what was answered with 250 has to arrive, whatever happens in between.
import type { CaptureServer } from "./capture-server.ts";
import { eventually, sleep } from "./eventually.ts";
import { Ledger, type LedgerBalance } from "./ledger.ts";
import type { Service } from "./service.ts";
import { conversation, wireOf } from "./smtp-client.ts";

export interface CrashRunOptions {
  readonly messages: number;
  readonly kills: number;
  readonly sessions: number;
  /** Longest time between two kills. */
  readonly maxUptimeMs: number;
  /** 0 to 1: the moments of the kills. */
  readonly random: () => number;
  readonly drainTimeoutMs: number;
  /** What is killed; absent: the relay, which is started again. */
  readonly kill?: () => Promise<void>;
  /** What arrived, without what the scripts of the run had to put in; throws when they did not. */
  readonly checked?: (content: Buffer) => Buffer;
}

const SHORT_WAIT_MS = 20;

/** Where the messages go, and what is killed. */
export type CrashTarget = Pick<Service, "port" | "restart">;

/** One client: sends until all are acknowledged, begins again when the connection breaks, as a mail client does. */
async function sendUntilAcknowledged(
  service: CrashTarget,
  ledger: Ledger,
  queue: { token: string; data: Buffer }[],
): Promise<void> {
  while (queue.length > 0) {
    await using talk = conversation(service.port);
    try {
      await talk.expects(220).sends("EHLO client.example.com").expects(250);
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        talk
          .sends("MAIL FROM:<sender@example.com>")
          .expects(250)
          .sends("RCPT TO:<recipient@example.org>")
          .expects(250);
        await talk.sends("DATA").expects(354).sendsBytes(wireOf(next.data)).expects(250);
        ledger.acknowledge(next.token);
        queue.shift();
      }
    } catch {
      await sleep(SHORT_WAIT_MS);
    }
  }
}

export async function crashRun(
  service: CrashTarget,
  hop: CaptureServer,
  options: CrashRunOptions,
): Promise<LedgerBalance> {
  const ledger = new Ledger();
  const queues = Array.from({ length: options.sessions }, () => [] as { token: string; data: Buffer }[]);
  for (let i = 0; i < options.messages; i += 1) queues[i % options.sessions]?.push(ledger.write("crash run"));
  const clients = Promise.all(queues.map((queue) => sendUntilAcknowledged(service, ledger, queue)));
  for (let kill = 0; kill < options.kills; kill += 1) {
    await sleep(options.random() * options.maxUptimeMs);
    await (options.kill === undefined ? service.restart("SIGKILL") : options.kill());
  }
  await clients;
  const { checked = (content: Buffer) => content } = options;
  let read = 0;
  const collect = (): void => {
    for (; read < hop.messages.length; read += 1)
      ledger.find("next hop", checked(hop.messages[read]?.content ?? Buffer.alloc(0)));
  };
  await eventually(
    () => {
      collect();
      return ledger.missing().length === 0;
    },
    { timeoutMs: options.drainTimeoutMs, intervalMs: 100, what: "the arrival of everything acknowledged" },
  ).catch(() => undefined);
  // An error of the last look was not "not yet".
  collect();
  return ledger.balance();
}
