// How long a barrier waits for company: long enough to pay on a slow disk, not at all on a fast one or for a lone sender.
import { describe, expect, it } from "vitest";
import { GroupDelay } from "../../../../src/store/segments/group-delay.ts";

const MOST_MS = 5;

/** After many barriers of this length, the last of them at 0 with `shared` messages in it and `behind` waiting. */
function after(barrierMs: number, shared: number, behind: number, mostMs = MOST_MS): GroupDelay {
  const delay = new GroupDelay(mostMs);
  for (let barrier = 0; barrier < 100; barrier += 1) delay.barrierEnded(0, barrierMs, shared, behind);
  return delay;
}

describe("a barrier", () => {
  it("waits for nobody before there was another one", () => {
    expect(new GroupDelay(MOST_MS).delayMs(0, 1)).toBe(0);
  });

  it("on a slow disk waits half as long as barriers take, at most as long as is set", () => {
    expect(after(4, 10, 10).delayMs(1, 1)).toBe(1);
    expect(after(6, 10, 10).delayMs(1, 1)).toBe(2);
    expect(after(40, 10, 10).delayMs(1, 1)).toBe(MOST_MS);
    expect(after(40, 10, 10, 0).delayMs(1, 1)).toBe(0);
  });

  it("on a fast disk begins at once", () => {
    expect(after(0.6, 10, 10).delayMs(1, 1)).toBe(0);
    expect(after(1.9, 10, 10).delayMs(1, 1)).toBe(0);
  });

  it("begins at once when all are there who may come", () => {
    const delay = after(40, 12, 8);
    expect(delay.isComplete(19)).toBe(false);
    expect(delay.delayMs(1, 19)).toBe(MOST_MS);
    expect(delay.isComplete(20)).toBe(true);
    expect(delay.delayMs(1, 20)).toBe(0);
  });

  it("lets a lone sender wait for nobody", () => {
    expect(after(40, 1, 0).delayMs(0.1, 1)).toBe(0);
  });

  it("begins at once when the last one was long ago", () => {
    expect(after(40, 10, 10).delayMs(3, 1)).toBe(0);
  });

  it("forgets one slow barrier among fast ones", () => {
    const delay = after(0.5, 10, 10);
    delay.barrierEnded(0, 9, 10, 10);
    expect(delay.delayMs(1, 1)).toBe(0);
  });
});
