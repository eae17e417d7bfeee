import { describe, expect, test } from "vitest";
import type { Recipient } from "../../../src/core/envelope.ts";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { IMMPID } from "../../../src/message/properties.ts";
import { RecipientList } from "../../../src/message/recipient-list.ts";

const addressesOf = (list: { readonly items: readonly Recipient[] }): string[] =>
  list.items.map(({ address }) => address);

const listOf = (...addresses: string[]): RecipientList =>
  new RecipientList(addresses.map((address) => ({ address, notify: ["NEVER" as const] })));

function codeOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (thrown) {
    return thrown instanceof OnArrivalError ? thrown.code : String(thrown);
  }
}

describe("a new list", () => {
  test("is nothing to the message before it is written, and then all of it", () => {
    const recipients = listOf("a@example.com", "b@example.com");
    const before = recipients.items;
    const list = recipients.newList();
    list.addPrimary("c@example.com");
    expect(recipients.items).toBe(before);
    recipients.writeList(list);
    expect(addressesOf(recipients)).toEqual(["c@example.com"]);
    list.addPrimary("later@example.com");
    expect(addressesOf(recipients)).toEqual(["c@example.com"]);
  });

  test("an address is no recipient to take properties from: it is refused, here and by add", () => {
    const recipients = listOf("a@example.com");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- types are not checked when a sink runs
    const from = "a@example.com" as unknown as Recipient;
    expect(() => recipients.newList().addPrimary("b@example.com", from)).toThrow(TypeError);
    expect(() => recipients.add("b@example.com", from)).toThrow(TypeError);
    expect(addressesOf(recipients)).toEqual(["a@example.com"]);
  });

  test("addPrimary replaces a duplicate and says so; the properties come from the recipient that is named", () => {
    const recipients = listOf("a@example.com");
    const list = recipients.newList();
    expect(list.addPrimary("A@example.com", recipients.items[0])).toBe("added");
    expect(list.addPrimary("a@EXAMPLE.com")).toBe("replaced");
    expect(list.items).toEqual([{ address: "a@EXAMPLE.com" }]);
    list.addPrimary("A@example.com", recipients.items[0]);
    expect(list.items).toEqual([{ address: "A@example.com", notify: ["NEVER"] }]);
  });

  test("addSecondary rejects a duplicate", () => {
    const list = listOf().newList();
    expect(list.addSecondary("a@example.com")).toBe(true);
    expect(list.addSecondary("A@example.com")).toBe(false);
    expect(list.count).toBe(1);
  });

  test.each(["no mailbox@", "<a@b>", ""])("takes no %j", (address) => {
    const list = listOf().newList();
    expect(() => list.addPrimary(address)).toThrow(RangeError);
    expect(() => list.addSecondary(address)).toThrow(RangeError);
  });

  test("an entry marked DONT_DELIVER is left out when it is written, and still counts as a duplicate", () => {
    const recipients = listOf("a@example.com", "b@example.com");
    const list = recipients.newList();
    for (const recipient of recipients) list.addPrimary(recipient.address, recipient);
    list.propertiesOf("a@example.com").put(IMMPID.RPV_DONT_DELIVER, true);
    expect(list.propertiesOf(0).get("RPV_DONT_DELIVER")).toBe(true);
    expect(list.addSecondary("a@example.com")).toBe(false);
    recipients.writeList(list);
    expect(addressesOf(recipients)).toEqual(["b@example.com"]);
    list.propertiesOf(0).put(IMMPID.RPV_DONT_DELIVER, false);
    expect(addressesOf(list)).toEqual(["a@example.com", "b@example.com"]);
  });

  test("an entry with NO_NAME_COLLISIONS is no duplicate of another, nor another of it", () => {
    const list = listOf().newList();
    list.addPrimary("a@example.com");
    expect(list.addSecondary("a@example.com", undefined, { noNameCollisions: true })).toBe(true);
    expect(list.addPrimary("a@example.com")).toBe("replaced");
    list.propertiesOf(0).put(IMMPID.RPV_NO_NAME_COLLISIONS, true);
    expect(list.addPrimary("a@example.com")).toBe("added");
    expect(addressesOf(list)).toEqual(["a@example.com", "a@example.com", "a@example.com"]);
    const properties = list.propertiesOf(0);
    expect(codeOf(() => properties.put(IMMPID.RPV_NO_NAME_COLLISIONS, false))).toBe(
      "MAILMSG_PROPERTY_INVALID",
    );
    expect(properties.get(IMMPID.RPV_NO_NAME_COLLISIONS)).toBe(true);
    properties.put(IMMPID.RP_ADDRESS_SMTP, "b@example.com");
    properties.put(IMMPID.RPV_NO_NAME_COLLISIONS, false);
    expect(list.addSecondary("b@example.com")).toBe(false);
  });

  test("an entry that gets another address is looked for under that one", () => {
    const list = listOf().newList();
    list.addPrimary("a@example.com");
    list.addPrimary("b@example.com");
    list.propertiesOf("a@example.com").put(IMMPID.RP_ADDRESS_SMTP, "c@example.com");
    expect(list.addSecondary("c@example.com")).toBe(false);
    expect(list.addSecondary("a@example.com")).toBe(true);
    expect(codeOf(() => list.propertiesOf(0).put(IMMPID.RP_ADDRESS_SMTP, "b@example.com"))).toBe(
      "MAILMSG_PROPERTY_INVALID",
    );
    expect(() => list.propertiesOf("nobody@example.com")).toThrow(RangeError);
  });

  test("of a hundred thousand entries is made in a moment, not in a square", () => {
    const list = listOf().newList();
    for (let index = 0; index < 100_000; index += 1) list.addSecondary(`r${index}@example.com`);
    expect(list.addSecondary("R99999@example.com")).toBe(false);
    expect(list.count).toBe(100_000);
  });
});

