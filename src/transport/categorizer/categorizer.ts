// Step 5: resolves the sender and the recipients of a message by the directory and the sinks of OnCategorize (REFERENCE 4.2.6, 4.3).
import type { Envelope, Recipient } from "../../core/envelope.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { messageStatus } from "../../core/status.ts";
import type { CategorizeSubject } from "../../events/contexts/categorize-contexts.ts";
import type { EffectRecorder } from "../../events/effects.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import type { Content } from "../../message/content.ts";
import type { MailMsg, MessageSurroundings } from "../../message/mail-msg.ts";
import type { HoldReason, QueuedMessage } from "../queued-message.ts";
import { mailMsgOf } from "../sink-view.ts";
import type { SubmissionVerdict } from "../submission.ts";
import { CategorizerRun, type RunResult } from "./categorizer-run.ts";
import { Copies } from "./copies.ts";
import type { Directory } from "./directory.ts";
import type { TreeResult } from "./item-tree.ts";
import { consideredBindings, effectOf } from "./recorded-run.ts";
import { Registration } from "./registration.ts";
import { SenderRules } from "./sender-rules.ts";
import { type CategorizerSettings, DEFAULT_CATEGORIZER_SETTINGS } from "./settings.ts";

/** What may change while the service runs. */
export interface LiveCategorizer {
  readonly settings: CategorizerSettings;
  readonly directory: Directory;
}

/** The message is categorized; its result has to become durable before anything of it leaves. */
export interface CategorizedVerdict {
  readonly kind: "categorized";
  /** Nothing came out that the store does not know already. */
  readonly isSame: boolean;
  readonly tree: TreeResult;
  readonly msg: MailMsg;
  /** As it was before. */
  readonly content: Content;
  /** Of the copy of that name. */
  readonly senderOf: (copy: string) => string;
}

export interface CategorizerParts {
  /** Absent: the event has no sinks. */
  readonly events:
    | { readonly sinks: SystemSinks; readonly chain: () => SystemChain<CategorizeSubject> }
    | undefined;
  readonly live: LiveCategorizer | undefined;
  readonly surroundings?: MessageSurroundings | undefined;
  /** Absent: nobody keeps what was found. */
  readonly effects?: Pick<EffectRecorder<unknown>, "categorized"> | undefined;
  readonly nextId: () => string;
  readonly log: Logger;
}

export class Categorizer {
  readonly #parts: CategorizerParts;
  readonly #registration = new Registration();
  #live: LiveCategorizer | undefined;

  constructor(parts: CategorizerParts) {
    this.#parts = parts;
    this.#live = parts.live;
  }

  /** Without a directory and without sinks messages pass by. */
  get isOn(): boolean {
    const { events } = this.#parts;
    return events !== undefined && (this.#live !== undefined || !events.chain().isEmpty);
  }

  /** Messages that ask another directory than the new one wait for their retry. */
  use(live: LiveCategorizer | undefined): void {
    const before = this.#live;
    this.#live = live;
    if (before !== undefined && before.directory !== live?.directory) this.#close(before.directory);
  }

  /** What comes to it afterwards waits, and is categorized by the next run of the service. */
  close(): void {
    if (this.#live !== undefined) this.#close(this.#live.directory);
  }

  #close(directory: Directory): void {
    directory
      .close()
      .catch((thrown: unknown) =>
        this.#parts.log.warn({ error: describeError(thrown) }, "a directory could not be closed"),
      );
  }

  async run(message: QueuedMessage, content: Content): Promise<SubmissionVerdict | CategorizedVerdict> {
    message.size = content.size;
    const { events, surroundings, nextId, effects } = this.#parts;
    const { id, envelope, origin } = message;
    const msg = mailMsgOf(message, content, messageStatus.submitted, surroundings);
    const copies = new Copies(msg, nextId);
    // Where mail that names its own next hop goes is nobody else's matter.
    if (events === undefined || envelope.nextHop !== undefined)
      return categorized(envelope, content, copies, NOTHING_FOUND);
    const chain = events.chain();
    const bindings = effects && consideredBindings(chain, events.sinks, origin.server);
    const run = await this.#begin(message, copies, chain, events.sinks);
    const result = run instanceof CategorizerRun ? await run.run() : run;
    const verdict =
      result.kind === "categorized"
        ? (waiting(copies) ?? categorized(envelope, content, copies, result.tree))
        : verdictOf(result);
    if (bindings !== undefined) {
      const items = run instanceof CategorizerRun ? run.items : [];
      effects?.categorized(() => effectOf({ id, envelope, content, bindings, items, verdict }));
    }
    return verdict;
  }

  /** Why there is no run: a sink did not register. */
  async #begin(
    { id, origin, size }: QueuedMessage,
    copies: Copies,
    chain: SystemChain<CategorizeSubject>,
    sinks: SystemSinks,
  ): Promise<CategorizerRun | Extract<RunResult, { kind: "fault" }>> {
    const { server } = origin;
    const registered = await this.#registration.attributes(chain, sinks, server);
    if (registered.kind === "fault") return registered;
    const { settings, directory } = this.#live ?? WITHOUT_DIRECTORY;
    const { maxDepth, maxRecipients } = settings;
    const { sender } = copies.original;
    const rules = { directory, origin, sender, size, maxDepth, maxMembers: maxRecipients };
    return new CategorizerRun({
      sinks,
      chain: sinks.admit(chain, server, id),
      server,
      settings,
      copies,
      directory,
      attributes: registered.attributes,
      unknown: settings.unknown,
      rules: new SenderRules(rules),
      log: this.#parts.log.child({ message: id }),
    });
  }
}

