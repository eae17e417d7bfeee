// What the categorizer found out about a message takes effect: copies, reports and the new list of recipients are durable before
// anything leaves. A crash before that categorizes the message anew, one after it goes on from here (docs/decisions/0026).
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { reply } from "../../core/reply.ts";
import { messageStatus } from "../../core/status.ts";
import type { MailMsg } from "../../message/mail-msg.ts";
import type { Badmail } from "../../store/badmail.ts";
import type { StoreDriver } from "../../store/store-driver.ts";
import { commitAll } from "../commit-all.ts";
import type { MessageStates } from "../message-states.ts";
import type { MessageSteps } from "../message-steps.ts";
import type { PendingWrites } from "../pending-writes.ts";
import type { QueuedMessage, RecipientRecord } from "../queued-message.ts";
import type { Reports } from "../reports/reports.ts";
import { type DueReport, addReport, describeReply } from "../settlement.ts";
import { adopt, forkedMessage, isStopped } from "../sink-view.ts";
import type { CategorizedVerdict } from "./categorizer.ts";
import type { TreeResult } from "./item-tree.ts";

export interface ConclusionsParts {
  readonly store: StoreDriver;
  readonly states: MessageStates;
  readonly writes: PendingWrites;
  readonly reports: Reports;
  readonly badmail: Badmail;
  readonly steps: MessageSteps;
  /** A copy that is durable goes on behind the categorizer. */
  readonly begin: (copy: QueuedMessage) => void;
  /** So does the message. */
  readonly passed: (message: QueuedMessage) => void;
  /** No recipient of the message is left. */
  readonly over: (message: QueuedMessage) => void;
  readonly postpone: (message: QueuedMessage, why: string) => void;
  readonly log: Logger;
}

const EXPANDED = reply(250, "1.5", "The list was expanded");
const TAKEN = reply(250, "1.5", "The list has taken the message");
const BY_SINK = "discarded by a sink of OnCategorize";
const BADMAIL = { code: "BADMAIL_BY_SINK", text: "sent to Badmail by a sink of OnCategorize" };

export class Conclusions {
  readonly #parts: ConclusionsParts;

  constructor(parts: ConclusionsParts) {
    this.#parts = parts;
  }

  conclude(message: QueuedMessage, verdict: CategorizedVerdict): void {
    const { writes, passed, postpone } = this.#parts;
    if (verdict.isSame) {
      adopt(message, verdict.msg, verdict.content);
      passed(message);
      return;
    }
    let next: (() => void) | undefined;
    const settle = async (): Promise<void> => {
      try {
        next = await this.#settle(message, verdict);
      } catch (thrown) {
        message.copies = undefined;
        next = () => postpone(message, describeError(thrown));
      }
    };
    writes.track(message, settle(), () => next?.());
  }

