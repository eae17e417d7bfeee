// The way to OpenLDAP servers: TLS, credentials, restarts, silence, fail-over.
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../../../support/eventually.ts";
import { person } from "../../../support/ldif.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import {
  ADMIN,
  BASE,
  CERTIFICATE_NAME,
  type Slapd,
  slapdMissing,
  startSlapd,
} from "../../../support/slapd.ts";
import { startStallingProxy } from "../../../support/stalling-proxy.ts";
import { authorities, houseOf } from "./ldap-house.ts";

const missing = slapdMissing();
/** Nothing listens there. */
const NOBODY = "ldap://127.0.0.1:1";
const JOE = person("joe", { userPassword: "joe's" });
const WRONG = { ...ADMIN, password: "a wrong one" };
const NO_CACHE = { foundMs: 0, unknownMs: 0 };

test("a server that speaks no TLS is told of by OpenSSL's reason alone", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("220 no directory\r\n");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  await using own = houseOf({ servers: [`ldaps://127.0.0.1:${port}`] });
  await expect(own.ask("joe@example.com")).rejects.toThrow(/SSL routines: wrong version number$/);
  server.close();
});

describe.skipIf(missing !== undefined)("the way to the directory", () => {
  let slapd: Slapd;
  beforeAll(async () => {
    slapd = await startSlapd({
      ldif: JOE,
      settings: ["access to * by ssf=1 users read by anonymous auth"],
    });
  });
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]();
  });

  test("StartTLS before the password, on ldap://", async () => {
    // The rule of the server above shows entries to nobody who came in clear, but the administrator sees all.
    await using own = houseOf({ servers: [slapd.url], bind: undefined });
    await expect(own.ask("joe@example.com")).rejects.toThrow("InsufficientAccessError");
    await using bound = houseOf({ servers: [slapd.url] });
    expect(await bound.ask("joe@example.com")).toMatchObject([{ kind: "found" }]);
  });

  test("TLS from the first byte, on ldaps://", async () => {
    await using own = houseOf({ servers: [slapd.tlsUrl] });
    expect(await own.ask("joe@example.com")).toMatchObject([{ kind: "found" }]);
  });

  test("in clear only where the settings say so twice", async () => {
    expect(() => houseOf({ servers: [slapd.url], tls: { startTls: "never" } })).toThrow("in clear");
    await using own = houseOf({
      servers: [slapd.url],
      tls: { startTls: "never" },
      bind: { ...ADMIN, allowInClear: true },
    });
    expect(await own.ask("joe@example.com")).toMatchObject([{ kind: "found" }]);
  });

  test.each([
    ["an authority that nobody trusts", "ldaps", { name: CERTIFICATE_NAME }, /self-signed/],
    ["an authority that nobody trusts", "ldap", { name: CERTIFICATE_NAME }, /self-signed/],
    ["another name", "ldaps", { authorities }, /altnames/],
    ["another name", "ldap", { authorities }, /altnames/],
    ["another name", "ldap", { authorities, name: "evil.example.com" }, /altnames/],
  ])("a certificate of %s gets no password over %s", async (_name, scheme, tls, why) => {
    await using own = houseOf({ servers: [scheme === "ldaps" ? slapd.tlsUrl : slapd.url], tls });
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({
      code: "DIRECTORY_UNAVAILABLE",
      message: expect.stringMatching(why),
    });
  });

  test("a wrong password is tried once at one server and then rests, and stands in no line of the log", async () => {
    const clock = new ManualClock();
    await using proxy = await startStallingProxy(slapd.port);
    const retry = { refusedMs: 60_000 };
    await using own = houseOf(
      { servers: [`ldap://127.0.0.1:${proxy.port}`, slapd.url], bind: WRONG, retry },
      { clock },
    );
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
    await clock.advance(59_000);
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
    expect(proxy.connections).toBe(1);
    await clock.advance(1000);
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
    expect(proxy.connections).toBe(2);
    expect(own.lines.map(({ message }) => message)).toEqual([
      "directory server refuses our credentials",
      "directory server refuses our credentials",
    ]);
    expect(JSON.stringify(own.lines)).not.toContain(WRONG.password);
  });

  test("the next server serves while the first is away, and the first again when it is back", async () => {
    const clock = new ManualClock();
    await using first = await startSlapd({ ldif: person("joe", { displayName: "first" }) });
    await using second = await startSlapd({ ldif: person("joe", { displayName: "second" }) });
    await using own = houseOf(
      { servers: [first.url, second.url], cache: NO_CACHE, idleMs: 60_000, retry: { minMs: 1000 } },
      { clock },
    );
    const who = async (): Promise<string | undefined> => (await own.find("joe@example.com")).displayName;
    expect(await who()).toBe("first");
    await first.stop();
    expect(await who()).toBe("second");
    expect(await who()).toBe("second");
    await first.start();
    await clock.advance(60_000);
    expect(await who()).toBe("first");
    expect(own.lines.map(({ message, fields }) => [message, fields["directory"]])).toEqual([
      ["directory server cannot be used", first.url],
      ["directory server answers again", first.url],
    ]);
  });

  test("a server that shows us nothing is left for the next one, and one alone is a refusal", async () => {
    await using blind = await startSlapd({ ldif: JOE, settings: ["access to * by anonymous auth"] });
    const bind = { dn: `uid=joe,${BASE}`, password: "joe's" };
    await using own = houseOf({ servers: [blind.url, slapd.url], bind });
    expect(await own.ask("joe@example.com")).toMatchObject([{ kind: "found" }]);
    await using alone = houseOf({ servers: [blind.url], bind });
    await expect(alone.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_REFUSED" });
  });

  test("pages bring more than the server gives at once, and without them that is a fault and nobody unknown", async () => {
    const people = Array.from({ length: 12 }, (_, index) => `user${index}`);
    await using small = await startSlapd({
      ldif: people.map((uid) => person(uid)).join(""),
      settings: ["limits * size.soft=5 size.hard=5 size.prtotal=unlimited"],
    });
    const servers = [small.url];
    const addresses = people.map((uid) => `${uid}@example.com`);
    await using paged = houseOf({ servers, bind: undefined, pageSize: 3 });
    expect((await paged.ask(...addresses)).map(({ kind }) => kind)).toEqual(people.map(() => "found"));
    await using whole = houseOf({ servers, bind: undefined });
    await expect(whole.ask(...addresses)).rejects.toThrow("SizeLimitExceeded");
    expect(whole.lines).toEqual([]);
  });

  test("pauses grow while no server answers, and questions fail at once meanwhile", async () => {
    const clock = new ManualClock();
    await using own = houseOf({ servers: [NOBODY], retry: { minMs: 1000, maxMs: 3000 } }, { clock });
    for (const pause of [500, 1000, 1500, 1500]) {
      // oxlint-disable-next-line no-await-in-loop -- one pause after the other
      await expect(own.ask("joe@example.com")).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
      // oxlint-disable-next-line no-await-in-loop
      await expect(own.ask("joe@example.com")).rejects.toThrow("not asked again before");
      expect(own.lines.at(-1)?.fields).toMatchObject({ retryInMs: pause });
      // oxlint-disable-next-line no-await-in-loop
      await clock.advance(pause);
    }
    expect(own.lines).toHaveLength(4);
  });

  test("a connection that was cut while it was idle costs nobody an answer", async () => {
    await using proxy = await startStallingProxy(slapd.port);
    await using own = houseOf({ servers: [`ldap://127.0.0.1:${proxy.port}`], cache: NO_CACHE });
    await own.find("joe@example.com");
    proxy.cut();
    const answers = await Promise.all([own.ask("joe@example.com"), own.ask("ann@example.com")]);
    expect(answers.flat().map(({ kind }) => kind)).toEqual(["found", "unknown"]);
    expect(own.lines).toEqual([]);
    expect(proxy.connections).toBe(2);
  });

  test("an idle connection is given back", async () => {
    const clock = new ManualClock();
    await using proxy = await startStallingProxy(slapd.port);
    await using own = houseOf(
      { servers: [`ldap://127.0.0.1:${proxy.port}`], cache: NO_CACHE, idleMs: 1000 },
      { clock },
    );
    await own.find("joe@example.com");
    await own.find("joe@example.com");
    expect(proxy.connections).toBe(1);
    await clock.advance(1000);
    await own.find("joe@example.com");
    expect(proxy.connections).toBe(2);
  });

  test.each(["ldap", "ldaps"])(
    "a server that falls silent in the midst of %s is left for the next one",
    async (scheme) => {
      const clock = new ManualClock();
      await using proxy = await startStallingProxy(scheme === "ldaps" ? slapd.tlsPort : slapd.port);
      const servers = [`${scheme}://127.0.0.1:${proxy.port}`, slapd.url];
      await using own = houseOf({ servers, cache: NO_CACHE }, { clock });
      await own.find("joe@example.com");
      proxy.stall();
      const asked = Promise.all([own.ask("joe@example.com"), own.ask("ann@example.com")]);
      // The old connection has its time, then a fresh one to the same server: only that speaks against it.
      await eventually(
        async () => {
          await clock.advance(1000);
          return own.lines.length > 0;
        },
        { intervalMs: 1 },
      );
      expect((await asked).flat().map(({ kind }) => kind)).toEqual(["found", "unknown"]);
      expect(own.lines[0]?.fields).toMatchObject({ directory: servers[0] });
    },
  );

  test("a server that never says a word is unavailable after connectMs", async () => {
    await using proxy = await startStallingProxy(slapd.port);
    proxy.stall();
    await using own = houseOf({
      servers: [`ldap://127.0.0.1:${proxy.port}`],
      timeouts: { connectMs: 50 },
    });
    await expect(own.ask("joe@example.com")).rejects.toMatchObject({
      code: "DIRECTORY_UNAVAILABLE",
      message: expect.stringContaining("longer than 50 ms"),
    });
    proxy.goOn();
    await eventually(() => proxy.open === 0, { what: "the end of the connection" });
  });

  test.each(["ldap", "ldaps"])(
    "a closed directory answers nobody and holds no connection of %s",
    async (scheme) => {
      await using proxy = await startStallingProxy(scheme === "ldaps" ? slapd.tlsPort : slapd.port);
      const own = houseOf({ servers: [`${scheme}://127.0.0.1:${proxy.port}`] });
      await own.find("joe@example.com");
      expect(proxy.open).toBe(1);
      const asked = own.ask("bob@example.com");
      await own.directory.close();
      expect(await asked).toEqual([{ kind: "unknown" }]);
      await expect(own.ask("ann@example.com")).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
      await eventually(() => proxy.open === 0, { what: "the end of the connection" });
    },
  );
});
