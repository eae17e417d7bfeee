// The tests of a script before it goes live: the samples that it names and the cases beside it, in the real sandbox.
import { join } from "node:path";
import { type CaseFound, DEFAULT_SCRIPT_LIMITS, type ScriptCall } from "../../../runtime/contract.ts";
import { Content } from "../../message/content.ts";
import type { Rehearsal } from "../capabilities/prepared-answers.ts";
import { checkCasePlan, type PlannedCase } from "./case-plan.ts";
import { compileScript, type CompiledScript } from "./compiler.ts";
import type { ScriptBuilder } from "./script-build.ts";
import type { ScriptBinding } from "./script-binding.ts";
import { secretsFor } from "./script-needs.ts";
import { placeholders } from "../capabilities/secrets.ts";
import { readInside, readScriptFile, stemOf } from "./script-file.ts";
import { locateFault, SourcePositions } from "./source-positions.ts";
import type { Bundle, CheckedOutcome, TaskAnswer } from "../pool/tasks.ts";

export type CasesAnswer =
  | { readonly kind: "passed" | "failed"; readonly message: string; readonly files: readonly string[] }
  | { readonly kind: "unavailable"; readonly reason: string };

/** The version that is about to go live. */
export interface Candidate {
  readonly name: string;
  readonly text: string;
  readonly script: CompiledScript;
  readonly binding: ScriptBinding;
  /** Capabilities that it names at load. */
  readonly needs?: readonly string[] | undefined;
}

