// What the items of one message came to, for people who ask: bounded, since a list may have ten thousand members.
import { type Reply, formatReply } from "../../core/reply.ts";
import type { AddressEnd, AddressFinding } from "../../events/categorize-effects.ts";
import type { EntryLimits, SenderList } from "../../events/contexts/directory-entries.ts";
import type { Item } from "./item.ts";

/** Addresses of one message that are recorded; sender and recipients come before what they expand to. */
const MAX_FINDINGS = 50;
const MAX_TARGETS = 5;

/** Replies to recipients that failed, also when all of them did for one reason; undefined: nothing came of the categorization. */
type Refusals = ReadonlyMap<string, Reply> | undefined;

export const findingsOf = (items: readonly Item[], refusals: Refusals): readonly AddressFinding[] =>
  items.slice(0, MAX_FINDINGS).map((item) => findingOf(item, refusals));

function findingOf(item: Item, refusals: Refusals): AddressFinding {
  const { query, answer, entry, address, targets, type } = item;
  const failed = refusalOf(item, refusals);
  return {
    asked: query.value,
    behind: item.parent?.query.value,
    answer: answer?.kind,
    entry: entry && { kind: entry.kind, key: entry.key },
    limits: limitsOf(type, entry?.limits),
    end: failed === undefined ? endOf(item, isDecided(item, refusals)) : "failed",
    address: address === "" || address === query.value ? undefined : address,
    targets: targets.slice(0, MAX_TARGETS).map(({ value }) => value),
    targetCount: targets.length,
    reply: failed && formatReply(failed),
  };
}

function refusalOf({ failed, level, recipient }: Item, refusals: Refusals): Reply | undefined {
  return failed ?? (level === 0 && recipient !== undefined ? refusals?.get(recipient.address) : undefined);
}

/** Whether the outcome of the item counts: it does not when the whole message failed, or the list behind which it was found. */
function isDecided({ parent }: Item, refusals: Refusals): boolean {
  let root = parent;
  while (root?.parent !== undefined) root = root.parent;
  return refusals !== undefined && (root === undefined || refusalOf(root, refusals) === undefined);
}

function endOf(
  { type, duplicateOf, isDropped, deliver, targets, entry }: Item,
  decided: boolean,
): AddressEnd {
  if (type === "sender") return "sender";
  if (!decided) return "undecided";
  if (duplicateOf !== undefined) return "same";
  if (isDropped) return "left out";
  const leads = targets.length > 0;
  if (deliver) return leads ? "delivered and forwarded" : "delivered";
  if (entry?.kind === "group") return "expanded";
  return leads ? "forwarded" : "taken away";
}

function limitsOf(type: Item["type"], limits: EntryLimits = {}): string[] {
  const { maxOutgoingBytes, maxRecipients, maxIncomingBytes } = limits;
  const { requireAuthenticatedSender, acceptOnlyFrom, rejectFrom } = limits;
  const texts: string[] = [];
  if (type === "sender") {
    if (maxOutgoingBytes !== undefined) texts.push(`sends up to ${maxOutgoingBytes} bytes`);
    if (maxRecipients !== undefined) texts.push(`sends to up to ${maxRecipients} recipients`);
    return texts;
  }
  if (maxIncomingBytes !== undefined) texts.push(`takes up to ${maxIncomingBytes} bytes`);
  if (requireAuthenticatedSender === true) texts.push("takes mail of authenticated senders only");
  if (acceptOnlyFrom !== undefined) texts.push(`takes mail only from ${lengthOf(acceptOnlyFrom)}`);
  if (rejectFrom !== undefined) texts.push(`takes none from ${lengthOf(rejectFrom)}`);
  return texts;
}

const lengthOf = ({ senders, membersOf }: SenderList): string =>
  `${senders.length} named senders and the members of ${membersOf.length} groups`;
