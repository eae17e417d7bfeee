// The message and the copies that it is split into (the original's ICategorizerMailMsgs, bifurcation).
import type { Recipient } from "../../core/envelope.ts";
import type { CategorizerMessages } from "../../events/contexts/categorize-contexts.ts";
import type { MailMsg } from "../../message/mail-msg.ts";

export class Copies implements CategorizerMessages {
  readonly original: MailMsg;
  readonly #nextId: () => string;
  readonly #byName = new Map<string, MailMsg>();

  constructor(original: MailMsg, nextId: () => string) {
    this.original = original;
    this.#nextId = nextId;
  }

  copy(name: string): MailMsg {
    if (name === "") return this.original;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const made = this.original.forkForRecipients(this.#nextId(), () => false);
    this.#byName.set(name, made);
    return made;
  }

  get all(): readonly MailMsg[] {
    return [this.original, ...this.#byName.values()];
  }

  /** The copy of that name when there is one: to hear whose it is. */
  senderOf(name: string): string {
    return (this.#byName.get(name) ?? this.original).sender;
  }

  /** Gives every message its recipients; copies without any are dropped. */
  distribute(recipients: ReadonlyMap<string, readonly Recipient[]>): void {
    const wanted = recipients.get("") ?? [];
    if (!isSame(wanted, this.original.recipients.items)) assign(this.original, wanted);
    for (const [name, list] of recipients) if (name !== "") assign(this.copy(name), list);
    const used = [...this.#byName].flatMap(([name, msg]) => (recipients.has(name) ? [msg] : []));
    this.original.forks.splice(0, this.original.forks.length, ...used);
  }

  /** IMMPID_MP_HR_CAT_STATUS is S_OK unless a sink has written another, whatever `mailMsg.maxProperties` says. */
  markCategorized(): void {
    for (const { properties } of this.all)
      properties.takeBack([["MP_HR_CAT_STATUS", 0], ...properties.entries()]);
  }

  /** The answer puts back what a sink may change of the messages. */
  remember(): () => void {
    const before = this.all.map((msg) => ({ msg, snapshot: msg.snapshot() }));
    const names = [...this.#byName.keys()];
    return () => {
      for (const { msg, snapshot } of before) msg.restore(snapshot);
      for (const name of this.#byName.keys()) if (!names.includes(name)) this.#byName.delete(name);
    };
  }
}

function assign({ recipients }: MailMsg, wanted: readonly Recipient[]): void {
  const list = recipients.newList();
  for (const recipient of wanted) list.addSecondary(recipient.address, recipient);
  recipients.writeList(list);
}

const isSame = (one: readonly Recipient[], other: readonly Recipient[]): boolean =>
  one.length === other.length && one.every((recipient, index) => recipient === other[index]);
