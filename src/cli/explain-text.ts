// The account of one message for people: every run, every binding in its order, what it did or why it was not called.
import { printable } from "../core/printable.ts";
import type {
  BindingLine,
  CallLine,
  EffectLine,
  MessageLine,
  RecordedMessage,
  ShadowLine,
} from "../observe/effect-lines.ts";
import type { MessageEffects, RecordedRun } from "../observe/effect-search.ts";
import { explainCategorization } from "./explain-categorization.ts";

const STATUSES = ["deliver", "retry later", "abort delivery", "move to Badmail"] as const;
const ENDS: Readonly<Record<string, string>> = {
  submitted: "submitted: goes on",
  discarded: "discarded",
  badmail: "moved to Badmail",
  retry: "back to the queue, to be tried again",
  hold: "held",
  again: "run again at once: the bindings had changed since the run began",
};
/** Bindings whose rules did not match are counted, and named up to this number. */
const MAX_NAMED = 20;

export function explainMessage({ id, runs, categorizations, shadows }: MessageEffects): string[] {
  const lines = [`message    ${id}`, ...explainEnvelope(runs[0]?.line ?? categorizations[0]?.line)];
  for (let index = 0; index <= runs.length; index += 1) {
    for (const { line, runsBefore } of categorizations)
      if (runsBefore === index) lines.push("", ...explainCategorization(line));
    const run = runs[index];
    if (run !== undefined) lines.push("", ...explainRun(run, index + 1));
  }
  if (shadows.length > 0) lines.push("", "in shadow, without any effect on the message:");
  for (const shadow of shadows) lines.push(...explainShadow(shadow));
  return lines.map((line) => printable(line));
}

function explainEnvelope(first: RecordedMessage | undefined): string[] {
  if (first === undefined) return [];
  const { server, messageId, from, to, recipients } = first;
  const more = recipients === undefined ? "" : ` and more, ${recipients} in all`;
  return [
    ...(server === undefined ? [] : [`server     ${server}`]),
    ...(messageId === undefined ? [] : [`Message-ID ${messageId}`]),
    `from       <${from}>`,
    `to         ${to.map((address) => `<${address}>`).join(", ")}${more}`,
  ];
}

function explainRun({ line, chain }: RecordedRun, number: number): string[] {
  const bindings = chain?.bindings ?? [];
  const time = new Date(line.time).toISOString();
  const event = chain?.event === undefined ? "" : `${chain.event}, `;
  const lines = [`run ${number}, ${event}ended ${time}: ${ENDS[line.end] ?? line.end}`];
  if (line.why !== undefined) lines.push(`  ${line.why}`);
  if (chain === undefined)
    lines.push("  the list of the bindings is damaged: only those that were called are shown");
  else if (bindings.length === 0) lines.push("  there were no bindings");
  if (line.start !== undefined)
    lines.push(`  a fork of another message: it begins after the first ${line.start} bindings`);
  lines.push(...explainBindings(line, bindings));
  const forks = (line.forks ?? []).filter((fork) => !line.calls.some(({ sent }) => sent?.includes(fork)));
  if (forks.length > 0) lines.push(`  recipients went their own way as ${forks.join(", ")}`);
  return lines;
}

/** In the order of the chain; neighbours that were not called for the same reason share a line. */
function explainBindings(line: MessageLine, bindings: readonly BindingLine[]): string[] {
  const calls = new Map(line.calls.map((call) => [call.position, call]));
  const passed = new Map(line.passedOver ?? []);
  const shadows = new Set(line.shadows ?? []);
  const lines: string[] = [];
  let idle: { why: string; names: string[] } | undefined;
  const flush = (): void => {
    if (idle !== undefined) lines.push(`  -  ${namesOf(idle.names)}: ${idle.why}`);
    idle = undefined;
  };
  const count = Math.max(bindings.length, ...line.calls.map(({ position }) => position + 1));
  for (let position = line.start ?? 0; position < count; position += 1) {
    const binding = bindings[position];
    const call = calls.get(position);
    if (call !== undefined) {
      flush();
      lines.push(...explainCall(call, binding));
      continue;
    }
    if (binding === undefined) continue;
    const why = shadows.has(position)
      ? "run in shadow"
      : whyNotCalled(line, binding, position, passed.get(position));
    if (idle?.why !== why) flush();
    idle ??= { why, names: [] };
    idle.names.push(titleOf(binding));
  }
  flush();
  return lines;
}

