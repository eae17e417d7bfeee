// One message through the ten sub-events of OnCategorize (REFERENCE 4.3): looked up level by level, in batches.
import { setImmediate } from "node:timers/promises";
import { describeError } from "../../core/errors.ts";
import { reply } from "../../core/reply.ts";
import type { Logger } from "../../core/logger.ts";
import type { Binding } from "../../events/binding.ts";
import { EVENTS } from "../../events/catalog.ts";
import type {
  BatchContext,
  CategorizeSubject,
  ItemContext,
} from "../../events/contexts/categorize-contexts.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import { Batch } from "./batch.ts";
import type { Copies } from "./copies.ts";
import { DirectorySink, type DirectorySinkParts } from "./directory-sink.ts";
import type { Item } from "./item.ts";
import { ItemTree, type TreeResult } from "./item-tree.ts";
import type { CategorizerSettings } from "./settings.ts";
import { withSystemSink } from "./system-binding.ts";

export type RunResult =
  | { readonly kind: "categorized"; readonly tree: TreeResult }
  /** The directory cannot tell now. */
  | { readonly kind: "no-directory"; readonly text: string }
  | { readonly kind: "fault"; readonly binding: Binding; readonly message: string };

type Stop = Exclude<RunResult, { kind: "categorized" }>;

export interface CategorizerRunParts extends DirectorySinkParts {
  readonly sinks: SystemSinks;
  /** The sinks of the bindings that are called about this message. */
  readonly chain: SystemChain<CategorizeSubject>;
  readonly server: string;
  readonly settings: CategorizerSettings;
  readonly copies: Copies;
  readonly log: Logger;
}

/** RFC 3463 §3.6: X.5.3, too many recipients. */
const TOO_MANY = reply(552, "5.3", "The message has too many recipients");

export class CategorizerRun {
  readonly #parts: CategorizerRunParts;
  readonly #system: DirectorySink;
  readonly #chain: SystemChain<CategorizeSubject>;
  readonly #tree: ItemTree;
  /** What sinks are called about now, for the built-in one. */
  #item: Item | undefined;
  /** Of the last sub-event: the binding of the sink that ended it. */
  #skippedBy: Binding | undefined;

  constructor(parts: CategorizerRunParts) {
    this.#parts = parts;
    this.#system = new DirectorySink(parts);
    this.#chain = withSystemSink(parts.chain, (subject) => this.#system.onEvent(subject, this.#item));
    this.#tree = new ItemTree(parts.settings.maxDepth, parts.log);
  }

  /** All addresses that were met so far. */
  get items(): readonly Item[] {
    return this.#tree.items;
  }

  async run(): Promise<RunResult> {
    const { copies } = this.#parts;
    const began = await this.#raise({ kind: "beginMessage", messages: copies });
    const result = began ?? (await this.#categorize());
    const isDone = result.kind === "categorized";
    if (isDone) {
      copies.distribute(result.tree.recipients);
      copies.markCategorized();
    }
    const end = { kind: "endMessage", messages: copies, outcome: isDone ? "categorized" : "failed" } as const;
    const stopped = await this.#raise(end);
    return isDone ? (stopped ?? result) : result;
  }

  async #categorize(): Promise<RunResult> {
    const { copies, settings, rules } = this.#parts;
    const { sender, recipients } = copies.original;
    const tree = this.#tree;
    tree.begin(sender, recipients.items);
    while (!tree.isDone) {
      const batch = tree.take(settings.batchSize);
      /* oxlint-disable no-await-in-loop -- each level is what the one before expands to */
      const stopped = (await this.#lookUp(batch)) ?? (await this.#process(batch));
      if (stopped !== undefined) return stopped.kind === "ended" ? categorized(stopped.tree) : stopped;
      // A list of ten thousand must not keep the sessions of others waiting.
      if (!tree.isDone) await setImmediate();
      /* oxlint-enable no-await-in-loop */
    }
    const isTooMany = tree.deliverable > (rules.maxRecipients ?? Number.POSITIVE_INFINITY);
    return categorized(isTooMany ? tree.failAll(TOO_MANY) : tree.conclude());
  }

  /** Sub-events 3 to 6. */
  async #lookUp(items: readonly Item[]): Promise<Stop | undefined> {
    for (const item of items) {
      const stopped = this.#raiseItem("buildQuery", item);
      // oxlint-disable-next-line no-await-in-loop -- sinks are called in order
      const ended = stopped instanceof Promise ? await stopped : stopped;
      if (ended !== undefined) return ended;
    }
    let unbuilt: Binding | undefined;
    let batch: Batch | undefined;
    for (const kind of ["buildQueries", "sendQuery", "sortQueryResult"] as const) {
      const subject = (batch = new Batch(kind, items, batch));
      // oxlint-disable-next-line no-await-in-loop
      const stopped = await this.#raise(subject, () => rememberBatch(subject));
      if (kind === "buildQueries" && subject.queries.length === 0) unbuilt = this.#skippedBy;
      if (stopped !== undefined)
        return kind === "sortQueryResult" ? this.#unasked(unbuilt, stopped) : stopped;
    }
    return undefined;
  }