const WITHOUT_DIRECTORY = { settings: DEFAULT_CATEGORIZER_SETTINGS, directory: undefined };
const NOTHING_FOUND: TreeResult = {
  recipients: new Map(),
  failed: [],
  expanded: [],
  replaced: [],
  discarded: [],
};

function categorized(
  before: Envelope,
  content: Content,
  copies: Copies,
  tree: TreeResult,
): CategorizedVerdict {
  const { original } = copies;
  const isSame =
    isSameEnvelope(original.envelope, before) &&
    original.content === content &&
    original.forks.length === 0 &&
    tree.failed.length === 0 &&
    tree.expanded.length === 0 &&
    original.status !== messageStatus.abortDelivery &&
    original.status !== messageStatus.badMail;
  return {
    kind: "categorized",
    isSame,
    tree,
    msg: original,
    content,
    senderOf: (copy) => copies.senderOf(copy),
  };
}

/** Properties of recipients do not count: should the service die before it saves them, they are found once more. */
function isSameEnvelope(after: Envelope, before: Envelope): boolean {
  if (after === before) return true;
  const { recipients } = before;
  return (
    after.sender === before.sender &&
    after.envelopeId === before.envelopeId &&
    after.returnContent === before.returnContent &&
    after.recipients.length === recipients.length &&
    after.recipients.every((recipient, index) => isSameRecipient(recipient, recipients[index]))
  );
}

const isSameRecipient = (after: Recipient, before: Recipient | undefined): boolean =>
  after.address === before?.address &&
  after.notify === before.notify &&
  after.originalRecipient === before.originalRecipient &&
  after.flags === before.flags;

/** A status of one of the copies with which the whole message waits. */
function waiting({ all }: Copies): SubmissionVerdict | undefined {
  if (all.some(({ status }) => status === messageStatus.retry))
    return { kind: "retry", reason: { by: "sink", text: "a sink of OnCategorize asked to retry later" } };
  if (all.every(({ status }) => status !== messageStatus.abandonDelivery)) return undefined;
  const text = "a sink of OnCategorize wants it left alone until the service restarts";
  return { kind: "abandoned", reason: { by: "sink", abandoned: true, text } };
}

function verdictOf(result: Exclude<RunResult, { kind: "categorized" }>): SubmissionVerdict {
  if (result.kind === "no-directory") {
    const text = `the directory cannot tell who the recipients are: ${result.text}`;
    return { kind: "retry", reason: { by: "sink", text } };
  }
  const { displayName, onError } = result.binding;
  const text = `${displayName}: ${result.message}`;
  if (onError === "badmail") return { kind: "badmail", code: "SINK_FAILED", reason: text };
  const reason: HoldReason = { by: "sink", binding: displayName, text };
  return { kind: "hold", reason };
}
