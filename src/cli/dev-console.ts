// The live console of `onarrival dev`: each message with what every script did to it, reloads and errors, in order.
import type { Audience } from "../composition/observation/audience.ts";
import { type SeenCall, seenCalls } from "../composition/scripts/seen-calls.ts";
import { sourceFrame } from "../composition/scripts/source-frame.ts";
import { describeError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { EffectRun, RunEnd } from "../events/effects.ts";
import { attachmentParts } from "../mime/bodies.ts";
import { MimeDocument } from "../mime/document.ts";
import { decodeWords } from "../mime/encoded-words.ts";
import { bufferSource } from "../mime/source.ts";
import type { LiveScript, RunAnswer, RunRequest } from "../sandbox/script-host.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";
import type { ShadowResult } from "../sandbox/shadow-runs.ts";
import { type Output } from "./output.ts";
import type { Paint } from "./paint.ts";
import { comparisonText } from "./explain-text.ts";
import { describeFrame, describeReport, describeVerdict } from "./run-report.ts";

/** Lines shown of one script on one message, and messages that wait to be shown; what is beyond is counted. */
const MAX_LINES = 80;
const MAX_WAITING = 200;

export interface ConsoleParts {
  readonly output: Output;
  readonly paint: Paint;
  readonly json: boolean;
  readonly now: () => number;
  readonly scriptsFolder: () => string;
}

type Calls = readonly Promise<readonly SeenCall[]>[];

export class DevConsole implements Audience {
  readonly #parts: ConsoleParts;
  /** Runs of scripts by message, until it is known what becomes of it. */
  readonly #running = new Map<string, Promise<readonly SeenCall[]>[]>();
  #known = new Map<string, string>();
  #broken = new Map<string, string>();
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #skipped = 0;

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
  }

  ran(request: RunRequest, answer: RunAnswer): void {
    if (this.#waiting >= MAX_WAITING) return;
    if (this.#running.size >= MAX_WAITING) this.#forgetOldest();
    const calls = this.#running.get(request.messageId) ?? [];
    const seen = seenCalls(request, answer);
    // It is awaited when the message has ended; until then nobody looks at its failure.
    seen.catch(() => undefined);
    this.#running.set(request.messageId, [...calls, seen]);
  }

  /** A message whose run broke off never ends. */
  #forgetOldest(): void {
    const [oldest] = this.#running.keys();
    if (oldest !== undefined) this.#running.delete(oldest);
  }

  ended(run: EffectRun<ScriptTarget>, end: RunEnd): void {
    const calls = this.#running.get(run.id) ?? [];
    this.#running.delete(run.id);
    if (this.#waiting >= MAX_WAITING) {
      this.#skipped += 1;
      return;
    }
    this.#say(() => this.#message(run, end, calls));
  }

  ranInShadow(result: ShadowResult): void {
    if (this.#waiting < MAX_WAITING) this.#say(() => this.#shadow(result));
  }

  scriptsChanged(scripts: ReadonlyMap<string, LiveScript>, broken: ReadonlyMap<string, string>): void {
    const { paint } = this.#parts;
    for (const [name, { version }] of scripts) {
      const previous = this.#known.get(name);
      const isAgain = previous === version && this.#broken.has(name) && !broken.has(name);
      if (previous === version && !isAgain) continue;
      const what =
        previous === undefined ? "live" : isAgain ? "as it was, live" : `reloaded, was ${previous}`;
      this.#event(
        { script: name, version, event: "live" },
        paint("added", `${printable(name)} ${version} ${what}`),
      );
    }
    for (const name of this.#known.keys())
      if (!scripts.has(name))
        this.#event({ script: name, event: "removed" }, paint("warning", `${printable(name)} removed`));
    for (const [name, problem] of broken)
      if (this.#broken.get(name) !== problem)
        this.#say(() => this.#problem(name, problem, scripts.get(name)));
    // A new version goes live a moment before the error of the one before it is taken back: that is no second event.
    const reloaded = [...scripts].filter(([name, { version }]) => this.#known.get(name) !== version);
    this.#known = new Map([...scripts].map(([name, { version }]) => [name, version]));
    this.#broken = new Map(broken);
    for (const [name] of reloaded) this.#broken.delete(name);
  }

  /** Resolves when everything so far is written. */
  async flush(): Promise<void> {
    await this.#last;
  }

  // ---- what is said ----

  #event(value: object, text: string): void {
    this.#say(() => Promise.resolve([{ value, lines: [this.#stamped(text)] }]));
  }

  async #problem(name: string, problem: string, live: LiveScript | undefined): Promise<Said[]> {
    const { paint, scriptsFolder } = this.#parts;
    const frame = await sourceFrame(scriptsFolder(), problem);
    const stays = live === undefined ? "it has no good version" : `version ${live.version} stays live`;
    return [
      {
        value: { script: name, event: "broken", error: problem, live: live?.version },
        lines: [
          this.#stamped(paint("fault", printable(`${name} is broken: ${problem}`))),
          ...describeFrame(frame, paint),
          `  ${stays}`,
        ],
      },
    ];
  }

  async #message(run: EffectRun<ScriptTarget>, end: RunEnd, calls: Calls): Promise<Said[]> {
    const { paint } = this.#parts;
    const { sender, recipients } = run.envelope;
    const seen = (await Promise.all(calls)).flat();
    const to = recipients.map(({ address }) => address).join(", ");
    const lines = [
      "",
      this.#stamped(
        paint("title", printable(`${run.id} <${sender}> → ${shortened(to, 200)}, ${run.content.size} bytes`)),
      ),
      ...describeContent(run.content.header),
    ];
    for (const call of seen) lines.push(...(await this.#call(call)));
    for (const call of run.calls) {
      if ("effect" in call) continue;
      const name = run.chain.sinks[call.position]?.binding.displayName ?? "";
      lines.push("", `  ${printable(name)} (native) ${(call.micros / 1000).toFixed(2)} ms`);
    }
    if (run.calls.length === 0) lines.push(paint("quiet", `  ${whyNoCall(run)}`));
    const outcome = `${end.kind}${end.text === undefined ? "" : `: ${printable(end.text)}`}`;
    const isGood = end.kind === "submitted" || end.kind === "discarded";
    lines.push("", `  → ${isGood ? outcome : paint("fault", outcome)}`);
    const reports = seen.map(({ bindingName, report }) => {
      const { content: _, ...shown } = report;
      return { bindingName, ...shown };
    });
    const value = {
      message: run.id,
      event: "message",
      sender,
      recipients: recipients.map((one) => one.address),
    };
    return [{ value: { ...value, scripts: reports, end }, lines }];
  }

  async #shadow({ id, sink, effect, live, differs, why }: ShadowResult): Promise<Said[]> {
    const { paint, scriptsFolder } = this.#parts;
    const { scriptName: script, script: loaded } = sink.script;
    const { fault, logs, verdict, micros } = effect;
    const frame = fault === undefined ? [] : await sourceFrame(scriptsFolder(), fault.message);
    const version = loaded?.version ?? "";
    const time = `${(micros / 1000).toFixed(2)} ms`;
    const lines = [
      this.#stamped(paint("title", printable(`${id} in shadow: ${script} (version ${version}) ${time}`))),
      fault === undefined
        ? `  verdict   ${describeVerdict(verdict)}`
        : paint("fault", `  fault     ${fault.kind}: ${printable(fault.message)}`),
      ...describeFrame(frame, paint),
      ...logs.slice(0, MAX_LINES).map(({ level, text }) => `  ${level}: ${printable(text)}`),
      `  ${printable(comparisonText(differs, live?.sink.binding.displayName, why))}`,
    ];
    const value = { message: id, event: "shadow", script, version, verdict, fault, logs, differs, why };
    return [{ value, lines }];
  }

  async #call({ report, bindingName }: SeenCall): Promise<string[]> {
    const { paint, scriptsFolder } = this.#parts;
    const frame = report.fault === undefined ? [] : await sourceFrame(scriptsFolder(), report.fault.message);
    const lines = describeReport(report, frame, paint, true);
    const binding = bindingName === report.script ? [] : [`binding   ${printable(bindingName)}`];
    const attachments = describeAttachments(report.content);
    const all = [...binding, ...lines, ...attachments].map((line) => `  ${line}`.trimEnd());
    const more =
      all.length > MAX_LINES ? [paint("quiet", `  … and ${all.length - MAX_LINES} more lines`)] : [];
    return ["", ...all.slice(0, MAX_LINES), ...more];
  }

  #stamped(text: string): string {
    const time = new Date(this.#parts.now()).toTimeString().slice(0, 8);
    return `${this.#parts.paint("quiet", time)} ${text}`;
  }

  /** One after the other: a message is not torn apart by the next one. */
  #say(make: () => Promise<readonly Said[]>): void {
    this.#waiting += 1;
    const previous = this.#last;
    this.#last = (async () => {
      await previous;
      const said = await make().catch(failure);
      this.#waiting -= 1;
      for (const one of said) this.#write(one);
      if (this.#waiting === 0) this.#saySkipped();
    })();
  }

  #saySkipped(): void {
    const messages = this.#skipped;
    this.#skipped = 0;
    if (messages > 0)
      this.#write({
        value: { event: "skipped", messages },
        lines: [`${messages} messages came too fast to be shown`],
      });
  }

  #write({ value, lines }: Said): void {
    const { output, json } = this.#parts;
    output.out(json ? `${JSON.stringify(value)}\n` : `${lines.join("\n")}\n`);
  }
}

