// The items of one message: what waits to be looked up, which are the same, and what comes out at the end.
import type { Recipient } from "../../core/envelope.ts";
import { type Reply, reply } from "../../core/reply.ts";
import type { Logger } from "../../core/logger.ts";
import type { DirectoryQuery } from "../../events/contexts/directory-entries.ts";
import { hasFlags, recipientFlags } from "../../message/recipient-flags.ts";
import { Item } from "./item.ts";

/** A recipient that fails, and under which copy: its sender hears of it. */
export interface FailedRecipient {
  readonly recipient: Recipient;
  readonly reply: Reply;
  readonly copy: string;
}

/** A recipient that asked to be told of its success, and was replaced by the members of a list. */
export interface ExpandedRecipient {
  readonly recipient: Recipient;
  /** A list with reports of its own has taken the message for good (RFC 3461 §5.2.7.1). */
  readonly kind: "expanded" | "delivered";
  readonly copy: string;
}

export interface TreeResult {
  /** By name of the copy; "" is the message itself. Each address once. */
  readonly recipients: ReadonlyMap<string, readonly Recipient[]>;
  readonly failed: readonly FailedRecipient[];
  readonly expanded: readonly ExpandedRecipient[];
  /** Recipients of the message that others stand for now. */
  readonly replaced: readonly Recipient[];
  /** Recipients of the message that a sink took away. */
  readonly discarded: readonly Recipient[];
}

/** RFC 3463 §3.5: X.4.6, routing loop; §3.2: X.1.6, no forwarding address; §3.3: X.2.4, mailing list expansion problem. */
const LOOP = reply(550, "4.6", "Forwards and lists lead back to themselves: nobody gets the message");
const TOO_DEEP = reply(550, "4.6", "Forwards and lists are nested too deeply");
const NO_FORWARD = reply(550, "1.6", "The forwarding address is not known");
const NO_MEMBER = reply(550, "2.4", "The list has no members");

/** Members that a line of the log names. */
const MAX_LOGGED = 10;

export class ItemTree {
  readonly #maxDepth: number;
  readonly #log: Logger;
  readonly #items: Item[] = [];
  readonly #roots: Item[] = [];
  /** Recipients that sinks have brought to their end (RP_HANDLED): they are not looked up, and stay where they are. */
  readonly #handled: Recipient[] = [];
  #next = 0;
  readonly #byQuery = new Map<string, Item>();
  readonly #byEntry = new Map<string, Item>();

  constructor(maxDepth: number, log: Logger) {
    this.#maxDepth = maxDepth;
    this.#log = log;
  }

  /** The sender is looked up with the first recipients, before them. */
  begin(sender: string, recipients: readonly Recipient[]): void {
    if (sender !== "") this.#items.push(new Item(byAddress(sender), undefined, undefined, "sender"));
    for (const recipient of recipients) {
      if (hasFlags(recipient.flags ?? 0, recipientFlags.handled)) this.#handled.push(recipient);
      else this.#roots.push(this.#add(byAddress(recipient.address), recipient));
    }
  }

  /** The next items to be looked up. */
  take(count: number): Item[] {
    const taken: Item[] = [];
    while (taken.length < count) {
      const item = this.#items[this.#next];
      if (item === undefined) break;
      this.#next += 1;
      if (item.duplicateOf === undefined) taken.push(item);
    }
    return taken;
  }

  /** The sender and the recipients of the message, then what they expand to. */
  get items(): readonly Item[] {
    return this.#items;
  }

  get size(): number {
    return this.#items.length;
  }

  get isDone(): boolean {
    return this.#next >= this.#items.length;
  }

  /** Whether the entry of the item is new: an entry that several names lead to is expanded once, and loops end here. */
  admit(item: Item): boolean {
    const { entry } = item;
    if (entry === undefined) return true;
    const first = this.#byEntry.get(entry.key);
    if (first === undefined) this.#byEntry.set(entry.key, item);
    else item.duplicateOf = first;
    return first === undefined;
  }

  /** Items for what the item expands to. */
  grow(item: Item): void {
    const { targets } = item;
    if (targets.length === 0) return;
    if (item.level >= this.#maxDepth) {
      this.#log.warn({ address: item.address, level: item.level }, "lists or forwards are nested too deeply");
      item.failed = TOO_DEEP;
      return;
    }
    const shared = sharedOptions(item);
    item.children = targets.map((query) =>
      this.#add(query, { ...shared, address: query.by === "address" ? query.value : "" }, item),
    );
  }

  /** Addresses that get the message. */
  get deliverable(): number {
    return this.#items.reduce((count, item) => (isDelivered(item) ? count + 1 : count), 0);
  }

