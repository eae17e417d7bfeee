// Answers that OpenLDAP does not give: the ranges of Active Directory, result codes, and what a broken or hostile server says.
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type LdapResponder,
  type Response,
  type SearchAsked,
  startLdapResponder,
} from "../../../support/ldap-responder.ts";
import { BASE } from "../../../support/slapd.ts";
import { byAddress, byKey, houseOf, pagesOf } from "./ldap-house.ts";

const ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800";
const GROUP = `cn=all,${BASE}`;
const joe = { dn: `cn=Joe,${BASE}`, attributes: { objectClass: ["user"], mail: ["joe@example.com"] } };
const group = { dn: GROUP, attributes: { objectClass: ["group"], mail: ["all@example.com"] } };

/** What every connection asks first is answered as Active Directory does. */
const startDirectory = (
  respond: (search: SearchAsked) => Response | Promise<Response>,
): Promise<LdapResponder> =>
  startLdapResponder((search) => {
    if (search.base === "") return [{ dn: "", attributes: { supportedCapabilities: [ACTIVE_DIRECTORY] } }];
    return search.attributes[0] === "1.1" ? [{ dn: BASE, attributes: {} }] : respond(search);
  });

const houseAt = ({ port }: LdapResponder, more: Record<string, unknown> = {}) =>
  houseOf({ servers: [`ldap://127.0.0.1:${port}`], tls: { startTls: "never" }, bind: undefined, ...more });

const dn = (index: number): string => `CN=User ${index},${BASE}`;
const dns = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => dn(from + index));

describe("members in ranges", () => {
  test("are asked for one range after the other, up to the last", async () => {
    await using server = await startDirectory(({ attributes }) => {
      if (attributes.includes("objectClass")) return [group];
      if (attributes.includes("member"))
        return [{ dn: GROUP, attributes: { member: [], "member;range=0-1499": dns(0, 1499) } }];
      return attributes[0] === "member;range=1500-*"
        ? [{ dn: GROUP, attributes: { "Member;Range=1500-2999": dns(1500, 2999) } }]
        : [{ dn: GROUP, attributes: { "member;range=3000-*": dns(3000, 3100) } }];
    });
    await using own = houseAt(server, { batchSize: 1000 });
    const members = (await pagesOf(await own.find("all@example.com"))).flat();
    expect(members).toEqual(dns(0, 3100).map((name) => byKey(name.toLowerCase())));
    expect(server.searches.at(-1)?.attributes).toEqual(["member;range=3000-*"]);
  });

  test("that never go forward end in a fault, not in a loop", async () => {
    await using server = await startDirectory(({ attributes }) =>
      attributes.includes("objectClass")
        ? [group]
        : [{ dn: GROUP, attributes: { "member;range=0-1": dns(0, 1) } }],
    );
    await using own = houseAt(server);
    await expect(pagesOf(await own.find("all@example.com"))).rejects.toThrow("do not go forward");
    expect(server.searches.length).toBeLessThan(10);
  });

  test("of a group that goes away meanwhile are no shorter list", async () => {
    let isThere = true;
    await using server = await startDirectory(({ attributes }) => {
      if (attributes.includes("objectClass")) return [group];
      if (!isThere) return 32;
      isThere = false;
      return [{ dn: GROUP, attributes: { "member;range=0-1": dns(0, 1) } }];
    });
    await using own = houseAt(server);
    await expect(pagesOf(await own.find("all@example.com"))).rejects.toMatchObject({
      code: "DIRECTORY_UNAVAILABLE",
    });
  });
});

test("addresses go in batches, so many at a time, and nobody is asked for twice meanwhile", async () => {
  let underWay = 0;
  let most = 0;
  await using server = await startDirectory(async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await setTimeout(5);
    underWay -= 1;
    return [];
  });
  await using own = houseAt(server, { batchSize: 10, maxSearches: 3 });
  await own.ask("first@example.com");
  const before = server.searches.length;
  const addresses = Array.from({ length: 95 }, (_, index) => `user${index}@example.com`);
  const answers = await Promise.all([own.ask(...addresses), own.ask(...addresses.toReversed())]);
  expect(answers.flat().map(({ kind }) => kind)).toEqual(Array.from({ length: 190 }, () => "unknown"));
  expect(server.searches.length - before).toBe(10);
  expect(most).toBe(3);
});

