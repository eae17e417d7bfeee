// Runs consecutive calls on one message and says what each did: finds the call that ends processes, and spares the others.
import type { Logger } from "../../core/logger.ts";
import type { Content } from "../../message/content.ts";
import type {
  Capabilities,
  JobEnvelope,
  ScriptCall,
  ScriptFault,
  ScriptLimits,
} from "../../../runtime/contract.ts";
import { type LiveScript, LoadedScript } from "../versions/loaded-script.ts";
import { locateFault } from "../versions/source-positions.ts";
import type { Secrets } from "../capabilities/secrets.ts";
import type { Strikes } from "./strikes.ts";
import type { Bundle, CheckedOutcome, JobPlace, JobTask, TaskAnswer } from "./tasks.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface RunCall {
  /** The version to run: of a message that waits, the one that it started with. */
  readonly script: LiveScript;
  readonly bindingName: string;
  readonly sinkProperties: Readonly<Record<string, unknown>>;
  readonly limits: ScriptLimits;
  readonly allow: Capabilities;
  /** Of a test: in place of the values of the service. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly cacheable: boolean;
  readonly continueOnFault: boolean;
}

export interface RunRequest {
  readonly messageId: string;
  /** The virtual server that has the message. */
  readonly server?: string | undefined;
  readonly content: Content;
  readonly envelope: JobEnvelope;
  readonly calls: readonly RunCall[];
  /** Measure the heap after each call: for people, it costs time. */
  readonly measureHeap?: boolean;
}

export interface RunFault {
  /** `crash`: it ended its process or never answered. `suspended`: it did so too often. `unavailable`: no process can be had. */
  readonly kind: ScriptFault["kind"] | "crash" | "unavailable" | "suspended";
  /** One line, led by file:line:column of the source where that is known. */
  readonly message: string;
  readonly script: string;
  readonly version: string;
}

/** What one call did. Splices are cumulative against the content of the request. */
export interface ScriptOutcome extends Omit<CheckedOutcome, "fault" | "place" | "heldBackBy"> {
  readonly fault?: RunFault;
  /** Absent: no process ran it to its end. */
  readonly place?: JobPlace;
}

/** Outcomes in the order of the calls; shorter when a call ended the run. */
export interface RunAnswer {
  readonly outcomes: readonly ScriptOutcome[];
}

/** Is told of each call. */
export interface CallActivity {
  called(name: string, version: string, message: string, outcome: ScriptOutcome): void;
}

const STRIKING: ReadonlySet<string> = new Set(["timeout", "memory", "crash"]);

/** One run: its request, and the calls that get a fault without being run. */
interface Run {
  readonly request: RunRequest;
  readonly faults: Map<number, RunFault>;
  probe: boolean;
}

type Search =
  | { readonly kind: "culprit"; readonly position: number; readonly reason: string }
  | { readonly kind: "answer"; readonly answer: TaskAnswer };

export class CallRunner {
  #pool: WorkerPool;
  #strikes: Strikes;
  #log: Logger;
  #activity: CallActivity | undefined;
  #secrets: Secrets | undefined;
  readonly #terms = new WeakMap<RunCall, ScriptCall>();

  constructor(pool: WorkerPool, strikes: Strikes, log: Logger, activity?: CallActivity, secrets?: Secrets) {
    this.#pool = pool;
    this.#strikes = strikes;
    this.#log = log;
    this.#activity = activity;
    this.#secrets = secrets;
  }

  /** Never rejects. */
  async run(request: RunRequest): Promise<RunAnswer> {
    const run: Run = { request, faults: new Map(), probe: false };
    this.#admit(run);
    for (;;) {
      const active = activeCalls(run);
      if (active.length === 0) return this.#noted(request, this.#assemble(run, active, []));
      const answer = await this.#pool.run(this.#taskOf(run, active), { probe: run.probe });
      const outcomes =
        answer.kind === "outcomes" ? answer.outcomes : await this.#recover(run, active, answer);
      if (outcomes !== undefined) return this.#noted(request, this.#assemble(run, active, outcomes));
    }
  }

