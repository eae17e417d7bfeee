// What categorization found out about one message, for the effect log (see effects.ts).
import type { Envelope } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";
import type { DirectoryAnswer, DirectoryEntry } from "./contexts/directory-entries.ts";
import type { PassReason } from "./effects.ts";

/** A binding of OnCategorize, or the built-in sink in its place among them. */
export interface ConsideredBinding {
  readonly name: string;
  readonly priority: number;
  /** Why it was not called. */
  readonly passedOver?: PassReason | "of another server" | undefined;
}

/**
 * `expanded`: a list; `forwarded`: an entry; `same`: as another address of the message; `left out`: a member without an address;
 * `undecided`: the message came to its end before.
 */
export type AddressEnd =
  | "sender"
  | "delivered"
  | "delivered and forwarded"
  | "forwarded"
  | "expanded"
  | "failed"
  | "same"
  | "left out"
  | "taken away"
  | "undecided";

/** One address, or key of the directory, and what became of it. */
export interface AddressFinding {
  readonly asked: string;
  /** What it was found behind; absent: the sender or a recipient of the message. */
  readonly behind?: string | undefined;
  /** Absent: nobody answered. */
  readonly answer?: DirectoryAnswer["kind"] | undefined;
  readonly entry?: Pick<DirectoryEntry, "kind" | "key"> | undefined;
  /** What the entry may send, or gets: one text for each limit. */
  readonly limits: readonly string[];
  readonly end: AddressEnd;
  /** Where its mail goes, when that is another address. */
  readonly address?: string | undefined;
  /** The first that it forwards or expands to, and how many there are. */
  readonly targets: readonly string[];
  readonly targetCount: number;
  /** Why it failed. */
  readonly reply?: string | undefined;
}

export interface CategorizationEffect {
  readonly id: string;
  /** As they came to the categorizer. */
  readonly envelope: Envelope;
  readonly content: Content;
  readonly bindings: readonly ConsideredBinding[];
  /** The first ones, and how many there are. */
  readonly findings: readonly AddressFinding[];
  readonly findingCount: number;
  readonly end: "categorized" | "discarded" | "badmail" | "retry" | "hold";
  readonly why?: string | undefined;
  /** That came out, in the message and its copies. */
  readonly recipients: number;
  /** Ids of the copies. */
  readonly copies: readonly string[];
}
