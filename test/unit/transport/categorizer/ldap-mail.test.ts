// Mail through the transport whose categorizer asks a real OpenLDAP: who gets it, who is reported, and what an outage costs.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { group, PARTNER, person } from "../../../support/ldif.ts";
import { type Slapd, slapdMissing, startSlapd } from "../../../support/slapd.ts";
import { until } from "../transport-house.ts";
import { delivered, openCategorizer, reports } from "./categorizer-house.ts";
import { houseOf } from "./ldap-house.ts";

const ENTRIES = [
  person("ann", { mail: ["ann@example.com", "annie@example.com"] }),
  person("bob"),
  PARTNER,
  group("team", ["uid=ann", "cn=inner", "cn=partner"], { mail: "team@example.com" }),
  group("inner", ["cn=team", "uid=bob", "uid=ann"]),
].join("");

const missing = slapdMissing();
if (missing !== undefined) console.warn(`mail by an LDAP directory is not tested: ${missing}`);

describe.skipIf(missing !== undefined)("mail by OpenLDAP", () => {
  let slapd: Slapd;
  beforeAll(async () => {
    slapd = await startSlapd({ ldif: ENTRIES });
  });
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]();
  });

  test("reaches everybody of groups that hold each other once, and the sender hears of who is unknown", async () => {
    await using ldap = houseOf({ servers: [slapd.url] });
    await using house = await openCategorizer(ldap.directory, { unknown: "fail" });
    await house.accept(["team@example.com", "annie@example.com", "nobody@example.com"]);
    await house.empty();
    expect(delivered(house)).toEqual(["ann@example.com", "bob@example.com", "partner@far.example"]);
    expect(reports(house)).toEqual([
      expect.objectContaining({ text: expect.stringMatching(/nobody@example\.com[\s\S]*Status: 5\.1\.1/) }),
    ]);
  });

  test("waits while the directory is down, and goes on when it is back", async () => {
    const retry = { minMs: 1, maxMs: 1 };
    await using ldap = houseOf({ servers: [slapd.url], retry, cache: { foundMs: 0 } });
    await using house = await openCategorizer(ldap.directory, { unknown: "fail" });
    await slapd.stop();
    await house.accept(["annie@example.com"]);
    await until(() => house.queue[0]?.state === "retry");
    expect([delivered(house), reports(house)]).toEqual([[], []]);
    await slapd.start();
    // A server that failed rests for some real milliseconds before it is asked again.
    await until(() => {
      house.transport.admin.retry([]);
      return house.queue.length === 0;
    }, "an empty queue");
    expect(delivered(house)).toEqual(["ann@example.com"]);
  });
});