  conclude(): TreeResult {
    this.#endLoops();
    const recipients = this.#passedBy();
    const failed: FailedRecipient[] = [];
    const expanded: ExpandedRecipient[] = [];
    const addresses = new Set<string>();
    this.#logDropped();
    for (const item of this.#items) {
      if (item.recipient === undefined || item.duplicateOf !== undefined || item.isDropped) continue;
      if (item.failed !== undefined) {
        failed.push({ recipient: item.reported, reply: item.failed, copy: item.copy });
        continue;
      }
      const address = item.address.toLowerCase();
      if (item.deliver && !addresses.has(address)) {
        addresses.add(address);
        const list = recipients.get(item.copy);
        if (list === undefined) recipients.set(item.copy, [item.final]);
        else list.push(item.final);
      } else if (asksForExpansion(item)) {
        const kind = item.memberCopy === undefined ? "expanded" : "delivered";
        expanded.push({ recipient: item.reported, kind, copy: item.copy });
      }
    }
    return { recipients, failed, expanded, ...this.#endsOfRoots(addresses) };
  }

  /** What became of the recipients of the message that neither get it nor failed. */
  #endsOfRoots(delivered: ReadonlySet<string>): Pick<TreeResult, "replaced" | "discarded"> {
    const replaced: Recipient[] = [];
    const discarded: Recipient[] = [];
    for (const item of this.#roots) {
      const { recipient } = item;
      if (recipient === undefined || item.failed !== undefined) continue;
      if (isTakenAway(item)) discarded.push(recipient);
      else if (!delivered.has(recipient.address.toLowerCase())) replaced.push(recipient);
    }
    return { replaced, discarded };
  }

  /** Every recipient of the message fails, whatever was found out so far. */
  failAll(said: Reply): TreeResult {
    const failed = this.#roots.map(({ recipient, address }) => ({
      recipient: recipient ?? { address },
      reply: said,
      copy: "",
    }));
    return { recipients: this.#passedBy(), failed, expanded: [], replaced: [], discarded: [] };
  }

  #passedBy(): Map<string, Recipient[]> {
    return new Map(this.#handled.length === 0 ? [] : [["", [...this.#handled]]]);
  }

  #logDropped(): void {
    const dropped = this.#items.filter(({ isDropped }) => isDropped);
    if (dropped.length === 0) return;
    const first = dropped.slice(0, MAX_LOGGED).map(({ query }) => query.value);
    this.#log.info({ members: dropped.length, first }, "members without a mail address are left out");
  }

  #add(query: DirectoryQuery, recipient: Recipient, parent?: Item): Item {
    const item = new Item(query, recipient, parent);
    this.#items.push(item);
    if (query.filter === undefined) {
      const key = `${query.by} ${query.value.toLowerCase()}`;
      const first = this.#byQuery.get(key);
      if (first === undefined) this.#byQuery.set(key, item);
      else item.duplicateOf = first;
    }
    return item;
  }

  /** A forward or list of the message that leads to nobody must not swallow it. Empty lists within lists are no fault. */
  #endLoops(): void {
    const reaching = new Set<Item>();
    for (const item of this.#items) {
      const isForward = item.entry !== undefined && item.entry.kind !== "group";
      if (item.recipient === undefined || item.duplicateOf !== undefined) continue;
      if (item.deliver || item.isDropped || (item.level > 0 && !isForward) || isTakenAway(item)) continue;
      if (isReported(item) || reaches(item, reaching)) continue;
      item.failed = isInCircle(item) ? LOOP : isForward ? NO_FORWARD : NO_MEMBER;
      this.#log.warn({ address: item.address, reply: item.failed.text }, "nobody is behind an address");
    }
  }
}

const byAddress = (value: string): DirectoryQuery => ({ by: "address", value });

const isDelivered = (item: Item): boolean =>
  item.type === "recipient" &&
  item.deliver &&
  !item.isDropped &&
  item.failed === undefined &&
  item.duplicateOf === undefined;

/** For an item with nobody behind it: whether the reason is that it leads back to itself. */
function isInCircle(item: Item): boolean {
  return item.children.some(
    (child) => (child.duplicateOf !== undefined && !child.duplicateOf.isDropped) || isInCircle(child),
  );
}

/** Whether somebody hears of one of its parents already. */
function isReported({ parent }: Item): boolean {
  for (let item = parent; item !== undefined; item = item.parent) if (item.failed !== undefined) return true;
  return false;
}

/** A sink wants it to get nothing, and has put nobody in its place. */
const isTakenAway = (item: Item): boolean =>
  !item.deliver && !item.readsMembers && item.targets.length === 0 && item.duplicateOf === undefined;

/** Whether something behind the item gets the message, or somebody hears that it does not. */
function reaches(start: Item, known: Set<Item>): boolean {
  const seen = new Set<Item>();
  const open = [start];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const same = item.duplicateOf ?? item;
    if (seen.has(same)) continue;
    seen.add(same);
    if (known.has(same) || same.failed !== undefined || isDelivered(same)) {
      known.add(start);
      return true;
    }
    open.push(...same.children);
  }
  return false;
}

const isList = (item: Item): boolean => item.entry?.kind === "group" || item.targets.length > 1;

const asksForExpansion = (item: Item): boolean =>
  !item.deliver && isList(item) && item.recipient?.notify?.includes("SUCCESS") === true;

/** RFC 3461 §5.2.7: what those that an item expands to keep of its DSN options. */
function sharedOptions(item: Item): Omit<Recipient, "address"> {
  const { originalRecipient } = item;
  const { notify } = item.recipient ?? {};
  // A list with reports of its own: what the sender asked for ends with it (§5.2.7.1).
  if (item.memberCopy !== undefined) return { originalRecipient };
  // One for one: all is handed on (§5.2.7.2).
  if (notify === undefined || (!isList(item) && !item.deliver)) return { notify, originalRecipient };
  // One for several: the success was reported by us (§5.2.7.3).
  const left = notify.filter((condition) => condition !== "SUCCESS");
  return { notify: left.length === 0 ? ["NEVER"] : left, originalRecipient };
}