  /** A sink may leave out the queries when it answers the items later: one that did not keeps the message waiting. */
  #unasked(unbuilt: Binding | undefined, stopped: Stop): Stop {
    if (unbuilt === undefined || stopped.kind !== "no-directory") return stopped;
    const { displayName } = unbuilt;
    const text = `it was asked nothing: the sink of binding ${JSON.stringify(displayName)} answered skipRemaining in buildQueries and set no queries`;
    this.#parts.log.error(
      { binding: displayName, event: unbuilt.event },
      "the sink answered skipRemaining in buildQueries and set no queries, and nobody answered for the addresses: the message waits",
    );
    return { kind: "no-directory", text };
  }

  /** Sub-events 7 to 9. */
  async #process(items: readonly Item[]): Promise<Stop | { kind: "ended"; tree: TreeResult } | undefined> {
    const { settings } = this.#parts;
    for (const item of items) {
      // oxlint-disable-next-line no-await-in-loop -- the sender comes first: what its recipients may get depends on it
      const stopped = await this.#processItem(item);
      if (stopped !== undefined) return stopped;
      if (item.type === "sender" && item.failed !== undefined)
        return { kind: "ended", tree: this.#tree.failAll(item.failed) };
      if (this.#tree.size > settings.maxRecipients) {
        this.#parts.log.warn(
          { limit: settings.maxRecipients },
          "a message would come to too many recipients",
        );
        return { kind: "ended", tree: this.#tree.failAll(TOO_MANY) };
      }
    }
    return undefined;
  }

  async #processItem(item: Item): Promise<Stop | undefined> {
    const processed = this.#raiseItem("processItem", item);
    const stopped = processed instanceof Promise ? await processed : processed;
    if (stopped !== undefined) return stopped;
    if (item.failed === undefined && !item.isDropped && (item.type === "sender" || this.#tree.admit(item))) {
      const expanded = this.#raiseItem("expandItem", item);
      const ended = (expanded instanceof Promise ? await expanded : expanded) ?? (await this.#grow(item));
      if (ended !== undefined) return ended;
    }
    return this.#raiseItem("completeItem", item);
  }

  /** Members are read here and not by the built-in sink: the time that sinks have is not meant for large groups. */
  async #grow(item: Item): Promise<Stop | undefined> {
    const { members } = item.entry ?? {};
    if (item.type === "sender" || item.failed !== undefined) return undefined;
    if (item.readsMembers && members !== undefined) {
      const found = [...item.targets];
      try {
        for await (const page of members()) {
          found.push(...page);
          // What lies beyond the limit fails the message: it need not be read.
          if (found.length + this.#tree.size > this.#parts.settings.maxRecipients) break;
        }
      } catch (thrown) {
        return { kind: "no-directory", text: describeError(thrown) };
      }
      item.targets = found;
    }
    this.#tree.grow(item);
    return undefined;
  }

  #raiseItem(kind: ItemContext["kind"], item: Item): Stop | undefined | Promise<Stop | undefined> {
    this.#item = item;
    return this.#raise({ kind, item, messages: this.#parts.copies }, () => item.remember());
  }

  /** The messages are remembered for each sink, and what `rememberMore` does. */
  #raise(
    subject: CategorizeSubject,
    rememberMore?: () => () => void,
  ): Stop | undefined | Promise<Stop | undefined> {
    const { sinks, server, copies, chain } = this.#parts;
    const remember = (): (() => void) => {
      const undo = rememberMore?.();
      const undoMessages = copies.remember();
      return () => {
        undo?.();
        undoMessages();
      };
    };
    const outcome = sinks.run(this.#chain, {
      subject,
      server,
      onFault: EVENTS.OnCategorize.onFault,
      // A fault of the built-in sink begins everything anew.
      remember: chain.isEmpty ? undefined : remember,
      isAdmitted: true,
    });
    if (outcome instanceof Promise) return outcome.then((settled) => this.#stop(settled));
    return this.#stop(outcome);
  }

  #stop(outcome: Awaited<ReturnType<SystemSinks["run"]>>): Stop | undefined {
    const { fault } = this.#system;
    if (fault !== undefined) return { kind: "no-directory", text: fault };
    this.#skippedBy = outcome.kind === "passed" ? outcome.skippedBy : undefined;
    if (outcome.kind === "passed") return undefined;
    // The built-in sink has no binding whose onError could say what its faults mean.
    if (outcome.binding.sinkClass === "") return { kind: "no-directory", text: outcome.message };
    return outcome;
  }
}

const categorized = (tree: TreeResult): RunResult => ({ kind: "categorized", tree });

function rememberBatch(subject: BatchContext): () => void {
  const { queries, answers } = subject;
  const items = subject.items.map((item) => item.answer);
  return () => {
    Object.assign(subject, { queries, answers });
    subject.items.forEach((item, index) => {
      item.answer = items[index];
    });
  };
}