  /** Answers what follows. Throws STORE_FAILED and leaves the message as it was. */
  async #settle(message: QueuedMessage, verdict: CategorizedVerdict): Promise<() => void> {
    const { states, steps, begin, passed, over } = this.#parts;
    const { msg, tree, content } = verdict;
    const { envelope, notBefore, properties, stage, resumeAt } = message;
    const isOver = await this.#endStopped(message, msg);
    const copies = await this.#commit(message, msg);
    try {
      message.copies = undefined;
      const failed = await this.#report(message, verdict);
      adopt(message, msg, content);
      if (isOver) message.envelope = { ...message.envelope, recipients: [] };
      steps.categorized(message, failed, tree.replaced);
      steps.endedAll(message, "discarded", tree.discarded, BY_SINK);
      for (const copy of copies) {
        steps.submitted(copy);
        states.save(copy);
      }
      message.stage = "OnPostCategorize";
      message.resumeAt = 0;
      await states.settle(message);
    } catch (thrown) {
      for (const { id } of copies) this.#parts.store.remove(id);
      Object.assign(message, { envelope, notBefore, properties, stage, resumeAt });
      // What the store has of its content may already be that of the sinks.
      if (msg.content !== content) Object.assign(message, { content, size: content.size, edits: "unsaved" });
      throw thrown;
    }
    return () => {
      this.#log(message, copies, tree);
      for (const copy of copies) begin(copy);
      if (message.envelope.recipients.length === 0) over(message);
      else passed(message);
    };
  }

  #log({ id: message, envelope }: QueuedMessage, copies: readonly QueuedMessage[], tree: TreeResult): void {
    const { log } = this.#parts;
    for (const { recipient, reply: said } of tree.failed)
      log.info(
        { message, recipient: recipient.address, state: "bounced", reply: describeReply(said) },
        "recipient done",
      );
    const fields = {
      message,
      recipients: envelope.recipients.length,
      copies: copies.map(({ id }) => id),
      replaced: tree.replaced.map(({ address }) => address),
    };
    log.info(fields, "message categorized");
  }

  /** Copies that a sink discards or sends to Badmail end here; answers whether the message itself is one of them. */
  async #endStopped(message: QueuedMessage, msg: MailMsg): Promise<boolean> {
    const { badmail, steps } = this.#parts;
    for (const one of [msg, ...msg.forks]) {
      if (!isStopped(one)) continue;
      const { items } = one.recipients;
      const isBad = one.status === messageStatus.badMail;
      // oxlint-disable-next-line no-await-in-loop -- one after the other: the case is rare, the files are many
      if (isBad && items.length > 0) await badmail.put(one.id, one.envelope, one.content, BADMAIL);
      steps.endedAll(message, isBad ? "badmail" : "discarded", items, isBad ? BADMAIL.text : BY_SINK);
    }
    return isStopped(msg);
  }

  /** The copies as messages of their own, durable. All or none. */
  async #commit(message: QueuedMessage, msg: MailMsg): Promise<readonly QueuedMessage[]> {
    const { store, states } = this.#parts;
    const copies = msg.forks.filter((fork) => !isStopped(fork)).map((fork) => copyOf(fork, message));
    if (copies.length === 0) return copies;
    // Written before them: a run that ends here begins with the message again, and drops those that it finds.
    message.copies = copies.map(({ id }) => id);
    await states.write(message);
    await commitAll(store, copies);
    return copies;
  }

  /** Under each copy to its own sender, about the message as it came. Answers the records of those that failed. */
  async #report(
    message: QueuedMessage,
    { tree, senderOf }: CategorizedVerdict,
  ): Promise<readonly RecipientRecord[]> {
    const failed = tree.failed.map(({ recipient, reply: lastReply, copy }) => {
      const record: RecipientRecord = { recipient, state: "bounced", lastReply };
      return { kind: "failed", copy, record } as const;
    });
    const expanded = tree.expanded.map(({ recipient, kind, copy }) => {
      const lastReply = kind === "expanded" ? EXPANDED : TAKEN;
      const record: RecipientRecord = { recipient, state: "delivered", lastReply };
      return { kind, copy, record };
    });
    const byCopy = Map.groupBy([...failed, ...expanded], ({ copy }) => copy);
    await Promise.all(
      [...byCopy].map(async ([copy, outcomes]) => {
        const sender = senderOf(copy);
        // The members of a list that reports to nobody.
        if (sender === "" && message.envelope.sender !== "") return;
        const reports: DueReport[] = [];
        for (const [kind, alike] of Map.groupBy(outcomes, (outcome) => outcome.kind)) {
          const records = alike.map(({ record }) => record);
          addReport(reports, sender, kind, records);
        }
        const reported = { ...message, envelope: { ...message.envelope, sender } };
        await this.#parts.reports.send(reported, reports, () => this.#parts.states.load(message));
      }),
    );
    return failed.map(({ record }) => record);
  }
}

function copyOf(fork: MailMsg, { envelope }: QueuedMessage): QueuedMessage {
  const copy = forkedMessage(fork, { stage: "OnPostCategorize" });
  // RFC 3461 §5.2.7.1: what the sender asked for does not go on under the sender of a list.
  if (fork.sender !== envelope.sender)
    copy.envelope = { ...copy.envelope, envelopeId: undefined, returnContent: undefined };
  return copy;
}