  #noted(request: RunRequest, raw: RunAnswer): RunAnswer {
    const secrets = this.#secrets;
    const answer =
      secrets === undefined || secrets.isEmpty
        ? raw
        : { outcomes: raw.outcomes.map((outcome) => secrets.redactOutcome(outcome)) };
    if (this.#activity === undefined) return answer;
    for (let index = 0; index < answer.outcomes.length; index += 1) {
      const script = request.calls[index]?.script;
      const outcome = answer.outcomes[index];
      if (script !== undefined && outcome !== undefined)
        this.#activity.called(script.name, script.version, request.messageId, outcome);
    }
    return answer;
  }

  #admit(run: Run): void {
    run.request.calls.forEach((call, index) => {
      if (!(call.script instanceof LoadedScript)) {
        run.faults.set(index, faultOf(call, "unavailable", "is no script of this service"));
        return;
      }
      const admission = this.#strikes.admit(call.script.version);
      if (admission === "suspended" && !isOfProbe(run, index, call.script.version))
        run.faults.set(index, this.#suspension(call));
      run.probe ||= admission === "probe";
    });
  }

  #taskOf({ request }: Run, active: readonly number[]): JobTask {
    const { messageId, server, content, envelope, calls, measureHeap = false } = request;
    const terms: ScriptCall[] = [];
    const bundles: Bundle[] = [];
    for (const index of active) {
      const call = calls[index];
      if (call === undefined || !(call.script instanceof LoadedScript)) continue;
      terms.push(this.#termsOf(call));
      bundles.push(call.script.bundle);
    }
    return { kind: "job", messageId, server, content, envelope, calls: terms, bundles, measureHeap };
  }

