// RelayIpList of a metabase: what the report of the import tells people to write.
import { expect, test } from "vitest";
import { relayList } from "../../../../src/config/import/relay-list.ts";

/** As scripts of administrators write it: `count` is said twice, and the addresses stand at the end. */
const packed = (count: number, ...addresses: readonly number[]): string => {
  const head = new Uint32Array(20);
  head.set([0x8000_0018, 0x8000_0020, 0x8000_003c, 0x8000_0044, 1, 76, 0, 0, 1, count, 2, count + 1, 4]);
  head.set([0x8000_004c, 0, 0, 0, 0, 0xffff_ffff], 14);
  return Buffer.concat([Buffer.from(head.buffer), Buffer.from(addresses)]).toString("hex");
};

test("single addresses are named in the line to write, and nothing is set", () => {
  expect(relayList(packed(2, 192, 0, 2, 7, 10, 1, 2, 3))).toContain(
    'write relay: { mode: only, networks: ["127.0.0.0/8", "::1/128", "192.0.2.7", "10.1.2.3"] }',
  );
  expect(relayList(packed(0))).toContain('networks: ["127.0.0.0/8", "::1/128"] }');
});

test("an empty list is nobody, and programs of this machine are told of", () => {
  expect(relayList("  ")).toContain("relay: { networks: [] }");
});

test.each([
  ["a count that is another one", packed(3, 192, 0, 2, 7)],
  ["half an address", packed(1, 192, 0)],
  ["another mask", packed(1, 10, 0, 0, 0).replace("ffffffff", "ffff0000")],
  ["a list of whom not", packed(1, 10, 0, 0, 1).replace(/^18000080/, "18000000")],
  ["more than a report holds", packed(200, ...Array<number>(800).fill(1))],
  ["no bytes at all", "IIsIPSecurity"],
])("%s is no form that is known: the report says where to look", (_, value) => {
  expect(relayList(value)).toMatch(/form that is not known; see Access, Relay .* relay\.networks/);
});
