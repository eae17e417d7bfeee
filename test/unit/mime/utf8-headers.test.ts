// Text outside ASCII where no encoded word may stand: it is written as UTF-8 and never loses a byte (H01, H02, H04, M16).
import { describe, expect, test } from "vitest";
import { Headers } from "../../../src/mime/headers.ts";
import { encodeAddressList } from "../../../src/mime/header-value.ts";
import { applySplices } from "./mime-testing.ts";

/** The characters whose low byte is an LF, a CR or a NUL: cut to it they would end a line. */
const CUTTING = Array.from({ length: 255 }, (_, high) => (high + 1) << 8)
  .flatMap((high) => [high | 0x0a, high | 0x0d, high])
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCharCode(code));

/** All of them, each before what would be a field of its own. */
const CUT = CUTTING.map((character) => `${character}X-Evil:1`).join("");

describe("H01 no character becomes a line end", () => {
  test.each([
    ["a domain", "From", `Boss <a@example.com${CUT}>`],
    ["an address without brackets", "Reply-To", `a@b${CUT}`],
    ["a local part", "To", `<${CUT}@example.cz>`],
    ["a quoted local part", "Resent-To", `"${CUT}"@b`],
    ["a comment", "To", `a@b (${CUT})`],
    ["a display name", "To", `${CUT} <a@b>`],
    ["the name of a group", "Cc", `group ${CUT}: a@b;`],
    ["the first word and a parameter", "Content-Disposition", `attachment${CUT}; filename="${CUT}"`],
    ["the name of a parameter", "Content-Type", `text/plain; ${CUT}=x`],
    ["a text", "Subject", CUT],
  ])("in %s", (_place, name, value) => {
    for (const block of ["\r\n", `${name}: before\r\n\r\n`]) {
      const headers = new Headers(Buffer.from(block));
      headers.set(name, value);
      const written = headers.toBuffer();
      expect(new Headers(written).entries().map((field) => field.name)).toEqual([name]);
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      expect(/^(?:[^\r\n\0]+\r\n)+\r\n$/.test(written.toString("latin1"))).toBe(true);
      expect(applySplices(Buffer.from(block), headers.splices(0)).equals(written)).toBe(true);
    }
  });

  test("what is no byte is refused where bytes are written", () => {
    const headers = Headers.empty();
    headers.adopt(["X-A: \u010aX-Evil: 1\r\n"]);
    expect(() => headers.toBuffer()).toThrow(RangeError);
    expect(() => headers.splices(0)).toThrow(RangeError);
  });
});

test.each([
  ["žižka@localhost, copy@example.com", "žižka@localhost, copy@example.com"],
  ["nováčková@example.cz", "nováčková@example.cz"],
  ["用户@例子.cn", "用户@例子.cn"],
  ["a@例子.cn, B <b@bücher.example>", "a@xn--fsqu00a.cn, B <b@xn--bcher-kva.example>"],
  ['"č b"@x, "a,č" <"č >"@例子.cn> (d)', '"č b"@x, =?UTF-8?Q?a=2C=C4=8D?= <"č >"@例子.cn> (d)'],
  ["a@b (č), <a@b> (x (č) y)", "a@b (=?UTF-8?Q?=C4=8D?=), <a@b> (x (=?UTF-8?Q?=C4=8D?=) y)"],
])("H04 the address list %s is written as %s", (list, written) => {
  expect(encodeAddressList(list)).toBe(written);
  const headers = Headers.empty();
  headers.set("To", list);
  expect(headers.toBuffer().toString("utf8")).toBe(`To: ${written}\r\n\r\n`);
  expect(new Headers(headers.toBuffer()).get("To")).toBe(written);
});

test("an unclosed list of any length is written in linear time", () => {
  for (const bomb of ["(", '"', "<", String.raw`(\ `, String.raw`"\\`, String.raw`"\"`, "č(", 'č"', "č"])
    expect(encodeAddressList(`č@b ${bomb.repeat(100_000)}`).length).toBeGreaterThan(100_000);
});
