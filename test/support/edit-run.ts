// Load while scripts are edited, well and badly: which version of each script every message met, from the effect log and from its stamps.
import { join } from "node:path";
import { EFFECTS_FOLDER } from "../../src/observe/effect-log.ts";
import { findEffects, type MessageEffects } from "../../src/observe/effect-search.ts";
import { startCaptureServer } from "./capture-server.ts";
import { eventually, sleep } from "./eventually.ts";
import { Ledger, type LedgerBalance } from "./ledger.ts";
import { startService, type Service } from "./service.ts";
import { serviceConfig } from "./service-config.ts";
import { conversation, wireOf } from "./smtp-client.ts";
import {
  COMING_AND_GOING,
  editNumber,
  isGoodEdit,
  saveEdit,
  STAMPING,
  stampsOf,
  withoutStamps,
} from "./stamping-scripts.ts";

export interface EditRunOptions {
  readonly messages: number;
  readonly edits: number;
  readonly sessions: number;
  /** Longest time between two edits, unless the service is behind. */
  readonly maxPauseMs: number;
  /** 0 to 1: which edits are made, and when. */
  readonly random: () => number;
}

export interface EditRun {
  readonly balance: LedgerBalance;
  /** What contradicts the promise, one line each. */
  readonly contradictions: readonly string[];
  /** Versions that went live and that processed messages, of all scripts; refused edits. */
  readonly live: number;
  readonly met: number;
  readonly refused: number;
  /** Sandbox processes that ran scripts. */
  readonly processes: number;
  /** Messages that came while the script that comes and goes was gone. */
  readonly withoutThird: number;
}

/** The same numbers for the same seed: a run that found something can be done again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the service says of an edit. */
const REACTION = /"msg":"script (?:live|reloaded|not loaded|removed)/;
/** Of the good edits so many are followed by the next edit only after a reaction: a slow machine would see the last ones of many. */
const AWAITED_SHARE = 0.9;
const REACTION_TIMEOUT_MS = 3000;

/** None comes to an edit that changes nothing. */
async function reaction(service: Service, fromLine: number): Promise<void> {
  const isThere = (): boolean => service.log.slice(fromLine).some((line) => REACTION.test(line));
  await eventually(isThere, { timeoutMs: REACTION_TIMEOUT_MS }).catch(() => undefined);
}

/** Sends what it may send by now, one after the other, and says which id each message got. */
async function client(
  port: number,
  next: () => { token: string; data: Buffer } | "later" | undefined,
  taken: (token: string, id: string) => void,
): Promise<void> {
  await using talk = conversation(port);
  await talk.expects(220).sends("EHLO client.example.com").expects(250);
  for (let one = next(); one !== undefined; one = next()) {
    if (one === "later") {
      await sleep(2);
      continue;
    }
    talk.sends("MAIL FROM:<sender@example.com>").expects(250);
    talk.sends("RCPT TO:<recipient@example.org>").expects(250);
    const { text } = await talk.sends("DATA").expects(354).sendsBytes(wireOf(one.data)).expects(250);
    taken(one.token, /<([0-9A-Z]{18})>/.exec(text)?.[1] ?? "");
  }
}

/** Versions in the order in which they went live, by script, as the service's log has it. */
function liveVersions(service: Service): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of service.log) {
    if (!/"msg":"script (?:live|reloaded)"/.test(line)) continue;
    const { script, version }: { script: string; version: string } = JSON.parse(line);
    found.set(script, [...(found.get(script) ?? []), version]);
  }
  return found;
}

class Comparison {
  readonly contradictions: string[] = [];
  readonly #live: Map<string, string[]>;
  /** By script and version: the stamp that it leaves. */
  readonly #stamps = new Map<string, string>();
  readonly #jobs = new Map<number, { job: number; script: string; order: number }[]>();
  withoutThird = 0;

  constructor(live: Map<string, string[]>) {
    this.#live = live;
  }

  get met(): number {
    return this.#stamps.size;
  }

  get processes(): number {
    return this.#jobs.size;
  }

  /** A message: the record of its run against the stamps that it left with. */
  add({ id, runs }: MessageEffects, stamps: ReadonlyMap<string, string>): void {
    const [run] = runs;
    if (run?.chain === undefined || runs.length > 1 || run.line.end !== "submitted") {
      this.contradictions.push(`${id}: ${runs.map(({ line }) => `${line.end} ${line.why ?? ""}`).join()}`);
      return;
    }
    const bound = run.chain.bindings.map(({ script }) => script ?? "");
    const called = run.line.calls.map(({ position }) => bound[position] ?? "");
    if (called.join() !== bound.join() || [...stamps.keys()].join() !== bound.join())
      this.contradictions.push(
        `${id}: bound ${bound.join()}, called ${called.join()}, stamps ${[...stamps.keys()].join()}`,
      );
    if (!bound.includes(COMING_AND_GOING)) this.withoutThird += 1;
    for (const [index, call] of run.line.calls.entries())
      this.#addCall(id, called[index] ?? "", call, stamps);
  }

