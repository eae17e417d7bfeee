import { assert, constantFrom, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { isBelow, normalizeDn } from "../../../../src/transport/categorizer/distinguished-name.ts";

describe("two spellings of one distinguished name have one key", () => {
  test.each([
    ["case", "CN=Joe,DC=Example", "cn=joe,dc=example"],
    ["spaces around separators", "cn = Joe , dc = example", "cn=joe,dc=example"],
    ["spaces in a row", "cn=Joe   Doe,dc=example", "cn=joe doe,dc=example"],
    ["an escaped comma and its octet", String.raw`cn=Doe\, Joe,dc=x`, String.raw`cn=Doe\2c Joe,dc=x`],
    ["a quoted value", 'cn="Doe, Joe",dc=x', String.raw`cn=Doe\, Joe,dc=x`],
    ["octets of UTF-8 and the character", String.raw`cn=\c3\96d\c3\b6n,dc=x`, "cn=Ödön,dc=x"],
    ["the order within one RDN", "sn=a+cn=b,dc=x", "cn=b+sn=a,dc=x"],
    ["semicolons of LDAPv2", "cn=a;dc=x", "cn=a,dc=x"],
    ["an escaped equals sign", String.raw`cn=a\=b,dc=x`, "cn=a=b,dc=x"],
    ["a name with and without need of care", "cn=a b,dc=x", "cn=a  b,dc=x"],
  ])("%s", (_name, one, other) => {
    expect(normalizeDn(one)).toBe(normalizeDn(other));
  });

  test("and different names do not", () => {
    const names = [
      "cn=a,dc=x",
      "cn=a,dc=y",
      "cn=a",
      "sn=a,dc=x",
      String.raw`cn=a\,dc=x`,
      "cn=a+dc=x",
      String.raw`cn=a\+dc=x`,
      "",
      "joe",
      '"a,cn=a',
    ];
    expect(new Set(names.map((name) => normalizeDn(name))).size).toBe(names.length);
  });

  test("the key of a key is itself, whatever the text", () => {
    assert(
      property(
        string({ unit: constantFrom("a", "Ö", "=", ",", "+", "\\", '"', ";", " ", "#", "<", "2", "c") }),
        (text) => {
          const key = normalizeDn(text);
          expect(normalizeDn(key)).toBe(key);
        },
      ),
    );
  });
});

test("an entry is below its base, and not below one whose name only ends alike", () => {
  expect(isBelow("cn=a,dc=x,dc=y", "dc=x,dc=y")).toBe(true);
  expect(isBelow("dc=x,dc=y", "dc=x,dc=y")).toBe(true);
  expect(isBelow("cn=a,adc=x,dc=y", "dc=x,dc=y")).toBe(false);
  expect(isBelow("cn=a", "")).toBe(true);
});