  /** The same object for the same call, as a process is told of each object once. */
  #termsOf(call: RunCall): ScriptCall {
    const secrets = call.secrets ?? this.#secrets?.pick(call.allow.secrets);
    const known = this.#terms.get(call);
    if (known !== undefined && areSame(known.secrets, secrets)) return known;
    const { script, sinkProperties, ...asTheyAre } = call;
    const terms: ScriptCall = {
      ...asTheyAre,
      version: script.version,
      sinkProperties: JSON.stringify(sinkProperties),
      ...(secrets === undefined ? undefined : { secrets }),
    };
    this.#terms.set(call, terms);
    return terms;
  }

  /** Notes the faults of calls that could not answer. Undefined: the others have to be run. */
  async #recover(
    run: Run,
    active: readonly number[],
    answer: TaskAnswer,
  ): Promise<readonly CheckedOutcome[] | undefined> {
    const calls = run.request.calls;
    switch (answer.kind) {
      case "outcomes":
        return answer.outcomes;
      case "inspected":
      case "unavailable":
        for (const index of active) {
          noteFault(run, index, "unavailable", answer.kind === "unavailable" ? answer.reason : "no answer");
        }
        return undefined;
      case "suspended":
        for (const index of active) {
          const call = calls[index];
          if (call !== undefined && this.#strikes.isSuspended(call.script.version))
            run.faults.set(index, this.#suspension(call));
        }
        return undefined;
      case "crash": {
        const found = await this.#findCulprit(run, active, answer.reason);
        if (found.kind === "answer") return this.#recover(run, active, found.answer);
        const index = active[found.position] ?? 0;
        noteFault(run, index, "crash", `ended its sandbox process: ${found.reason}`);
        this.#strike(calls[index], `crash: ${found.reason}`);
        return undefined;
      }
    }
  }

  /** The job killed twice, the second time alone: growing beginnings of it tell which call it was. */
  async #findCulprit(run: Run, active: readonly number[], reason: string): Promise<Search> {
    if (active.length === 1) return { kind: "culprit", position: 0, reason };
    let answer: TaskAnswer = { kind: "crash", reason };
    for (let length = 1; length <= active.length; length += 1) {
      const { probe } = run;
      answer = await this.#pool.run(this.#taskOf(run, active.slice(0, length)), { alone: true, probe });
      if (answer.kind === "crash") return { kind: "culprit", position: length - 1, reason: answer.reason };
      // Not a crash this time, and no further call would run.
      if (answer.kind !== "outcomes" || answer.outcomes.length < length) break;
    }
    return { kind: "answer", answer };
  }

  #suspension(call: RunCall): RunFault {
    return faultOf(call, "suspended", this.#strikes.reasonOf(call.script.version));
  }

  #strike(call: RunCall | undefined, cause: string): void {
    if (call === undefined) return;
    const { name, version } = call.script;
    if (!this.#strikes.strike(version, cause)) return;
    this.#log.error(
      { script: name, version, cause },
      "script suspended after too many timeouts or crashes in a row; save a corrected version",
    );
  }

  #assemble(
    { request, faults }: Run,
    active: readonly number[],
    outcomes: readonly CheckedOutcome[],
  ): RunAnswer {
    if (faults.size === 0 && outcomes.length === active.length && outcomes.length === 1) {
      return { outcomes: outcomes.map((outcome, index) => this.#judged(request.calls[index], outcome)) };
    }
    const found: ScriptOutcome[] = [];
    let taken = 0;
    for (const [index, call] of request.calls.entries()) {
      const fault = faults.get(index);
      const outcome = fault === undefined ? outcomes[taken] : undefined;
      if (fault === undefined) taken += 1;
      if (fault !== undefined) found.push(withoutEffect(fault));
      else if (outcome === undefined) break;
      else found.push(this.#judged(call, outcome));
      const last = found.at(-1);
      if (last?.fault === undefined ? last?.verdict === 1 : !call.continueOnFault) break;
    }
    return { outcomes: found };
  }

  /** The outcome with its fault in terms of the source, and counted. */
  #judged(call: RunCall | undefined, outcome: CheckedOutcome): ScriptOutcome {
    if (outcome.fault !== undefined) return this.#withFault(call, outcome, outcome.fault);
    if (call !== undefined && this.#strikes.clear(call.script.version)) {
      this.#log.info(
        { script: call.script.name, version: call.script.version },
        "script no longer suspended",
      );
    }
    const { fault: _none, ...rest } = outcome;
    return rest;
  }

  #withFault(call: RunCall | undefined, outcome: CheckedOutcome, fault: ScriptFault): ScriptOutcome {
    const { fault: _raw, heldBackBy, ...rest } = outcome;
    if (call === undefined) return rest;
    const { script } = call;
    const { kind } = fault;
    const located =
      script instanceof LoadedScript ? locateFault(fault, script.name, script.positions) : fault.message;
    const message =
      heldBackBy === undefined ? located : `${located}, which had to wait for its turn (${heldBackBy})`;
    if (!STRIKING.has(kind)) this.#strikes.clear(script.version);
    // What passed in a queue of ours says nothing of the script.
    else if (heldBackBy === undefined) this.#strike(call, `${kind}: ${message}`);
    return { ...rest, fault: { kind, message, script: script.name, version: script.version } };
  }
}

/** Several bindings may run the same version: their calls on one message are one probe. */
const isOfProbe = ({ request, faults }: Run, index: number, version: string): boolean =>
  request.calls.slice(0, index).some(({ script }, at) => script.version === version && !faults.has(at));

/** The calls that can be run: those without a fault, as far as the first fault that ends the run. */
function activeCalls({ request, faults }: Run): number[] {
  const active: number[] = [];
  for (const [index, call] of request.calls.entries()) {
    if (!faults.has(index)) active.push(index);
    else if (!call.continueOnFault) break;
  }
  return active;
}

function faultOf({ script }: RunCall, kind: RunFault["kind"], message: string): RunFault {
  return { kind, message: `${script.name}: ${message}`, script: script.name, version: script.version };
}

type SecretValues = ScriptCall["secrets"];

function areSame(some: SecretValues, others: SecretValues): boolean {
  if (some === undefined || others === undefined) return some === others;
  const names = Object.keys(some);
  return names.length === Object.keys(others).length && names.every((name) => some[name] === others[name]);
}

function noteFault({ request, faults }: Run, index: number, kind: RunFault["kind"], message: string): void {
  const call = request.calls[index];
  if (call !== undefined) faults.set(index, faultOf(call, kind, message));
}

function withoutEffect(fault: RunFault): ScriptOutcome {
  return { verdict: 0, logs: [], logsDropped: 0, micros: 0, readBody: false, fault };
}
