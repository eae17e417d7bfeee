// The table of what follows an answer, a fault or a status of a sink, as src/events/expectations.ts has it.
import type { Doing, Expectation, Row } from "../src/events/expectation-rows.ts";
import { EXPECTATIONS } from "../src/events/expectations.ts";
import type { PageParts } from "./event-docs.ts";

const TEST = "test/unit/events/table.test.ts";

const LABELS: Readonly<Partial<Record<Doing, string>>> = {
  nothing: "nothing",
  runNext: "`runNext` (`S_OK`)",
  skipRemaining: "`skipRemaining` (`S_FALSE`)",
  consumed: "`consumed` (`EXPE_S_CONSUMED`)",
  promise: "a promise (`S_PENDING`)",
  throw: "throw",
  rejection: "rejected promise",
  nonsense: "another answer",
  late: "no answer in time",
};

/** Parts of the page of an event; none when the table does not have it. */
export function expectationTables(name: string, table: PageParts["table"]): string[] {
  const kinds = Object.entries(EXPECTATIONS).find(([event]) => event === name)?.[1] ?? [];
  const parts = kinds.flatMap((expectation) => [
    ...(expectation.kind === undefined ? [] : [`### \`${expectation.kind}\``]),
    readsText(expectation),
    table(["Answer, fault or status", "`onError`", "What happens"], grouped(expectation.rows)),
  ]);
  return parts.length === 0 ? [] : [...parts, `Each row is executed by \`${TEST}\`.`];
}

function readsText({ reads, changes: shown, rows }: Expectation): string {
  const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
  const changes = rows.some(({ does }) => does.startsWith("status")) ? [...shown, "status"] : shown;
  const changed = changes.length === 0 ? "and change nothing" : `and change ${quoted(changes)}`;
  return `Sinks read ${quoted(reads)} ${changed}.`;
}

/** Rows of one outcome stand in one line. */
function grouped(rows: readonly Row[]): string[][] {
  const lines = new Map<string, { does: string[]; onError: Set<string>; text: string }>();
  for (const { does, onError, text } of rows) {
    const line = lines.get(text) ?? { does: [], onError: new Set<string>(), text };
    const label = LABELS[does] ?? does;
    if (!line.does.includes(label)) line.does.push(label);
    if (onError !== undefined) line.onError.add(`\`${onError}\``);
    lines.set(text, line);
  }
  return [...lines.values()].map(({ does, onError, text }) => [
    does.join(", "),
    [...onError].join(", "),
    text,
  ]);
}
