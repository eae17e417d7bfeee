// An edit of bytes: what the MIME document answers and the message content applies.

/** Replace the bytes [start, end) of the original by `bytes`. start === end inserts. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/** Whether the splices are ascending, apart from each other and inside `size`: what an untrusted list must show. */
export function areValidSplices(splices: readonly Splice[], size: number): boolean {
  let position = 0;
  for (const { start, end } of splices) {
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < position || end < start || end > size)
      return false;
    position = end;
  }
  return true;
}
