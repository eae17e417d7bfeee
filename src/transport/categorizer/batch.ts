// What sinks see of the addresses that are looked up together. They are not checked for types when they run: what is no list of
// queries or answers counts as their fault.
import type { BatchContext } from "../../events/contexts/categorize-contexts.ts";
import type { DirectoryAnswer, DirectoryQuery } from "../../events/contexts/directory-entries.ts";

const KINDS: ReadonlySet<unknown> = new Set<DirectoryAnswer["kind"]>([
  "found",
  "unknown",
  "not-mine",
  "ambiguous",
]);

export class Batch implements BatchContext {
  readonly kind: BatchContext["kind"];
  readonly items: BatchContext["items"];
  #queries: BatchContext["queries"];
  #answers: BatchContext["answers"];

  /** The last parameter is what the sub-event before has left; absent: this is the first. */
  constructor(
    kind: BatchContext["kind"],
    items: BatchContext["items"],
    { queries, answers }: Pick<BatchContext, "queries" | "answers"> = { queries: [], answers: undefined },
  ) {
    this.kind = kind;
    this.items = items;
    this.#queries = queries;
    this.#answers = answers;
  }

  get queries(): BatchContext["queries"] {
    return this.#queries;
  }

  set queries(queries: BatchContext["queries"]) {
    if (!Array.isArray(queries) || !queries.every(isQuery))
      throw new TypeError('queries has to be a list of { by: "address" or "key", value: a text }');
    this.#queries = queries;
  }

  get answers(): BatchContext["answers"] {
    return this.#answers;
  }

  set answers(answers: BatchContext["answers"]) {
    if (answers !== undefined && !(Array.isArray(answers) && answers.every(isAnswer)))
      throw new TypeError(`answers has to be a list of { kind: ${[...KINDS].join(", ")} }`);
    this.#answers = answers;
  }
}

const isQuery = (query: Partial<DirectoryQuery> | null | undefined): boolean =>
  (query?.by === "address" || query?.by === "key") && typeof query.value === "string";

const isAnswer = (answer: Partial<DirectoryAnswer> | null | undefined): boolean => KINDS.has(answer?.kind);
