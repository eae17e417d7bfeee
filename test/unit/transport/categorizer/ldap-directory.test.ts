// What an OpenLDAP server holds, as the categorizer sees it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BASE, type Slapd, slapdMissing, startSlapd } from "../../../support/slapd.ts";
import { group, ldif, PARTNER, person } from "../../../support/ldif.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { byAddress, byKey, houseOf, pagesOf } from "./ldap-house.ts";

const missing = slapdMissing();
if (missing !== undefined) console.warn(`the LDAP directory is not tested: ${missing}`);

const LARGE = 5000;

const ENTRIES = [
  person("joe", { mail: ["joe@example.com", "joseph@example.com"], displayName: "Joe Doe" }),
  person("ann"),
  person("sub", { mail: "sub@x.corp.example" }),
  person("twin1", { mail: "twin@example.com" }),
  person("twin2", { mail: "twin@example.com" }),
  person("hans", { mail: "hans@xn--mnchen-3ya.example" }),
  person("star", { mail: "a*b@example.com" }),
  person("back", { mail: String.raw`"a\\b"@example.com` }),
  person("brackets", { mail: '"(x)"@example.com' }),
  person("away", {
    objectClass: ["inetOrgPerson", "inetLocalMailRecipient"],
    mail: [],
    mailLocalAddress: ["away@example.com", "gone@example.com"],
    mailRoutingAddress: "away@elsewhere.example",
  }),
  person("home", {
    objectClass: ["inetOrgPerson", "inetLocalMailRecipient"],
    mail: "home@example.com",
    mailRoutingAddress: "HOME@example.com",
  }),
  ...["both", "myself"].map((cn) =>
    ldif(`cn=${cn}`, {
      objectClass: ["user", "inetLocalMailRecipient"],
      sn: cn,
      cn,
      mail: [`${cn}@example.com`, `${cn}.too@example.com`],
      altRecipient: cn === "both" ? `uid=ann,${BASE}` : `cn=Myself, ${BASE}`,
      mailRoutingAddress: cn === "both" ? "Both.Too@example.com" : "myself@elsewhere.example",
    }),
  ),
  ldif("cn=Ödön\\, the first+sn=x", {
    objectClass: "inetOrgPerson",
    sn: "x",
    cn: "Ödön, the first",
    mail: "odon@example.com",
  }),
  ldif("cn=boss", {
    objectClass: "user",
    sn: "Boss",
    cn: "boss",
    mail: "old@example.com",
    proxyAddresses: ["smtp:chef@example.com", "SMTP:boss@example.com", "X400:c=US;a= ;p=Example;s=Boss"],
    delivContLength: "10",
    submissionContLength: "2048",
    msExchRecipLimit: "50",
    altRecipient: `uid=ann,${BASE}`,
    deliverAndRedirect: "TRUE",
    authOrig: [`uid=joe,${BASE}`, `uid=ann,${BASE}`],
    unauthOrig: `uid=away,${BASE}`,
    dLMemSubmitPerms: `cn=staff,${BASE}`,
    msExchRequireAuthToSendTo: "TRUE",
  }),
  ldif("cn=boundless", {
    objectClass: "user",
    sn: "Boundless",
    cn: "boundless",
    mail: "boundless@example.com",
    delivContLength: "-1",
    submissionContLength: "0",
    msExchRequireAuthToSendTo: "FALSE",
  }),
  PARTNER,
  ldif("cn=staff", {
    objectClass: "group",
    cn: "staff",
    mail: "staff@example.com",
    member: [`uid=joe,${BASE}`, `cn=inner,${BASE}`, `uid=nobody,${BASE}`],
    managedBy: `cn=boss,${BASE}`,
    reportToOwner: "TRUE",
  }),
  ldif("cn=inner", {
    objectClass: "group",
    cn: "inner",
    proxyAddresses: "SMTP:inner@example.com",
    member: [`cn=staff,${BASE}`, `uid=ann,${BASE}`],
    reportToOriginator: "FALSE",
  }),
  ldif("cn=old-alias", {
    objectClass: ["nisMailAlias", "extensibleObject"],
    cn: "old-alias",
    mail: "old-alias@example.com",
    rfc822MailMember: ["joe", "far@elsewhere.example", "|/usr/bin/vacation", `uid=ann, ${BASE}`],
  }),
  group(
    "all",
    Array.from({ length: LARGE }, (_, index) => `uid=user${index}`),
    { mail: "all@example.com" },
  ),
].join("");

