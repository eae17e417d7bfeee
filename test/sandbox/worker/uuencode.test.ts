import { assert, property, string, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { decodeUu, encodeUu } from "../../../src/sandbox/worker/content/uuencode.ts";

test("what is uuencoded is decoded again, whatever the name", () => {
  assert(
    property(uint8Array({ maxLength: 300 }), string(), (bytes, name) => {
      const encoded = encodeUu(Buffer.from(bytes), name);
      expect(decodeUu(encoded).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
      for (const line of encoded.toString("latin1").split("\r\n").slice(1))
        expect(line.length).toBeLessThanOrEqual(61);
    }),
  );
});

test("it is the form of POSIX", () => {
  expect(encodeUu(Buffer.from("Cat"), "cat.txt").toString()).toBe(
    "begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n",
  );
});

test("blanks for zero, text before the file and cut-off lines are read", () => {
  expect(decodeUu(Buffer.from("some text\nbegin 600 x\n#0V%T\n \nend\n")).toString()).toBe("Cat");
  expect(decodeUu(Buffer.from("begin 644 x\r\n#0V%T\r\nM86")).subarray(0, 3).toString()).toBe("Cat");
  expect(decodeUu(Buffer.from("no file")).toString()).toBe("no file");
});
