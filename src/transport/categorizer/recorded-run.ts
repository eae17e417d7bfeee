// One categorization as the effect log keeps it: bindings, addresses, and what became of the message.
import { messageStatus } from "../../core/status.ts";
import type { Envelope } from "../../core/envelope.ts";
import type { Reply } from "../../core/reply.ts";
import type { CategorizationEffect, ConsideredBinding } from "../../events/categorize-effects.ts";
import type { CategorizeSubject } from "../../events/contexts/categorize-contexts.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import type { Content } from "../../message/content.ts";
import type { SubmissionVerdict } from "../submission.ts";
import type { CategorizedVerdict } from "./categorizer.ts";
import { findingsOf } from "./findings.ts";
import type { Item } from "./item.ts";
import { withSystemSink } from "./system-binding.ts";

/** Asked before the run: it may use up the firings of a binding. */
export function consideredBindings(
  chain: SystemChain<CategorizeSubject>,
  sinks: SystemSinks,
  server: string,
): readonly ConsideredBinding[] {
  const all = withSystemSink(chain, () => undefined).sinks.map(({ binding }) => binding);
  return [...all, ...chain.disabled].map((binding) => {
    const { displayName: name, priority } = binding;
    return { name, priority, passedOver: sinks.refusal(binding, server) };
  });
}

export interface RecordedRun {
  readonly id: string;
  readonly envelope: Envelope;
  readonly content: Content;
  readonly bindings: readonly ConsideredBinding[];
  readonly items: readonly Item[];
  readonly verdict: SubmissionVerdict | CategorizedVerdict;
}

export function effectOf({ items, verdict, ...run }: RecordedRun): CategorizationEffect {
  return {
    ...run,
    findings: findingsOf(items, refusals(verdict)),
    findingCount: items.length,
    ...endOf(verdict),
  };
}

function refusals(verdict: RecordedRun["verdict"]): ReadonlyMap<string, Reply> | undefined {
  if (verdict.kind !== "categorized") return undefined;
  return new Map(verdict.tree.failed.map(({ recipient, reply }) => [recipient.address, reply]));
}

type End = Pick<CategorizationEffect, "end" | "why" | "recipients" | "copies">;

function endOf(verdict: RecordedRun["verdict"]): End {
  const nobody = { recipients: 0, copies: [] };
  switch (verdict.kind) {
    case "categorized":
      return endOfMessages(verdict);
    case "submitted":
      return { end: "categorized", ...nobody };
    case "discarded":
    case "badmail":
      return { end: verdict.kind, why: verdict.reason, ...nobody };
    case "retry":
    case "hold":
      return { end: verdict.kind, why: verdict.reason.text, ...nobody };
    case "abandoned":
      return { end: "hold", why: verdict.reason.text, ...nobody };
  }
}

function endOfMessages({ msg, tree }: CategorizedVerdict): End {
  let recipients = 0;
  for (const list of tree.recipients.values()) recipients += list.length;
  const copies = msg.forks.filter((copy) => copy.recipients.count > 0).map(({ id }) => id);
  const bySink = "a sink of OnCategorize set the status";
  if (msg.status === messageStatus.abortDelivery)
    return { end: "discarded", why: bySink, recipients, copies };
  if (msg.status === messageStatus.badMail) return { end: "badmail", why: bySink, recipients, copies };
  return { end: "categorized", recipients, copies };
}
