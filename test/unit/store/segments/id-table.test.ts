import { array, assert, nat, property } from "fast-check";
import { expect, test } from "vitest";
import { IdTable } from "../../../../src/store/segments/id-table.ts";

const idOf = (number: number): string => number.toString(36).toUpperCase().padStart(18, "0");

test("an id has the same slot until it is removed, whatever comes and goes beside it", () => {
  assert(
    property(array(nat(40), { maxLength: 200 }), (numbers) => {
      const table = new IdTable();
      const slots = new Map<string, number>();
      for (const id of numbers.map((number) => idOf(number))) {
        const slot = slots.get(id);
        if (slot === undefined) {
          slots.set(id, table.add(id));
        } else {
          table.remove(slot);
          slots.delete(id);
        }
        for (const [known, at] of slots) expect([table.find(known), table.idAt(at)]).toEqual([at, known]);
        expect([...table.slots()].sort((a, b) => a - b)).toEqual([...slots.values()].sort((a, b) => a - b));
      }
      expect(table.size).toBe(slots.size);
    }),
    { numRuns: 50 },
  );
});

test("the table grows, and keeps what it has", () => {
  const table = new IdTable();
  const ids = Array.from({ length: 5000 }, (_, at) => idOf(at * 7919));
  const slots = ids.map((id) => table.add(id));
  expect(ids.map((id) => table.find(id))).toEqual(slots);
  expect(table.find(idOf(3))).toBe(-1);
  expect(table.find("short")).toBe(-1);
});

test("ids are found by how they begin, and by no characters that only end in the same byte", () => {
  const table = new IdTable();
  const ids = [7, 8, 9].map((number) => idOf(number));
  for (const id of ids) table.add(id);
  expect(table.idsWith("0000", 5)).toEqual(ids);
  expect(table.idsWith("0000", 2)).toEqual(ids.slice(0, 2));
  expect(table.idsWith(idOf(8), 5)).toEqual([idOf(8)]);
  // U+0130 ends in the byte of "0".
  expect(table.idsWith("000\u0130", 5)).toEqual([]);
});
