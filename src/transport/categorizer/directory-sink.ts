// The built-in sink of OnCategorize, in its place among the others at the system's priority: looks addresses up, expands lists and
// forwards, and applies limits (REFERENCE 4.3). A sink before it that answers skipRemaining takes its place.
import { isMailbox, localPartOf } from "../../core/address.ts";
import { type Reply, reply } from "../../core/reply.ts";
import { describeError } from "../../core/errors.ts";
import { type SinkResult, sinkResult } from "../../core/status.ts";
import type {
  BatchContext,
  CategorizeSubject,
  CategorizerMessages,
} from "../../events/contexts/categorize-contexts.ts";
import type {
  DirectoryAnswer,
  DirectoryEntry,
  DirectoryQuery,
} from "../../events/contexts/directory-entries.ts";
import type { Directory } from "./directory.ts";
import type { Item } from "./item.ts";
import type { SenderRules } from "./sender-rules.ts";

export interface DirectorySinkParts {
  /** Absent: only sinks know addresses. */
  readonly directory: Directory | undefined;
  /** That sinks asked for. */
  readonly attributes: readonly string[];
  readonly unknown: "pass" | "fail";
  readonly rules: SenderRules;
}

const NO_SUCH_USER = reply(550, "1.1", "No such user here");
const NO_MAILBOX = reply(550, "2.1", "The user has no mailbox");
const NOT_MINE: DirectoryAnswer = { kind: "not-mine" };
const MAX_TEXT_CHARS = 200;

export class DirectorySink {
  readonly #parts: DirectorySinkParts;
  /** Why the directory cannot tell. The message waits for it, whatever bindings say of faults. */
  fault: string | undefined;

  constructor(parts: DirectorySinkParts) {
    this.#parts = parts;
  }

  /** `item`: that of the subject, when it has one. */
  onEvent(subject: CategorizeSubject, item: Item | undefined): void | Promise<SinkResult | void> {
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- the other sub-events are for sinks
    switch (subject.kind) {
      case "buildQueries":
        if (subject.queries.length === 0) subject.queries = subject.items.map(({ query }) => query);
        return undefined;
      case "sendQuery":
        return subject.answers === undefined ? this.#noted(this.#send(subject)) : undefined;
      case "sortQueryResult":
        sort(subject);
        return undefined;
      case "processItem":
        return item && this.#process(item);
      case "expandItem":
        return item && this.#expand(item, subject.messages);
      default:
        return undefined;
    }
  }

  async #send(batch: BatchContext): Promise<void> {
    const { directory, attributes } = this.#parts;
    batch.answers =
      directory === undefined
        ? batch.queries.map(() => NOT_MINE)
        : await directory.resolve(batch.queries, attributes);
  }

  #process(item: Item): void | Promise<SinkResult | void> {
    const { answer, entry } = item;
    if (item.type === "sender") {
      item.failed ??= this.#parts.rules.found(entry);
      return undefined;
    }
    if (answer === undefined || answer.kind === "not-mine" || answer.kind === "unknown") {
      this.#notFound(item, answer?.kind === "unknown");
      return undefined;
    }
    if (answer.kind === "ambiguous") {
      // RFC 3463 §3.2: X.1.4, destination mailbox address ambiguous.
      item.failed = reply(550, "1.4", answer.text.replaceAll(/\p{Cc}+/gu, " ").slice(0, MAX_TEXT_CHARS));
      return undefined;
    }
    if (!this.#place(item, answer.entry)) return undefined;
    const { limits } = answer.entry;
    const refusal = limits && this.#parts.rules.refusal(limits);
    if (refusal instanceof Promise) return this.#noted(this.#limit(item, refusal));
    item.failed ??= refusal;
    return undefined;
  }

  async #limit(item: Item, asking: Promise<Reply | undefined>): Promise<void> {
    const refusal = await asking;
    item.failed ??= refusal;
  }

  #notFound(item: Item, isMine: boolean): void {
    // A member whose entry is gone: the group names it, the directory has it no more.
    if (item.query.by === "key") item.isDropped = item.address === "";
    // RFC 5321 §4.5.1: somebody always answers for postmaster.
    else if (
      isMine &&
      this.#parts.unknown === "fail" &&
      localPartOf(item.address).toLowerCase() !== "postmaster"
    )
      item.failed ??= NO_SUCH_USER;
  }

  /** Whether the item stays: of an entry without a mail address only the members of a group are reached. */
  #place(item: Item, { kind, address }: DirectoryEntry): boolean {
    if (address !== undefined && isMailbox(address)) item.address = address;
    else if (kind !== "group" && item.level === 0) item.failed ??= NO_MAILBOX;
    else if (kind !== "group") item.isDropped = true;
    return !item.isDropped;
  }

  #expand(item: Item, messages: CategorizerMessages): void | Promise<SinkResult | void> {
    const { entry } = item;
    if (item.type === "sender" || entry === undefined) return undefined;
    if (entry.kind === "group") {
      item.deliver = false;
      item.readsMembers = true;
      return this.#chooseReports(item, entry, messages);
    }
    if (entry.forwardTo === undefined || entry.forwardTo.length === 0) return undefined;
    item.deliver = entry.deliverAndForward === true;
    item.targets = [...item.targets, ...entry.forwardTo];
    return undefined;
  }

  /** Reports on the members of a list go to its owner, or to nobody: they get a copy with that sender. */
  #chooseReports(
    item: Item,
    { owner, reportTo = "sender" }: DirectoryEntry,
    messages: CategorizerMessages,
  ): void | Promise<SinkResult | void> {
    // A report must not get a sender again on its way through a list (RFC 5321 §6.1).
    if (reportTo === "sender" || messages.original.sender === "") return undefined;
    if (reportTo === "nobody") {
      name(item, messages, "");
      return undefined;
    }
    if (owner === undefined) return undefined;
    if (owner.by === "address") {
      name(item, messages, owner.value);
      return undefined;
    }
    return this.#noted(this.#nameByKey(item, owner, messages));
  }

  async #nameByKey(item: Item, owner: DirectoryQuery, messages: CategorizerMessages): Promise<void> {
    const [answer] = (await this.#parts.directory?.resolve([owner], [])) ?? [];
    const address = answer?.kind === "found" ? answer.entry.address : undefined;
    if (address !== undefined) name(item, messages, address);
  }

  /** No sink runs on answers that the directory does not give. */
  async #noted(asking: Promise<void>): Promise<SinkResult | void> {
    try {
      await asking;
      return undefined;
    } catch (thrown) {
      this.fault = describeError(thrown);
      return sinkResult.skipRemaining;
    }
  }
}

function name(item: Item, messages: CategorizerMessages, sender: string): void {
  if (sender !== "" && !isMailbox(sender)) return;
  item.memberCopy = sender === "" ? "reports to nobody" : `reports to ${sender.toLowerCase()}`;
  messages.copy(item.memberCopy).sender = sender;
}

function sort({ items, answers }: BatchContext): void {
  if (items.every(({ answer }) => answer !== undefined)) return;
  if (answers?.length !== items.length)
    throw new RangeError(
      `${answers?.length ?? 0} answers for ${items.length} addresses, and no sink of sortQueryResult matched them`,
    );
  items.forEach((item, index) => {
    item.answer ??= answers[index];
  });
}