  #addCall(
    id: string,
    script: string,
    call: MessageEffects["runs"][number]["line"]["calls"][number],
    stamps: ReadonlyMap<string, string>,
  ): void {
    const { version = "", fault, pid, job } = call;
    const order = this.#live.get(script)?.indexOf(version) ?? -1;
    const stamp = stamps.get(script) ?? "";
    const known = this.#stamps.get(`${script} ${version}`) ?? stamp;
    this.#stamps.set(`${script} ${version}`, known);
    const isGood = /^\d*[02468]\.\d*[02468]$/.test(stamp);
    if (
      order < 0 ||
      fault !== undefined ||
      !isGood ||
      known !== stamp ||
      pid === undefined ||
      job === undefined
    ) {
      this.contradictions.push(`${id}: ${JSON.stringify(call)} of ${script}, stamps ${stamp} and ${known}`);
      return;
    }
    this.#jobs.set(pid, [...(this.#jobs.get(pid) ?? []), { job, script, order }]);
  }

  /** No process ran an older version of a script after a newer one, and no two versions leave the same stamp. */
  end(): void {
    for (const [pid, jobs] of this.#jobs) {
      const newest = new Map<string, number>();
      for (const { job, script, order } of jobs.toSorted((a, b) => a.job - b.job)) {
        const before = newest.get(script) ?? 0;
        if (order < before)
          this.contradictions.push(`process ${pid}, job ${job}: ${script} ${order} after ${before}`);
        newest.set(script, Math.max(order, before));
      }
    }
    const left = [...this.#stamps].map(([key, stamp]) => `${key.slice(0, key.indexOf(" "))} ${stamp}`);
    if (new Set(left).size < left.length) this.contradictions.push("two versions left the same stamp");
  }
}

/** `explain --json` tells the same as the records that were compared. */
async function compareExplained(service: Service, message: MessageEffects): Promise<string[]> {
  const { stdout } = await service.command("explain", message.id, "--json", "--mailroot", service.mailroot);
  return JSON.stringify(JSON.parse(stdout)) === JSON.stringify([message])
    ? []
    : [`explain ${message.id}: ${stdout}`];
}

export async function editRun(options: EditRunOptions): Promise<EditRun> {
  const { messages, edits, sessions, maxPauseMs, random } = options;
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port }),
    scripts: STAMPING,
  });
  const ledger = new Ledger();
  const ids = new Map<string, string>();
  let written = 0;
  let allowed = 0;
  const next = (): ReturnType<Parameters<typeof client>[1]> => {
    if (written >= messages) return undefined;
    if (written >= allowed) return "later";
    written += 1;
    return ledger.write("edit run");
  };
  const clients = Promise.all(
    Array.from({ length: sessions }, () =>
      client(service.port, next, (token, id) => {
        ledger.acknowledge(token);
        ids.set(id, token);
      }),
    ),
  );
  for (let mark = 1; mark <= edits; mark += 1) {
    allowed = Math.ceil((messages * mark) / edits);
    const heard = service.log.length;
    await saveEdit(service.scriptsFolder, editNumber(mark, random), random);
    await sleep(random() * maxPauseMs);
    if (isGoodEdit(mark) && random() < AWAITED_SHARE) await reaction(service, heard);
  }
  await clients;
  const stamps = new Map<string, ReadonlyMap<string, string>>();
  for (const { content } of await hop.received(messages, 60_000)) {
    const token = ledger.find("next hop", withoutStamps(content)) ?? "";
    stamps.set(token, stampsOf(content.toString("latin1")));
  }
  // What it has logged and recorded is complete when it has ended.
  await service.kill("SIGTERM");
  const { messages: records } = await findEffects(join(service.mailroot, EFFECTS_FOLDER), "");
  const live = liveVersions(service);
  const comparison = new Comparison(live);
  for (const message of records)
    comparison.add(message, stamps.get(ids.get(message.id) ?? "") ?? new Map<string, string>());
  comparison.end();
  const some = records[Math.floor(records.length / 2)];
  const explained = some === undefined ? [] : await compareExplained(service, some);
  return {
    balance: ledger.balance(),
    contradictions: [...comparison.contradictions, ...explained],
    live: [...live.values()].flat().length,
    met: comparison.met,
    refused: service.log.filter((line) => line.includes('"msg":"script not loaded')).length,
    processes: comparison.processes,
    withoutThird: comparison.withoutThird,
  };
}
