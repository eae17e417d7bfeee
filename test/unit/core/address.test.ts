import { expect, test } from "vitest";
import { domainOf, isMailbox, localPartOf } from "../../../src/core/address.ts";

test.each([
  "user@example.com",
  "user@localhost",
  "postmaster",
  '"quoted local"@example.com',
  '"a@b"@example.com',
  "user+tag@sub.example.com",
  "user@[192.0.2.1]",
  "user@[IPv6:2001:db8::1]",
  "üser@bücher.example",
  "user@example.com.",
])("%s is a mailbox", (address) => expect(isMailbox(address)).toBe(true));

test.each([
  "",
  "a b@example.com",
  "a@b c.com",
  "a@@b.com",
  "<a@b.com>",
  "a@b.com>",
  "a@b.com\r\nRCPT TO:<c@d>",
  "a@-b.com",
  "a@b-.com",
  "a@.com",
  "a@[1.2.3.4",
  '"unclosed@example.com',
  "a\u0000@b.com",
  "@example.com",
])("%j is none", (address) => expect(isMailbox(address)).toBe(false));

test("the last @ separates local part and domain", () => {
  expect(domainOf('"a@b"@Example.COM')).toBe("example.com");
  expect(localPartOf('"a@b"@Example.COM')).toBe('"a@b"');
});