describe("result codes", () => {
  test.each([
    ["referral", 10, "DIRECTORY_UNAVAILABLE"],
    ["time limit exceeded", 3, "DIRECTORY_UNAVAILABLE"],
    ["size limit exceeded", 4, "DIRECTORY_UNAVAILABLE"],
    ["busy", 51, "DIRECTORY_UNAVAILABLE"],
    ["no such object", 32, "DIRECTORY_REFUSED"],
    ["insufficient access", 50, "DIRECTORY_REFUSED"],
    ["operations error, as Active Directory says to who has not bound", 1, "DIRECTORY_REFUSED"],
    ["a code that nobody knows", 123, "DIRECTORY_UNAVAILABLE"],
  ])("%s makes nobody unknown", async (_name, result, code) => {
    await using server = await startDirectory(() => result);
    await using own = houseAt(server);
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code });
  });

  test("a busy server is left for the next one, and one that refuses a question is not", async () => {
    let result = 51;
    await using first = await startDirectory(() => result);
    await using second = await startDirectory(() => [joe]);
    const servers = [first, second].map(({ port }) => `ldap://127.0.0.1:${port}`);
    await using own = houseAt(first, { servers });
    expect(await own.ask("joe@example.com")).toMatchObject([{ kind: "found" }]);
    result = 50;
    await using other = houseAt(first, { servers });
    await expect(other.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
    expect(second.connections).toBe(1);
  });
});

describe("a server that is broken or hostile", () => {
  test.each([
    ["bytes that are no LDAP", Buffer.alloc(1000, "HTTP/1.1 400 Bad Request\r\n")],
    ["a length of 2 GB", Buffer.from("30847fffffff020102", "hex")],
    ["a length that is none", Buffer.from("3080020102", "hex")],
    ["an empty message", Buffer.from("3000", "hex")],
    ["an answer to somebody else's question", Buffer.from("300c02017f65070a010004000400", "hex")],
    [
      "a hundred thousand of them at once",
      Buffer.from("300c02017f65070a010004000400".repeat(100_000), "hex"),
    ],
  ])("that sends %s costs its time and nothing else", async (_name, bytes) => {
    await using server = await startDirectory(() => bytes);
    await using own = houseAt(server, { timeouts: { searchMs: 40 } });
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({
      code: "DIRECTORY_UNAVAILABLE",
      message: expect.stringContaining("longer than 40 ms"),
    });
  });

  test("that sends an answer without end is cut off at maxAnswerSize", async () => {
    const endless = Array.from({ length: 100 }, () => ({ ...joe, attributes: { mail: ["x".repeat(4000)] } }));
    await using server = await startDirectory(() => endless);
    await using own = houseAt(server, { maxAnswerSize: 200_000 });
    await expect(own.ask("joe@example.com")).rejects.toThrow(/larger than 200000 bytes|was lost|closed/i);
    await using patient = houseAt(server, { maxAnswerSize: 1_000_000, ambiguous: "fail" });
    expect(await patient.ask("joe@example.com")).toMatchObject([{ kind: "ambiguous" }]);
  });

  test("an entry that the filter found and the address does not show is asked for alone", async () => {
    let searches = 0;
    await using server = await startDirectory(() => {
      searches += 1;
      return searches === 2 ? [] : [{ dn: `cn=José,${BASE}`, attributes: { mail: ["josé@example.com"] } }];
    });
    await using own = houseAt(server);
    const answers = await own.directory.resolve(
      [byAddress("ann@example.com"), byAddress("jose@example.com")],
      [],
    );
    expect(answers.map(({ kind }) => kind).sort()).toEqual(["found", "unknown"]);
    expect(searches).toBe(3);
  });

  test.each([
    ["a line break", "joe@example.com\r\nRCPT TO:<all@example.com>"],
    ["no domain", "joe"],
    ["another kind of address", "X400:c=US;s=Joe"],
    ["brackets", "<joe@example.com>"],
    ["a thousand characters", `${"x".repeat(1000)}@example.com`],
  ])("an entry whose address has %s has none", async (_name, mail) => {
    await using server = await startDirectory(() => [{ dn: `cn=joe,${BASE}`, attributes: { mail: [mail] } }]);
    await using own = houseAt(server);
    expect((await own.find("joe@example.com")).address).toBeUndefined();
  });
});