const TEST_ENDINGS = [".test.ts", ".test.js", ".test.mjs"];
const MAX_SAMPLE_BYTES = 16 * 1024 * 1024;
/** Whether it runs in the hands of a test runner, which has its own way with it. */
export const isForeignTest = (text: string): boolean => /\bfrom\s*["'](?:vitest|node:test)["']/.test(text);
const PASSED = { kind: "passed", message: "", files: [] } as const;

/** `entries`: the names in the folder, when somebody has just listed them. */
export async function runCases(
  builder: ScriptBuilder,
  candidate: Candidate,
  entries: ReadonlySet<string> | undefined,
): Promise<CasesAnswer> {
  const test = await findTest(builder.folder, candidate.name, entries);
  // Whether it exports them, the script itself says when it is loaded.
  const hasSamples = /\bexport\b/.test(candidate.text) && /\bsamples\b/.test(candidate.text);
  if (test?.kind === "refused") return { kind: "failed", message: test.reason, files: [test.path] };
  if (test === undefined && !hasSamples) return PASSED;
  return new CaseRun(builder, candidate, test?.name, hasSamples).run();
}

type FoundTest =
  | { readonly kind: "test"; readonly name: string }
  | { readonly kind: "refused"; readonly path: string; readonly reason: string };

async function findTest(
  folder: string,
  scriptName: string,
  entries: ReadonlySet<string> | undefined,
): Promise<FoundTest | undefined> {
  for (const ending of TEST_ENDINGS) {
    const name = stemOf(scriptName) + ending;
    if (entries?.has(name) === false) continue;
    const file = await readScriptFile(folder, name);
    if (file.kind === "refused")
      return { kind: "refused", path: join(folder, name), reason: `${name}: ${file.reason}` };
    if (file.kind === "source" && !isForeignTest(file.text)) return { kind: "test", name };
  }
  return undefined;
}

/** Ends a run: what is wrong, or that nothing could be found out. */
class CaseStop extends Error {
  readonly isUnavailable: boolean;

  constructor(message: string, isUnavailable = false) {
    super(message);
    this.isUnavailable = isUnavailable;
  }
}

class CaseRun {
  #builder: ScriptBuilder;
  #candidate: Candidate;
  /** The test beside the script, or the script itself when it only names samples. */
  #testName: string;
  #hasTest: boolean;
  #hasSamples: boolean;
  #files: string[] = [];
  #deadline: number;

  constructor(
    builder: ScriptBuilder,
    candidate: Candidate,
    testName: string | undefined,
    hasSamples: boolean,
  ) {
    this.#builder = builder;
    this.#candidate = candidate;
    this.#testName = testName ?? candidate.name;
    this.#hasTest = testName !== undefined;
    this.#hasSamples = hasSamples;
    this.#deadline = builder.clock.now() + builder.testMs;
    if (testName !== undefined) this.#files.push(join(builder.folder, testName));
  }

  async run(): Promise<CasesAnswer> {
    const { script, name } = this.#candidate;
    // A version of its own: what the cases leave in the isolate must not be there for the first message.
    const tested = bundleOf(`${script.version}-tested`, name, script.code);
    let checker: Checker | undefined;
    try {
      checker = await this.#createChecker();
      for (const one of await this.#plan(checker)) {
        if (this.#builder.clock.now() > this.#deadline)
          throw new CaseStop(
            `${this.#testName}: the cases take longer than ${this.#builder.testMs} ms in all`,
          );
        await this.#runCase(one, tested, checker);
      }
      return { kind: "passed", message: "", files: this.#files };
    } catch (error) {
      if (!(error instanceof CaseStop)) throw error;
      if (error.isUnavailable) return { kind: "unavailable", reason: error.message };
      return { kind: "failed", message: error.message, files: this.#files };
    } finally {
      this.#builder.pool.retire(tested.version);
      if (checker !== undefined) this.#builder.pool.retire(checker.bundle.version);
    }
  }

  async #createChecker(): Promise<Checker> {
    const { folder, cdoModule } = this.#builder;
    const text = `import { casePlan, differencesOf } from "onarrival:case-check";
${importOf(this.#hasSamples, this.#candidate.name, "script")}
${importOf(this.#hasTest, this.#testName, "test")}
export const binding = casePlan(script, test);
export default function onArrival(msg, status, event) {
  for (const line of differencesOf(test, msg, event.properties)) console.error(line);
}`;
    const compiled = await compileScript({ folder, name: `_${this.#testName}.check.js`, text, cdoModule });
    if (compiled.kind === "failed") {
      this.#files.push(...compiled.imports);
      throw new CaseStop(compiled.message);
    }
    const { script } = compiled;
    this.#files.push(...script.imports);
    return {
      bundle: bundleOf(`${script.version}-check`, this.#testName, script.code),
      positions: new SourcePositions(script.sourceMap),
    };
  }

  async #plan({ bundle, positions }: Checker): Promise<readonly PlannedCase[]> {
    const answer = await this.#builder.pool.run({ kind: "inspect", bundle, limits: DEFAULT_SCRIPT_LIMITS });
    if (answer.kind !== "inspected") throw stopOf(answer, `${this.#testName}: did not load`);
    const { fault, binding } = answer.loaded;
    if (fault !== undefined) throw new CaseStop(locateFault(fault, this.#testName, positions));
    const plan = checkCasePlan(binding, this.#hasTest);
    if (typeof plan === "string") throw new CaseStop(`${this.#testName}: ${plan}`);
    return plan;
  }

  async #runCase(one: PlannedCase, tested: Bundle, checker: Checker): Promise<void> {
    const label = `${this.#testName}: ${one.title}`;
    const content = Content.fromBuffer(await this.#messageOf(one, label));
    const { sinkProperties = {} } = this.#candidate.binding;
    const properties = one.properties ?? sinkProperties;
    const rehearsal = this.#builder.answers.begin(one);
    const { outcome, fault } = await this.#call(tested, content, one, properties, label, rehearsal).finally(
      () => this.#builder.answers.end(rehearsal),
    );
    if (fault !== undefined && !one.mayFault) throw new CaseStop(`${label}: the script failed: ${fault}`);
    if (one.index === undefined) return;
    const after =
      outcome?.splices === undefined || fault !== undefined ? content : content.splice(outcome.splices);
    const found = { ...foundOf(one, outcome, content, after, fault), asked: askedOf(rehearsal) };
    const check = await this.#call(checker.bundle, after, one, { index: one.index, found }, label);
    if (check.fault !== undefined) throw new CaseStop(`${label}: the comparison failed: ${check.fault}`);
    const differences = check.outcome?.logs.map(({ text }) => text) ?? [];
    if (differences.length > 0) throw new CaseStop(`${label}: ${differences.join("; ")}`);
  }

  async #messageOf({ eml, message }: PlannedCase, label: string): Promise<Buffer> {
    if (eml === undefined) return withCrlf(Buffer.from(message ?? ""));
    const path = join(this.#builder.folder, eml);
    this.#files.push(path);
    const file = await readInside(this.#builder.folder, path, MAX_SAMPLE_BYTES);
    if (file.kind === "refused") throw new CaseStop(`${label}: ${eml} ${file.reason}`);
    return withCrlf(file.bytes);
  }

  async #call(
    bundle: Bundle,
    content: Content,
    { sender, recipients, clientAddress, secrets }: PlannedCase,
    sinkProperties: Readonly<Record<string, unknown>>,
    label: string,
    rehearsal?: Rehearsal,
  ): Promise<{ outcome: CheckedOutcome | undefined; fault: string | undefined }> {
    const { name, script, binding, needs = [] } = this.#candidate;
    const granted = secretsFor(needs, this.#builder.grantsOf?.(name) ?? []);
    const call: ScriptCall = {
      version: bundle.version,
      bindingName: binding.displayName ?? name,
      sinkProperties: JSON.stringify(sinkProperties),
      limits: { ...DEFAULT_SCRIPT_LIMITS, ...binding.limits },
      // What it sends goes nowhere, what it reads goes nowhere else.
      allow: { ...rehearsal?.allow, send: true, read: ["**"] },
      secrets: { ...placeholders(granted), ...secrets },
      cacheable: false,
      continueOnFault: false,
    };
    const answer = await this.#builder.pool.run({
      kind: "job",
      messageId: rehearsal?.messageId ?? "TEST",
      content,
      envelope: {
        sender,
        recipients,
        arrivalTime: this.#builder.clock.now(),
        clientAddress,
        pickupFileName: "",
        status: 0,
      },
      calls: [call],
      bundles: [bundle],
    });
    if (answer.kind !== "outcomes") throw stopOf(answer, label);
    const outcome = answer.outcomes[0];
    const fault = outcome?.fault;
    const positions = new SourcePositions(script.sourceMap);
    return { outcome, fault: fault === undefined ? undefined : locateFault(fault, name, positions) };
  }
}

const askedOf = ({ fetched, kv }: Rehearsal): CaseFound["asked"] => ({
  fetched: fetched.map(({ method, url }) => `${method} ${url}`),
  kv: Object.fromEntries([...kv].map(([key, value]) => [key, value.toString()])),
});

const importOf = (isThere: boolean, file: string, name: string): string =>
  isThere ? `import * as ${name} from ${JSON.stringify(`./${file}`)};` : `const ${name} = {};`;

interface Checker {
  readonly bundle: Bundle;
  readonly positions: SourcePositions;
}

const bundleOf = (version: string, scriptName: string, code: string): Bundle => ({
  version,
  scriptName,
  code: Buffer.from(code),
});

function stopOf(answer: TaskAnswer, label: string): CaseStop {
  if (answer.kind === "unavailable") return new CaseStop(answer.reason, true);
  const reason = answer.kind === "crash" ? answer.reason : "no answer";
  return new CaseStop(`${label}: ended its sandbox process (${reason})`);
}

function foundOf(
  one: PlannedCase,
  outcome: CheckedOutcome | undefined,
  before: Content,
  after: Content,
  fault: string | undefined,
): Omit<CaseFound, "asked"> {
  if (outcome === undefined || fault !== undefined) {
    const { sender, recipients } = one;
    const logs = outcome?.logs.map(({ text }) => text) ?? [];
    const unchanged = {
      verdict: 0,
      status: 0,
      sender,
      recipients,
      changed: false,
      changes: "",
      logs,
      sent: 0,
    } as const;
    return fault === undefined ? unchanged : { ...unchanged, fault };
  }
  const { verdict, status = 0, sender = one.sender, recipients = one.recipients, logs, sent = [] } = outcome;
  const sameRecipients = JSON.stringify(recipients) === JSON.stringify(one.recipients);
  const changes = [
    ...(isSameContent(before, after) ? [] : ["the content differs"]),
    ...(sender === one.sender ? [] : [`the sender is ${sender}`]),
    ...(sameRecipients ? [] : [`the recipients are ${recipients.join(", ")}`]),
    ...(status === 0 ? [] : [`the status is ${status}`]),
  ];
  return {
    verdict,
    status,
    sender,
    recipients,
    changed: changes.length > 0,
    changes: changes.join(", "),
    logs: logs.map(({ text }) => text),
    sent: sent.length,
  };
}

const isSameContent = (before: Content, after: Content): boolean =>
  before === after || bytesOf(before).equals(bytesOf(after));

/** All of them lie in memory: samples are read whole. */
const bytesOf = ({ pieces }: Content): Buffer =>
  Buffer.concat(pieces.filter((piece) => Buffer.isBuffer(piece)));

/** Editors of message files leave bare LF; mail has CRLF. */
function withCrlf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("latin1").replaceAll(/\r?\n/g, "\r\n"), "latin1");
}