describe("the recipients of a message", () => {
  test("are counted and walked through by domain, in the order in which the domains occur", () => {
    const recipients = listOf("a@x.example", "b@Y.example", "c@X.example");
    expect(recipients.domainCount).toBe(2);
    expect(recipients.domain(0).domain).toBe("x.example");
    expect(recipients.domain(0).recipients.map(({ address }) => address)).toEqual([
      "a@x.example",
      "c@X.example",
    ]);
    expect(() => recipients.domain(2)).toThrow(RangeError);
    recipients.propertiesOf("c@X.example").put(IMMPID.RP_DOMAIN, "Y.example");
    recipients.add("d@z.example");
    expect(recipients.domains.map(({ domain, recipients: { length } }) => [domain, length])).toEqual([
      ["x.example", 1],
      ["y.example", 2],
      ["z.example", 1],
    ]);
  });

  test("are written to where they stand, also after others have gone", () => {
    const recipients = listOf("a@example.com", "b@example.com");
    const properties = recipients.propertiesOf("b@example.com");
    recipients.remove("a@example.com");
    properties.put(IMMPID.RP_DISPLAY_NAME, "Bob");
    properties.put("note", 7);
    expect(recipients.propertiesOf(0).get("RP_DISPLAY_NAME")).toBe("Bob");
    expect(properties.get("note")).toBe(7);
    expect(properties.delete("RP_DISPLAY_NAME")).toBe(true);
    expect(properties.delete("RP_ADDRESS_SMTP")).toBe(false);
    recipients.remove("b@example.com");
    expect(() => properties.put("note", 8)).toThrow(/no longer a recipient/);
    expect(() => recipients.propertiesOf(0)).toThrow(RangeError);
  });

  test("leave what a sink holds of them as it was", () => {
    const recipients = listOf("a@example.com");
    const held = recipients.items;
    recipients.propertiesOf(0).put(IMMPID.RP_ADDRESS_SMTP, "b@example.com");
    expect(held).toEqual([{ address: "a@example.com", notify: ["NEVER"] }]);
    expect(addressesOf(recipients)).toEqual(["b@example.com"]);
  });

  test("cannot be given the address of another, a mark of a new list, or what would break out of a reply", () => {
    const recipients = listOf("a@example.com", "b@example.com");
    const properties = recipients.propertiesOf(0);
    for (const [name, value] of [
      ["RP_ADDRESS_SMTP", "B@example.com"],
      ["RP_ADDRESS_SMTP", "a@b>\r\nDATA"],
      ["RP_SMTP_STATUS_STRING", "no code"],
      ["RP_SMTP_STATUS_STRING", "550 a\r\nb"],
      ["RP_DSN_ORCPT_VALUE", "no type"],
      ["RP_DSN_PRE_CAT_ADDRESS", "rfc822;a\nb"],
      ["RP_DOMAIN", "a b"],
    ] as const)
      expect([name, value, codeOf(() => properties.put(name, value))]).toEqual([
        name,
        value,
        "MAILMSG_PROPERTY_INVALID",
      ]);
    expect(codeOf(() => properties.put(IMMPID.RPV_DONT_DELIVER, true))).toBe("MAILMSG_PROPERTY_INVALID");
    expect(codeOf(() => properties.get(IMMPID.RPV_DONT_DELIVER))).toBe("MAILMSG_E_PROPNOTFOUND");
  });
});
