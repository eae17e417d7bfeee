// RP_*: what is to become of a recipient, and which reports it wants, in one number (REFERENCE 4.6.4). The values combine bits:
// test with hasFlags, never with equality.
import type { NotifyCondition, Recipient } from "../core/envelope.ts";

export const recipientFlags = {
  /** Nothing more to do. Set alone: the recipient is discarded. */
  handled: 0x10,
  /** A hard failure; the building block of `failed`. */
  generalFailure: 0x20,
  /** The last report on it is made: no further one goes out. */
  dsnHandled: 0x40,
  /** Delivered, by whoever set it. */
  delivered: 0x110,
  dsnSentNdr: 0x450,
  /** Hard failure: its sender gets the report. */
  failed: 0x830,
  /** The categorizer did not find it. */
  unresolved: 0x1030,
  /** A list whose members are recipients now. */
  expanded: 0x2010,
  dsnSentDelayed: 0x4000,
  dsnSentExpanded: 0x8040,
  dsnSentRelayed: 0x1_0040,
  dsnSentDelivered: 0x2_0040,
  remoteMtaNoDsn: 0x8_0000,
  errorContextStore: 0x10_0000,
  errorContextCat: 0x20_0000,
  errorContextMta: 0x40_0000,
  notifySuccess: 0x100_0000,
  notifyFailure: 0x200_0000,
  notifyDelay: 0x400_0000,
  notifyNever: 0x800_0000,
  /** Scratch bits: gone after a restart. */
  volatileMask: 0xf000_0000,
} as const;

const NOTIFY_MASK = 0x0f00_0000;
const NOTIFY_BITS: readonly (readonly [NotifyCondition, number])[] = [
  ["SUCCESS", recipientFlags.notifySuccess],
  ["FAILURE", recipientFlags.notifyFailure],
  ["DELAY", recipientFlags.notifyDelay],
  ["NEVER", recipientFlags.notifyNever],
];
const KNOWN_BITS = Object.values(recipientFlags).reduce((all, bits) => (all | bits) >>> 0, 0);

/** Whether all bits of `wanted` are set. */
export const hasFlags = (flags: number, wanted: number): boolean => (flags & wanted) >>> 0 === wanted >>> 0;

export const flagsAreKnown = (flags: number): boolean => (flags & ~KNOWN_BITS) >>> 0 === 0;

/** RECIPIENT_FLAGS as it is read: those of NOTIFY and those that were set. */
export function flagsOf({ notify, flags = 0 }: Recipient): number {
  let all = flags;
  for (const [condition, bit] of NOTIFY_BITS) if (notify?.includes(condition) === true) all |= bit;
  return all >>> 0;
}

/** The recipient with these flags in place of its own. RFC 3461 §4.1: NEVER stands alone. */
export function withFlags(recipient: Recipient, flags: number): Recipient {
  const asked = NOTIFY_BITS.filter(([, bit]) => hasFlags(flags, bit)).map(([condition]) => condition);
  const conditions: readonly NotifyCondition[] = asked.includes("NEVER") ? ["NEVER"] : asked;
  const others = (flags & ~NOTIFY_MASK) >>> 0;
  const { flags: _flags, notify: _notify, ...rest } = recipient;
  return {
    ...rest,
    ...(conditions.length === 0 ? undefined : { notify: conditions }),
    ...(others === 0 ? undefined : { flags: others }),
  };
}

/** As the store keeps it: without the scratch bits. */
export function withoutVolatileFlags(recipient: Recipient): Recipient {
  const { flags } = recipient;
  if (flags === undefined || (flags & recipientFlags.volatileMask) === 0) return recipient;
  return withFlags(recipient, (flagsOf(recipient) & ~recipientFlags.volatileMask) >>> 0);
}