function whyNotCalled(
  line: MessageLine,
  binding: BindingLine,
  position: number,
  passed: string | undefined,
): string {
  if (binding.disabled === true) return "not called: disabled";
  if (position >= line.reached) return `not reached: ${whyOver(line)}`;
  switch (passed) {
    case undefined:
      return `not called: ${whyNotMatched(line, binding)}`;
    case "busy":
      return "left out: too many shadow runs at a time (sandbox.shadowRuns), or its script is not there";
    case "expired":
      return "not called: its expiration is over";
    case "used up":
      return "not called: its maxFirings are used up";
    default:
      return `not called: ${passed}`;
  }
}

function whyNotMatched({ server: came }: MessageLine, { rule, server }: BindingLine): string {
  const ruleText = `the rule did not match${rule === undefined ? "" : ` (${rule})`}`;
  if (server === undefined || server === came) return ruleText;
  const serverText = `it did not come by the virtual server ${server}`;
  return came !== undefined || rule === undefined ? serverText : `${serverText}, or ${ruleText}`;
}

function whyOver({ calls }: MessageLine): string {
  const last = calls.at(-1);
  if (last === undefined) return "the run ended before";
  if (last.fault !== undefined) return "a sink before it failed";
  if (last.status !== 0) return `a sink before it set the status to ${statusOf(last.status)}`;
  return last.verdict === 1 ? "a sink before it answered to skip the remaining ones" : "the run ended before";
}

function namesOf(names: readonly string[]): string {
  if (names.length <= MAX_NAMED) return names.join(", ");
  return `${names.slice(0, MAX_NAMED).join(", ")} and ${names.length - MAX_NAMED} more`;
}

function titleOf({ name, script, shadowOf }: BindingLine): string {
  const file = script === undefined || script === name ? "" : ` (${script})`;
  return `${name}${file}${shadowOf === undefined ? "" : " [shadow]"}`;
}

const statusOf = (status: number): string => `${status} (${STATUSES[status] ?? "?"})`;

function explainCall(call: CallLine, binding: BindingLine | undefined): string[] {
  const title = binding === undefined ? `binding ${call.position + 1}` : titleOf(binding);
  const policy = call.fault === undefined || binding === undefined ? "" : `; onError ${binding.onError}`;
  const lines = [`  ${call.fault === undefined ? "+" : "!"}  ${title}: ${summaryOf(call)}${policy}`];
  lines.push(...detailsOf(call));
  if (call.sent !== undefined) lines.push(`       sent ${call.sent.join(", ")}`);
  return lines;
}

function summaryOf(effect: EffectLine): string {
  const { version, micros, heap, verdict, status, fault } = effect;
  const parts: string[] = [];
  if (version !== undefined) parts.push(`version ${version}`);
  parts.push(`${micros} µs`);
  if (heap !== undefined) parts.push(`heap ${(heap / 1024 / 1024).toFixed(1)} MiB`);
  if (fault !== undefined) {
    parts.push(`failed (${fault.kind}): ${fault.message}`);
  } else {
    parts.push(verdict === 1 ? "skip the remaining sinks" : "run the next sink");
    if (status !== 0) parts.push(`status ${statusOf(status)}`);
  }
  return parts.join(", ");
}

function detailsOf({
  sender,
  recipients,
  recipientCount,
  changes,
  moreChanges,
  asked,
  fault,
}: EffectLine): string[] {
  const lines = (asked ?? []).map((request) => `       asked ${request}`);
  if (fault !== undefined) return lines;
  if (sender !== undefined) lines.push(`       sender is now <${sender}>`);
  if (recipients !== undefined) {
    const more = (recipientCount ?? 0) > recipients.length ? ` and more, ${recipientCount ?? 0} in all` : "";
    const named = recipients.length === 0 ? "none" : recipients.map((to) => `<${to}>`).join(", ");
    lines.push(`       recipients are now ${named}${more}`);
  }
  for (const { what, at, times } of changes ?? []) {
    const often = times === undefined ? "" : ` (${times} times)`;
    lines.push(`       changed ${what}${often}${at === undefined ? "" : ` at ${at}`}`);
  }
  if (moreChanges !== undefined) lines.push(`       and ${moreChanges} further changes`);
  return lines;
}

function explainShadow({ shadow, live, differs, why }: ShadowLine): string[] {
  const lines = [`  ${shadow.name}: ${summaryOf(shadow)}`, ...detailsOf(shadow)];
  for (const recipients of shadow.wouldSend ?? [])
    lines.push(`       would have sent a message to ${recipients.map((to) => `<${to}>`).join(", ")}`);
  lines.push(`       ${comparisonText(differs, live?.name, why)}`);
  return lines;
}

export function comparisonText(
  differs: readonly string[] | undefined,
  live = "the live binding",
  why = "",
): string {
  if (differs === undefined) return `not compared: ${why}`;
  return differs.length === 0
    ? `the same effect as ${live}`
    : `differs from ${live} in ${differs.join(", ")}`;
}
