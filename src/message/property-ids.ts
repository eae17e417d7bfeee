// Who has which numbers of private properties (IMailMsgPropertyManagement.AllocPropIDRange, REFERENCE 4.6): a range for each
// owner, the same at every start, because messages are saved with the numbers.
import { OnArrivalError } from "../core/errors.ts";
import { FIRST_PRIVATE_ID, LAST_PRIVATE_ID } from "./properties.ts";

export interface OwnedRange {
  /** A GUID or a name, in lower case. */
  readonly owner: string;
  readonly first: number;
  readonly count: number;
}

export interface PropertyIdRange extends OwnedRange {
  /** The number at `index`, from 0. Throws RangeError beyond the range. */
  id(index: number): number;
}

export interface PropertyIdsParts {
  /** As kept by an earlier run. */
  readonly ranges?: readonly OwnedRange[];
  /** Of all owners together. */
  readonly maxIds?: number;
  /** Makes the ranges durable, or throws: then the new one is not given out. */
  readonly keep?: (ranges: readonly OwnedRange[]) => void;
}

export const DEFAULT_MAX_PROPERTY_IDS = 16_384;
const MAX_OWNER_CHARS = 200;

export class PropertyIdRanges {
  readonly #byOwner: Map<string, OwnedRange>;
  readonly #maxIds: number;
  readonly #keep: (ranges: readonly OwnedRange[]) => void;
  #next: number;

  constructor({ ranges = [], maxIds = DEFAULT_MAX_PROPERTY_IDS, keep }: PropertyIdsParts = {}) {
    this.#byOwner = new Map(ranges.map((range) => [range.owner, range]));
    this.#maxIds = maxIds;
    this.#keep = keep ?? (() => undefined);
    this.#next = ranges.reduce((next, { first, count }) => Math.max(next, first + count), FIRST_PRIVATE_ID);
  }

  /** The owner's range; it is made when the owner asks for the first time. */
  allocate(owner: string, count: number): PropertyIdRange {
    const key = owner.toLowerCase();
    if (key === "" || key.length > MAX_OWNER_CHARS)
      throw new RangeError(`an owner of property ids has 1 to ${MAX_OWNER_CHARS} characters`);
    if (!Number.isInteger(count) || count < 1)
      throw new RangeError("a range of property ids has at least one");
    const known = this.#byOwner.get(key);
    if (known === undefined) return withIds(this.#create(key, count));
    if (known.count >= count) return withIds(known);
    // What follows the range belongs to another: messages may be saved with it.
    throw new OnArrivalError(
      "MAILMSG_PROPERTY_LIMIT",
      `"${owner}" has ${known.count} property ids; it gets more under another name`,
    );
  }

  #create(owner: string, count: number): OwnedRange {
    const first = this.#next;
    const end = first + count;
    if (end - FIRST_PRIVATE_ID > this.#maxIds || end - 1 > LAST_PRIVATE_ID)
      throw new OnArrivalError("MAILMSG_PROPERTY_LIMIT", `more than ${this.#maxIds} property ids`);
    const range = { owner, first, count };
    this.#keep([...this.#byOwner.values(), range]);
    this.#byOwner.set(owner, range);
    this.#next = end;
    return range;
  }
}

const withIds = (range: OwnedRange): PropertyIdRange => ({
  ...range,
  id(index) {
    if (!Number.isInteger(index) || index < 0 || index >= range.count)
      throw new RangeError(`the range of "${range.owner}" has ${range.count} ids, none is ${index}`);
    return range.first + index;
  },
});

/** Whether these are ranges as `keep` gets them; they may come from a file that somebody has edited. */
export function areOwnedRanges(value: unknown): value is OwnedRange[] {
  if (!Array.isArray(value)) return false;
  const ranges: unknown[] = value;
  if (!ranges.every(isOwnedRange)) return false;
  const sorted = ranges.toSorted((a, b) => a.first - b.first);
  return sorted.every(
    ({ first }, index) =>
      index === 0 || first >= (sorted[index - 1]?.first ?? 0) + (sorted[index - 1]?.count ?? 0),
  );
}

const isOwnedRange = (value: unknown): value is OwnedRange =>
  typeof value === "object" &&
  value !== null &&
  "owner" in value &&
  typeof value.owner === "string" &&
  "first" in value &&
  Number.isSafeInteger(value.first) &&
  Number(value.first) >= FIRST_PRIVATE_ID &&
  "count" in value &&
  Number.isSafeInteger(value.count) &&
  Number(value.count) > 0;
