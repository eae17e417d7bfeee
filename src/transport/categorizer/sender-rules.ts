// Whether the sender of a message may send it to an entry of the directory (REFERENCE 4.3: per-sender and per-recipient limits).
import { domainOf, sameMailbox } from "../../core/address.ts";
import type { Origin } from "../../core/envelope.ts";
import { type Reply, reply } from "../../core/reply.ts";
import type {
  DirectoryEntry,
  DirectoryQuery,
  EntryLimits,
  SenderList,
} from "../../events/contexts/directory-entries.ts";
import type { Directory } from "./directory.ts";

export interface SenderRulesParts {
  readonly directory: Directory | undefined;
  readonly origin: Origin;
  readonly sender: string;
  readonly size: number;
  readonly maxDepth: number;
  /** Members that are looked through for one list of senders. */
  readonly maxMembers: number;
}

/** RFC 3463 §3.4: X.3.4, message too big; §3.8: X.7.1, delivery not authorized. */
const TOO_BIG = reply(552, "3.4", "The message is larger than the recipient takes");
const TOO_BIG_TO_SEND = reply(552, "3.4", "The message is larger than its sender may send");
const NOT_ALLOWED = reply(550, "7.1", "The sender may not send to this recipient");
const NOT_AUTHENTICATED = reply(550, "7.1", "The recipient takes mail of authenticated senders only");

export class SenderRules {
  readonly #parts: SenderRulesParts;
  #entry: DirectoryEntry | undefined;

  constructor(parts: SenderRulesParts) {
    this.#parts = parts;
  }

  /** The sender was found; the answer says why nothing of it may go on. */
  found(entry: DirectoryEntry | undefined): Reply | undefined {
    this.#entry = entry;
    const max = entry?.limits?.maxOutgoingBytes;
    return max !== undefined && this.#parts.size > max ? TOO_BIG_TO_SEND : undefined;
  }

  /** Recipients of one message that the sender may have. */
  get maxRecipients(): number | undefined {
    return this.#entry?.limits?.maxRecipients;
  }

  /** Why the entry does not get the message. A promise only when the directory has to be asked about senders. */
  refusal(limits: EntryLimits): Reply | undefined | Promise<Reply | undefined> {
    const { size, origin } = this.#parts;
    if (limits.maxIncomingBytes !== undefined && size > limits.maxIncomingBytes) return TOO_BIG;
    // Our own reports have no sender that a list could name.
    if (origin.via === "dsn") return undefined;
    // Who can write to the Pickup folder needs no password.
    if (limits.requireAuthenticatedSender === true && origin.user === undefined && origin.via !== "pickup")
      return NOT_AUTHENTICATED;
    const { rejectFrom, acceptOnlyFrom } = limits;
    return rejectFrom === undefined && acceptOnlyFrom === undefined
      ? undefined
      : this.#byLists(rejectFrom, acceptOnlyFrom);
  }

  async #byLists(
    rejectFrom: SenderList | undefined,
    acceptOnlyFrom: SenderList | undefined,
  ): Promise<Reply | undefined> {
    if (rejectFrom !== undefined && (await this.#isAmong(rejectFrom))) return NOT_ALLOWED;
    if (acceptOnlyFrom !== undefined && !(await this.#isAmong(acceptOnlyFrom))) return NOT_ALLOWED;
    return undefined;
  }

  async #isAmong({ senders, membersOf }: SenderList): Promise<boolean> {
    return (
      senders.some((query) => this.#isSender(query)) ||
      (await this.#isNamed(senders)) ||
      (await this.#isMember(membersOf))
    );
  }

  #isSender({ by, value }: DirectoryQuery): boolean {
    const { sender } = this.#parts;
    if (by === "key") return this.#entry !== undefined && sameMailbox(this.#entry.key, value);
    if (value.startsWith("*@")) return domainOf(sender) === value.slice(2).toLowerCase();
    return sameMailbox(value, sender) || sameMailbox(value, this.#entry?.address ?? "");
  }

  /** A list may name the sender by another of its addresses. */
  async #isNamed(senders: readonly DirectoryQuery[]): Promise<boolean> {
    const entry = this.#entry;
    const named = senders.filter(({ by, value }) => by === "address" && !value.startsWith("*@"));
    if (entry === undefined || named.length === 0) return false;
    const answers = (await this.#parts.directory?.resolve(named, [])) ?? [];
    return answers.some((answer) => answer.kind === "found" && answer.entry.key === entry.key);
  }

  /** Level by level, so that a sender who is a direct member is found before nested groups are read. */
  async #isMember(groups: readonly DirectoryQuery[]): Promise<boolean> {
    const { directory, maxDepth } = this.#parts;
    const look: MemberLook = { seen: new Set(), left: this.#parts.maxMembers, found: false };
    let level = groups;
    for (let depth = 0; depth < maxDepth && level.length > 0 && look.left > 0; depth += 1) {
      const next: DirectoryQuery[] = [];
      /* oxlint-disable no-await-in-loop -- the next level is what this one holds */
      const answers = (await directory?.resolve(level, [])) ?? [];
      for (const answer of answers)
        if (answer.kind === "found") next.push(...(await this.#membersOf(answer.entry, look)));
      /* oxlint-enable no-await-in-loop */
      if (look.found) return true;
      level = next;
    }
    return false;
  }

  async #membersOf(entry: DirectoryEntry, look: MemberLook): Promise<readonly DirectoryQuery[]> {
    if (look.found || look.seen.has(entry.key)) return [];
    look.seen.add(entry.key);
    look.found = entry.key === this.#entry?.key;
    const members: DirectoryQuery[] = [];
    if (look.found || entry.members === undefined) return members;
    for await (const page of entry.members()) {
      members.push(...page);
      look.left -= page.length;
      look.found = page.some((query) => this.#isSender(query));
      if (look.found || look.left <= 0) break;
    }
    return members;
  }
}

/** One look for the sender through groups in groups. */
interface MemberLook {
  readonly seen: Set<string>;
  /** Members that may still be looked at. */
  left: number;
  found: boolean;
}
