// The account of one categorization: which bindings were considered, what the directory and the sinks said of each address.
import type { AddressLine, CategorizationLine, ConsideredLine } from "../observe/effect-lines.ts";

const ENDS: Readonly<Record<string, string>> = {
  discarded: "discarded",
  badmail: "moved to Badmail",
  retry: "back to the queue, to be tried again",
  hold: "held",
};

const ANSWERS: Readonly<Record<string, string>> = {
  unknown: "unknown to the directory",
  "not-mine": "of no domain of the directory",
  ambiguous: "claimed by several entries",
};

/** How an address ended, where its words in the record are not those for people. */
const ADDRESS_ENDS: Readonly<Record<string, string>> = {
  same: "the same as another address of the message",
  "left out": "left out: it has no mail address",
  "taken away": "taken away by a sink",
};

export function explainCategorization({
  time,
  end,
  why,
  forks,
  categorization,
}: CategorizationLine): string[] {
  const { bindings, addresses, addressCount, recipients } = categorization;
  const ended =
    ENDS[end] ??
    (recipients === 0 ? "no recipient is left" : `goes on to ${counted(recipients, "recipient")}`);
  const lines = [`categorization, ended ${new Date(time).toISOString()}: ${ended}`];
  if (why !== undefined) lines.push(`  ${why}`);
  lines.push(...bindings.map(explainBinding), ...addresses.map(explainAddress));
  const more = addressCount - addresses.length;
  if (more > 0) lines.push(`     and ${counted(more, "further address", "further addresses")}`);
  if (forks !== undefined) lines.push(`  recipients went their own way as ${forks.join(", ")}`);
  return lines;
}

function explainBinding({ name, priority, passedOver }: ConsideredLine): string {
  const binding = `${name} (priority ${priority})`;
  return passedOver === undefined ? `  +  ${binding}` : `  -  ${binding}: not called, ${passedOver}`;
}

function explainAddress(line: AddressLine): string {
  const { asked, behind, answer, entry, limits, end, reply } = line;
  const who = end === "sender" ? "the sender " : "";
  const of = behind === undefined ? "" : ` of <${behind}>`;
  const parts = end === "same" ? [] : [answerText(answer, entry)];
  if (limits !== undefined) parts.push(limits.join(", "));
  if (end === "failed") parts.push(`failed: ${reply ?? ""}`);
  else if (end !== "sender" && end !== "undecided") parts.push(endText(line));
  return `     ${who}<${asked}>${of}: ${parts.join("; ")}`;
}

function answerText(answer: AddressLine["answer"], entry: AddressLine["entry"]): string {
  if (answer === undefined) return "not answered";
  return entry === undefined ? (ANSWERS[answer] ?? answer) : `found, ${entry.kind} ${entry.key}`;
}

function endText({ end, address, targets = [], targetCount = 0 }: AddressLine): string {
  const to = address === undefined ? "" : ` as <${address}>`;
  const first = targets.map((target) => `<${target}>`).join(", ");
  const leads = targetCount > targets.length ? `${first} and more` : first;
  if (end === "expanded") return `expanded to ${targetCount}${targetCount === 0 ? "" : `: ${leads}`}`;
  const text = `${ADDRESS_ENDS[end] ?? end}${to}`;
  return targetCount === 0 ? text : `${text} to ${leads}`;
}

const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
