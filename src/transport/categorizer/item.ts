// One address on its way through the categorizer: what sinks see of it, and what becomes of it (REFERENCE 4.3).
import { isAscii, requireMailbox } from "../../core/address.ts";
import type { Recipient } from "../../core/envelope.ts";
import { type Reply, formatReply, parseFailure } from "../../core/reply.ts";
import type { CategorizerItem } from "../../events/contexts/categorize-contexts.ts";
import type {
  DirectoryAnswer,
  DirectoryEntry,
  DirectoryQuery,
} from "../../events/contexts/directory-entries.ts";
import type { PropertyValue } from "../../message/properties.ts";

/** Of a display name: a directory may hold more than anybody needs. */
const MAX_NAME_CHARS = 256;

export class Item implements CategorizerItem {
  readonly type: CategorizerItem["type"];
  readonly parent: Item | undefined;
  readonly level: number;
  readonly recipient: Recipient | undefined;
  query: DirectoryQuery;
  answer: DirectoryAnswer | undefined;
  deliver = true;
  copy = "";
  memberCopy: string | undefined;
  failed: Reply | undefined;
  /** What it expands to; items are made of them when its sinks are through. */
  targets: readonly DirectoryQuery[] = [];
  /** Whether the members of its group are to be read. */
  readsMembers = false;
  children: readonly Item[] = [];
  /** Another item that is the same: what becomes of that becomes of this. */
  duplicateOf: Item | undefined;
  /** Nobody is told, and it gets nothing: an entry of a group that has no mail address. */
  isDropped = false;
  /** The recipient of the message that it comes of. */
  readonly #root: Item;
  #address: string;
  #properties: Map<string, PropertyValue> | undefined;

  constructor(
    query: DirectoryQuery,
    recipient: Recipient | undefined,
    parent: Item | undefined,
    type: CategorizerItem["type"] = "recipient",
  ) {
    this.type = type;
    this.query = query;
    this.recipient = recipient;
    this.parent = parent;
    this.#root = parent === undefined ? this : parent.#root;
    this.level = parent === undefined ? 0 : parent.level + 1;
    this.copy = parent === undefined ? "" : (parent.memberCopy ?? parent.copy);
    this.#address = query.by === "address" ? query.value : "";
  }

  get address(): string {
    return this.#address;
  }

  set address(address: string) {
    requireMailbox(address);
    this.#address = address;
  }

  get entry(): DirectoryEntry | undefined {
    return this.answer?.kind === "found" ? this.answer.entry : undefined;
  }

  get properties(): Map<string, PropertyValue> {
    this.#properties ??= new Map();
    return this.#properties;
  }

  get failure(): string | undefined {
    return this.failed && formatReply(this.failed);
  }

  fail(text: string): void {
    this.failed = parseFailure(text);
  }

  expandTo(target: string | DirectoryQuery): void {
    const query = typeof target === "string" ? { by: "address" as const, value: target } : target;
    if (query.by === "address") requireMailbox(query.value);
    this.targets = [...this.targets, query];
  }

  /** The recipient that comes out. Who was asked for at first stays known (RFC 3461 §5.2.1). */
  get final(): Recipient {
    const { recipient, address } = this;
    const before = this.#root.recipient?.address ?? address;
    const displayName = this.entry?.displayName;
    if (recipient !== undefined && address === before && displayName === undefined) return recipient;
    // What a sink has written counts.
    const properties = {
      ...(address !== before && { RP_DSN_PRE_CAT_ADDRESS: typed(before) }),
      ...(displayName !== undefined && { RP_DISPLAY_NAME: displayName.slice(0, MAX_NAME_CHARS) }),
      ...recipient?.properties,
    };
    if (recipient?.address === address) return { ...recipient, properties };
    return { ...recipient, address, originalRecipient: this.originalRecipient, properties };
  }

  /** Whom reports and records name: recipients of the message as they were accepted (RFC 3464 §2.3.2), members by their own address. */
  get reported(): Recipient {
    return this.level === 0 && this.recipient !== undefined ? this.recipient : this.final;
  }

  /** ORCPT of what it becomes or expands to: that of the recipient as the client named it. */
  get originalRecipient(): string {
    return this.recipient?.originalRecipient ?? typed(this.#root.recipient?.address ?? this.address);
  }

  /** The answer puts everything back that a sink may change. */
  remember(): () => void {
    const { query, answer, deliver, copy, memberCopy, failed, targets, readsMembers, address } = this;
    const properties = this.#properties && new Map(this.#properties);
    return () => {
      Object.assign(this, { query, answer, deliver, copy, memberCopy, failed, targets, readsMembers });
      this.#address = address;
      this.#properties = properties;
    };
  }
}

/** RFC 3461 §4.2, RFC 6533 §3. */
const typed = (address: string): string => `${isAscii(address) ? "rfc822" : "utf-8"};${address}`;