describe.skipIf(missing !== undefined)("the LDAP directory", () => {
  let slapd: Slapd;
  beforeAll(async () => {
    slapd = await startSlapd({ ldif: ENTRIES });
  });
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]();
  });

  const house = (more: Record<string, unknown> = {}, parts: Parameters<typeof houseOf>[1] = {}) =>
    houseOf({ servers: [slapd.url], ...more }, parts);

  test("finds a person by each address, in any case, as the same entry", async () => {
    await using own = house();
    const answers = await own.ask("joe@example.com", "JOSEPH@Example.COM");
    expect(answers).toMatchObject([
      {
        kind: "found",
        entry: { key: `uid=joe,${BASE}`, kind: "user", address: "joe@example.com", displayName: "Joe Doe" },
      },
      { kind: "found", entry: { key: `uid=joe,${BASE}` } },
    ]);
  });

  test("says unknown in its own domains only, and asks for others only when it is told to", async () => {
    await using own = house();
    expect(await own.ask("nobody@example.com", "nobody@other.example", "")).toEqual([
      { kind: "unknown" },
      { kind: "not-mine" },
      { kind: "not-mine" },
    ]);
    await using curious = houseOf(
      { servers: [slapd.url], foreignDomains: "ask" },
      { domains: ["other.example"] },
    );
    const answers = await curious.ask("nobody@example.com", "joe@example.com", "joe@other.example");
    expect(answers.map(({ kind }) => kind)).toEqual(["not-mine", "found", "unknown"]);
  });

  test("knows the subdomains that a pattern means; bare names are completed by the first domain that is none", async () => {
    await using own = house({}, { domains: ["*.corp.example", "example.com"] });
    const answers = await own.ask("sub@x.corp.example", "nobody@x.corp.example", "nobody@corp.example");
    expect(answers.map(({ kind }) => kind)).toEqual(["found", "unknown", "not-mine"]);
    const [members = []] = await pagesOf(await own.find("old-alias@example.com"));
    expect(members[0]).toEqual(byAddress("joe@example.com"));
  });

  test.each([
    ["every character of filters", "*"],
    ["a wildcard within an address", "j*@example.com"],
    ["brackets that close the filter", "joe@example.com)(objectClass=*"],
    ["an escaped wildcard", String.raw`\2a@example.com`],
    ["a backslash at the end", "joe\\"],
    ["NUL", "joe@example.com\0"],
    ["a whole filter", "(|(mail=joe@example.com))"],
    ["a mark of the templates", "%a@example.com"],
  ])("takes %s in an address as plain text", async (_name, address) => {
    await using own = house({ foreignDomains: "ask", addresses: ["mail=%a", "proxyAddresses=smtp:%a"] });
    const [answer] = await own.ask(address);
    expect(answer).toEqual({ kind: address.endsWith("@example.com") ? "unknown" : "not-mine" });
  });

  test.each([
    ["a*b@example.com", "star"],
    [String.raw`"a\\b"@example.com`, "back"],
    ['"(x)"@example.com', "brackets"],
  ])("finds the address %s that has characters of filters in it", async (address, uid) => {
    await using own = house();
    expect(await own.find(address)).toMatchObject({ key: `uid=${uid},${BASE}`, address });
  });

  test("a search by the local part alone finds nobody of another domain", async () => {
    await using own = house({ addresses: ["uid=%u"], foreignDomains: "ask" });
    expect((await own.ask("joe@example.com", "joe@elsewhere.example")).map(({ kind }) => kind)).toEqual([
      "found",
      "not-mine",
    ]);
    await using other = house({ addresses: ["uid=%u", "mail=%a"], foreignDomains: "ask" });
    expect(await other.ask("joe@elsewhere.example")).toEqual([{ kind: "not-mine" }]);
  });

  test.each(["münchen.example", "xn--mnchen-3ya.example"])(
    "an internationalized domain is found in both of its spellings where ours is %s",
    async (domain) => {
      await using own = houseOf({ servers: [slapd.url] }, { domains: [domain] });
      const answers = await own.ask(
        "hans@münchen.example",
        "hans@XN--MNCHEN-3YA.example",
        "fritz@münchen.example",
      );
      expect(answers.map(({ kind }) => kind)).toEqual(["found", "found", "unknown"]);
    },
  );

  test("reads addresses, forward and limits of Active Directory", async () => {
    await using own = house();
    expect(await own.find("chef@example.com")).toMatchObject({
      key: `cn=boss,${BASE}`,
      address: "boss@example.com",
      forwardTo: [byKey(`uid=ann,${BASE}`)],
      deliverAndForward: true,
      limits: {
        maxIncomingBytes: 10 * 1024,
        maxOutgoingBytes: 2048 * 1024,
        maxRecipients: 50,
        acceptOnlyFrom: {
          senders: [byKey(`uid=joe,${BASE}`), byKey(`uid=ann,${BASE}`)],
          membersOf: [byKey(`cn=staff,${BASE}`)],
        },
        rejectFrom: { senders: [byKey(`uid=away,${BASE}`)], membersOf: [] },
        requireAuthenticatedSender: true,
      },
    });
  });

  test("takes a number that is none, and one below zero, for no limit", async () => {
    await using own = house();
    expect((await own.find("joe@example.com")).limits).toBeUndefined();
    expect((await own.find("boundless@example.com")).limits).toEqual({ maxOutgoingBytes: 0 });
  });

  test("sends the mail of a contact to its external address", async () => {
    await using own = house();
    expect(await own.find("partner@example.com")).toMatchObject({
      kind: "contact",
      address: "partner@far.example",
    });
  });

  test("follows mailRoutingAddress, unless it is the entry's own address", async () => {
    await using own = house();
    expect(await own.find("gone@example.com")).toMatchObject({
      address: "away@example.com",
      forwardTo: [byAddress("away@elsewhere.example")],
      deliverAndForward: false,
    });
    expect((await own.find("home@example.com")).forwardTo).toBeUndefined();
  });

  test("a forward that names its own entry beside others, by address or DN, keeps a copy", async () => {
    await using own = house();
    expect(await own.find("both@example.com")).toMatchObject({
      forwardTo: [byKey(`uid=ann,${BASE}`)],
      deliverAndForward: true,
    });
    expect(await own.find("myself@example.com")).toMatchObject({
      forwardTo: [byAddress("myself@elsewhere.example")],
      deliverAndForward: true,
    });
  });

  test("names the members, the owner and the reports of groups; a member that is gone is unknown", async () => {
    await using own = house();
    const staff = await own.find("staff@example.com");
    expect(staff).toMatchObject({ kind: "group", owner: byKey(`cn=boss,${BASE}`), reportTo: "owner" });
    const [members = []] = await pagesOf(staff);
    const answers = await own.directory.resolve(members, []);
    expect(answers).toMatchObject([
      { kind: "found", entry: { address: "joe@example.com" } },
      { kind: "found", entry: { kind: "group", address: "inner@example.com", reportTo: "nobody" } },
      { kind: "unknown" },
    ]);
  });

  test("shows two groups that hold each other under the keys that their members carry", async () => {
    await using own = house();
    const staff = await own.find("staff@example.com");
    const inner = await own.find("inner@example.com");
    expect((await pagesOf(staff)).flat()).toContainEqual(byKey(inner.key));
    expect((await pagesOf(inner)).flat()).toContainEqual(byKey(staff.key));
  });

  test("takes bare names, addresses and DNs as members of a mail alias, and says what it leaves out", async () => {
    await using own = house();
    const alias = await own.find("old-alias@example.com");
    expect((await pagesOf(alias)).flat()).toEqual([
      byAddress("joe@example.com"),
      byAddress("far@elsewhere.example"),
      byKey(`uid=ann,${BASE}`),
    ]);
    expect(own.lines).toEqual([
      {
        message: "member is neither an address nor a DN: left out",
        fields: { group: `cn=old-alias,${BASE}`, member: "|/usr/bin/vacation" },
      },
    ]);
  });

  test("hands out a group of 5,000 members page by page, and resolves each page with one search", async () => {
    await using own = house({ batchSize: 500 });
    const pages = await pagesOf(await own.find("all@example.com"));
    expect(pages.map(({ length }) => length)).toEqual(Array.from({ length: LARGE / 500 }, () => 500));
    const answers = await own.directory.resolve(pages[0] ?? [], []);
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(["unknown"]));
  });

  test("finds an entry by any spelling of its DN, also one outside of its base", async () => {
    await using own = house({ base: `uid=joe,${BASE}` });
    const spellings = [
      `uid=JOE, ${BASE}`,
      String.raw`SN=x + cn=\c3\96d\C3\B6n\2c The  First,${BASE}`,
      `cn="Ödön, the first"+sn=x,${BASE}`,
      "not a DN",
    ];
    const answers = await own.directory.resolve(
      spellings.map((dn) => byKey(dn)),
      [],
    );
    expect(answers).toMatchObject([
      { kind: "found", entry: { address: "joe@example.com" } },
      { kind: "found", entry: { address: "odon@example.com" } },
      { kind: "found", entry: { address: "odon@example.com" } },
      { kind: "unknown" },
    ]);
  });

  test("finds entries by name where the server has no attribute that holds it", async () => {
    await using own = house({ dnAttribute: "description" });
    const answers = await own.directory.resolve(
      [`uid=joe,${BASE}`, `uid=nobody,${BASE}`, `uid=ann,${BASE}`].map((dn) => byKey(dn)),
      [],
    );
    expect(answers.map(({ kind }) => kind)).toEqual(["found", "unknown", "found"]);
  });

  test("sees only what its own filter lets through", async () => {
    await using own = house({ filter: "(&(objectClass=inetOrgPerson)(!(uid=joe)))" });
    expect(
      (await own.ask("joe@example.com", "ann@example.com", "staff@example.com")).map(({ kind }) => kind),
    ).toEqual(["unknown", "found", "unknown"]);
  });

  test("asks the filter that a sink wrote in place of the address", async () => {
    await using own = house();
    const [answer, other] = await own.directory.resolve(
      [{ ...byAddress("someone@far.example"), filter: "(displayName=Joe*)" }, byAddress("ann@example.com")],
      ["sn", "employeeType"],
    );
    expect(answer).toMatchObject({ kind: "found", entry: { key: `uid=joe,${BASE}` } });
    expect(answer?.kind === "found" && answer.entry.attributes?.get("sn")).toEqual(["joe"]);
    expect(other).toMatchObject({ kind: "found", entry: { address: "ann@example.com" } });
    await expect(
      own.directory.resolve([{ ...byAddress("a@example.com"), filter: "(((" }], []),
    ).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
  });

  test("an address of two entries makes its own question wait, and no other one of the batch", async () => {
    await using own = house();
    const both = own.ask("ann@example.com", "twin@example.com");
    const ann = own.ask("ann@example.com");
    await expect(both).rejects.toMatchObject({ code: "DIRECTORY_AMBIGUOUS" });
    expect(await ann).toMatchObject([{ kind: "found" }]);
    expect(own.lines).toEqual([
      {
        message: "several directory entries claim one address",
        fields: { address: "twin@example.com", entries: [`uid=twin1,${BASE}`, `uid=twin2,${BASE}`] },
      },
    ]);
  });

  test("an address of two entries fails where the settings say so", async () => {
    await using own = house({ ambiguous: "fail" });
    expect(await own.ask("twin@example.com", "ann@example.com")).toMatchObject([
      // The sender reads it: no names of entries.
      { kind: "ambiguous", text: "2 entries of the directory claim twin@example.com" },
      { kind: "found" },
    ]);
  });

  test("keeps answers for their time, also that there is none, and not longer", async () => {
    const clock = new ManualClock();
    const cache = { foundMs: 2000, unknownMs: 1000 };
    await using entries = await startSlapd({ ldif: person("new") });
    await using own = houseOf({ servers: [entries.url], cache }, { clock });
    const kinds = async (): Promise<string[]> =>
      (await own.ask("new@example.com", "nobody@example.com")).map(({ kind }) => kind);
    expect(await kinds()).toEqual(["found", "unknown"]);
    await entries.stop();
    expect(await kinds()).toEqual(["found", "unknown"]);
    await clock.advance(1000);
    await expect(own.ask("nobody@example.com")).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
    expect(await own.ask("new@example.com")).toMatchObject([{ kind: "found" }]);
    await clock.advance(1000);
    await expect(own.ask("new@example.com")).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
  });

  test("a base that is not there is a refusal: nobody becomes unknown by it", async () => {
    await using own = house({ base: "dc=exmaple,dc=com" });
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({
      code: "DIRECTORY_REFUSED",
      message: expect.stringContaining("dc=exmaple,dc=com"),
    });
  });
});
