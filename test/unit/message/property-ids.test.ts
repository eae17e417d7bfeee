import { describe, expect, test } from "vitest";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { type OwnedRange, PropertyIdRanges, areOwnedRanges } from "../../../src/message/property-ids.ts";

const GUID = "{01234567-89AB-CDEF-0123-456789ABCDEF}";

describe("ranges of private property ids", () => {
  test("begin at 0x8000, follow each other, and are the owner's however it is spelled", () => {
    const ids = new PropertyIdRanges();
    const first = ids.allocate(GUID, 3);
    expect([first.first, first.id(2)]).toEqual([0x8000, 0x8002]);
    expect(ids.allocate("spam filter", 1).first).toBe(0x8003);
    expect(ids.allocate(GUID.toLowerCase(), 2)).toMatchObject({ first: 0x8000, count: 3 });
    expect(() => first.id(3)).toThrow(RangeError);
    expect(() => first.id(-1)).toThrow(RangeError);
  });

  test("are the same at the next start, and new ones come behind them", () => {
    let kept: readonly OwnedRange[] = [];
    const keep = (ranges: readonly OwnedRange[]): void => {
      kept = ranges;
    };
    new PropertyIdRanges({ keep }).allocate("one", 10);
    const again = new PropertyIdRanges({ ranges: kept, keep });
    expect(again.allocate("two", 1).first).toBe(0x800a);
    expect(again.allocate("one", 10).first).toBe(0x8000);
    expect(areOwnedRanges(kept)).toBe(true);
  });

  test("that cannot be kept are not given out", () => {
    let isFull = true;
    const keep = (): void => {
      if (isFull) throw new OnArrivalError("STORE_FAILED", "disk full");
    };
    const ids = new PropertyIdRanges({ keep });
    expect(() => ids.allocate("one", 4)).toThrow("disk full");
    isFull = false;
    expect(ids.allocate("two", 1).first).toBe(0x8000);
  });

  test("do not grow into those of others, nor beyond the setting", () => {
    const ids = new PropertyIdRanges({ maxIds: 4 });
    ids.allocate("one", 2);
    expect(() => ids.allocate("one", 3)).toThrow(/has 2 property ids/);
    expect(() => ids.allocate("two", 3)).toThrow(/more than 4/);
    expect(ids.allocate("two", 2).first).toBe(0x8002);
    expect(() => ids.allocate("", 1)).toThrow(RangeError);
    expect(() => ids.allocate("three", 0)).toThrow(RangeError);
  });

  test.each([
    ["no list", {}],
    ["an entry that is none", [null]],
    ["an id that is not private", [{ owner: "a", first: 1, count: 1 }]],
    [
      "two that overlap",
      [
        { owner: "a", first: 0x8000, count: 2 },
        { owner: "b", first: 0x8001, count: 1 },
      ],
    ],
  ])("are not read from %s", (_name, value) => {
    expect(areOwnedRanges(value)).toBe(false);
  });
});
