import { expect, test } from "vitest";
import { FrameReader, encodeFrame } from "../../../src/core/frames.ts";

test("frames come out as they went in, however the stream is cut", () => {
  const stream = Buffer.concat([
    ...encodeFrame({ type: "ready" }),
    ...encodeFrame({ n: "ümlaut" }, [Buffer.from("bytes"), Buffer.from([0, 255])]),
    ...encodeFrame([]),
  ]);
  for (let size = 1; size <= stream.length; size += 1) {
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < stream.length; at += size)
      frames.push(...reader.push(stream.subarray(at, at + size)));
    expect(frames.map(({ head }) => head)).toEqual([{ type: "ready" }, { n: "ümlaut" }, []]);
    expect(frames[1]?.bytes).toEqual(Buffer.from([...Buffer.from("bytes"), 0, 255]));
  }
});

test("a frame that is larger than allowed or contradicts itself is refused before it is kept", () => {
  const huge = Buffer.alloc(8);
  huge.writeUInt32LE(1000, 0);
  expect(() => new FrameReader(999).push(huge)).toThrow("refused");
  const liar = Buffer.alloc(8);
  liar.writeUInt32LE(20, 0);
  liar.writeUInt32LE(21, 4);
  expect(() => new FrameReader().push(liar)).toThrow("refused");
  const fat = Buffer.alloc(8);
  fat.writeUInt32LE(1000, 0);
  fat.writeUInt32LE(101, 4);
  expect(() => new FrameReader(1000, 100).push(fat)).toThrow("refused");
});
