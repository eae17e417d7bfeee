import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { areValidSplices, type Splice } from "../../../src/core/splice.ts";
import { Content, headerBlockLength } from "../../../src/message/content.ts";

/** The edits applied by the plainest means. */
function spliced(original: Buffer, splices: readonly Splice[]): Buffer {
  let result = Buffer.alloc(0);
  let position = 0;
  for (const { start, end, bytes } of splices) {
    result = Buffer.concat([result, original.subarray(position, start), bytes]);
    position = end;
  }
  return Buffer.concat([result, original.subarray(position)]);
}

/** Valid splices of a content of `size` bytes. */
const splicesOf = (size: number): fc.Arbitrary<Splice[]> =>
  fc.array(fc.tuple(fc.nat(size), fc.uint8Array({ maxLength: 5 })), { maxLength: 8 }).map((parts) => {
    const places = parts.flatMap(([place]) => [place]).toSorted((a, b) => a - b);
    return parts.flatMap(([, bytes], index) => {
      const start = places[index * 2];
      const end = places[index * 2 + 1];
      return start === undefined || end === undefined ? [] : [{ start, end, bytes: Buffer.from(bytes) }];
    });
  });

describe("content", () => {
  test("the header block ends with its blank line, and is everything when there is none", () => {
    expect(headerBlockLength(Buffer.from("A: b\r\n\r\nbody"))).toBe(8);
    expect(headerBlockLength(Buffer.from("\r\nbody"))).toBe(2);
    expect(headerBlockLength(Buffer.from("A: b\r\n"))).toBe(6);
    expect(headerBlockLength(Buffer.alloc(3 * 1024 * 1024))).toBe(1024 * 1024);
  });

  test("edits give the bytes that plain copying gives, also on top of edits", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .uint8Array({ maxLength: 60 })
          .chain((bytes) => fc.tuple(fc.constant(Buffer.from(bytes)), splicesOf(bytes.length))),
        fc.nat(),
        async ([original, splices], seed) => {
          expect(areValidSplices(splices, original.length)).toBe(true);
          const once = Content.fromBuffer(original).splice(splices);
          const expected = spliced(original, splices);
          expect(await once.toBuffer()).toEqual(expected);
          expect(once.size).toBe(expected.length);
          expect(once.header).toEqual(expected.subarray(0, headerBlockLength(expected)));
          const at = expected.length === 0 ? 0 : seed % expected.length;
          const again = [{ start: at, end: at, bytes: Buffer.from("X") }];
          expect(await once.splice(again).toBuffer()).toEqual(spliced(expected, again));
        },
      ),
    );
  });

  test("X28 as many edits as a content has pieces look at each piece a few times only", () => {
    const count = 1000;
    let looks = 0;
    const pieces = Array.from({ length: count }, (_, index) => ({
      path: "/none",
      offset: index * 10,
      get length(): number {
        looks += 1;
        return 10;
      },
    }));
    const content = Content.fromPieces(Buffer.alloc(0), pieces);
    looks = 0;
    const edited = content.splice(
      pieces.map(({ offset }) => ({ start: offset + 3, end: offset + 4, bytes: Buffer.from("x") })),
    );
    expect(looks).toBeLessThan(10 * count);
    expect(edited.pieces).toHaveLength(3 * count);
    expect(edited.pieces[5]).toMatchObject({ offset: 14, length: 6 });
  });

  test("the header block of an edited content is that of its bytes, wherever its lines were edited", () => {
    const lines = fc.array(fc.constantFrom("A: b\r\n", " more\r\n", "\r\n", "C: d", "\n", "\r\n\r\n"), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(lines, lines, lines, lines, (before, gone, put, after) => {
        const original = Buffer.from([...before, ...gone, ...after].join(""));
        const start = before.join("").length;
        const edit = { start, end: start + gone.join("").length, bytes: Buffer.from(put.join("")) };
        const expected = spliced(original, [edit]);
        const content = Content.fromBuffer(original);
        const edited = content.splice([edit]);
        expect(edited.header.toString()).toBe(expected.subarray(0, headerBlockLength(expected)).toString());
        const hasLoneBreaks = (bytes: Buffer): boolean => /\r(?!\n)|(?<!\r)\n/.test(bytes.toString("latin1"));
        if (edited.keepsLinesOf(content) && !hasLoneBreaks(original))
          expect(hasLoneBreaks(expected)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test("edits of whole header lines keep what is known of the line ends, also on top of each other", () => {
    const content = Content.fromBuffer(Buffer.from("A: b\r\nC: d\r\n\r\nbody\r\n"));
    const edit = (start: number, end: number, put: string): Splice[] => [
      { start, end, bytes: Buffer.from(put) },
    ];
    const added = content.splice(edit(6, 6, "X: y\r\n"));
    expect(added.keepsLinesOf(content)).toBe(true);
    expect(added.splice(edit(0, 6, "")).keepsLinesOf(content)).toBe(true);
    expect(content.splice(edit(6, 6, "X: y\n")).keepsLinesOf(content)).toBe(false);
    expect(content.splice(edit(3, 4, "\r")).keepsLinesOf(content)).toBe(false);
    expect(added.splice(edit(22, 24, "\n")).keepsLinesOf(content)).toBe(false);
  });

  test("a content that lies on disk is edited without reading it, and read in order", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "content-"));
    try {
      const file = path.join(folder, "rest");
      await writeFile(file, "....the rest of it");
      const content = Content.fromFile(Buffer.from("A: b\r\n\r\nstart "), {
        path: file,
        offset: 4,
        length: 14,
      });
      expect(content.inMemory).toBe(false);
      const edited = content.splice([
        { start: 0, end: 0, bytes: Buffer.from("X: y\r\n") },
        { start: 18, end: 22, bytes: Buffer.from("whole") },
      ]);
      expect((await edited.toBuffer()).toString()).toBe("X: y\r\nA: b\r\n\r\nstart the whole of it");
      expect(edited.header.toString()).toBe("X: y\r\nA: b\r\n\r\n");
      expect((await edited.read(20, 9)).toString()).toBe("the whole");
      expect((await edited.read(edited.size - 2, 100)).toString()).toBe("it");
      expect(await text(edited.stream())).toBe((await edited.toBuffer()).toString());
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    [[{ start: 5, end: 4 }]],
    [[{ start: 0, end: 11 }]],
    [
      [
        { start: 2, end: 4 },
        { start: 3, end: 5 },
      ],
    ],
    [[{ start: -1, end: 0 }]],
    [[{ start: 0.5, end: 1 }]],
  ])("a list of splices that is none is seen: %o", (splices) => {
    expect(
      areValidSplices(
        splices.map((splice) => ({ ...splice, bytes: Buffer.alloc(0) })),
        10,
      ),
    ).toBe(false);
  });
});