interface Said {
  readonly value: object;
  readonly lines: readonly string[];
}

/** The content was gone before it was read, or cannot be parsed: the mail itself goes on. */
function failure(thrown: unknown): Said[] {
  const error = describeError(thrown);
  return [{ value: { event: "error", error }, lines: [`  not shown: ${printable(error)}`] }];
}

function whyNoCall({ chain, shadows = [], passedOver = [] }: EffectRun<ScriptTarget>): string {
  const nameOf = (position: number): string => chain.sinks[position]?.binding.displayName ?? "";
  const reasons = [
    ...shadows.map((position) => `${nameOf(position)} runs in shadow`),
    ...passedOver.map(([position, reason]) => `${nameOf(position)} is not called (${reason})`),
    ...chain.disabled.map(({ binding }) => `${binding.displayName} is disabled`),
  ];
  if (reasons.length === 0) return "no sink has a rule for it";
  return printable(shortened(`no sink is called: ${reasons.join(", ")}`, 500));
}

const shortened = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max)}…`;

function describeContent(header: Buffer): string[] {
  const subject = new MimeDocument(bufferSource(header)).root.headers.get("Subject");
  return subject === undefined ? [] : [`  Subject: ${printable(shortened(decodeWords(subject), 200))}`];
}

function describeAttachments(content: Buffer): string[] {
  const parts = attachmentParts(new MimeDocument(bufferSource(content)));
  if (parts.length === 0) return [];
  const names = parts.map((part) => printable(part.fileName === "" ? part.mediaType : part.fileName));
  return ["", `attachments behind it: ${shortened(names.join(", "), 500)}`];
}
