import { describe, expect, test } from "vitest";
import { AuthLockout } from "../../../../../src/smtp/server/authentication/auth-lockout.ts";
import { defaultSmtpServerSettings } from "../../../../../src/smtp/server/settings.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { quickHash } from "../../../../support/quick-hash.ts";
import { startListener } from "../support.ts";

const three = { failures: 3, minutes: 10 };
const MINUTE = 60_000;

const attempts = (lockout: AuthLockout, address: string, now: number): boolean[] =>
  Array.from({ length: 5 }, () => lockout.begin(address, three, now));

describe("S17 the measure of failed attempts", () => {
  test("is full after so many, whoever they come from at the same time", () => {
    const lockout = new AuthLockout();
    expect(attempts(lockout, "192.0.2.1", 0)).toEqual([true, true, true, false, false]);
    expect(attempts(lockout, "192.0.2.2", 0)).toEqual([true, true, true, false, false]);
  });

  test("lasts from the attempt that filled it", () => {
    const lockout = new AuthLockout();
    lockout.begin("192.0.2.1", three, 0);
    lockout.begin("192.0.2.1", three, 9 * MINUTE);
    lockout.begin("192.0.2.1", three, 9 * MINUTE);
    expect(lockout.begin("192.0.2.1", three, 18 * MINUTE)).toBe(false);
    expect(lockout.begin("192.0.2.1", three, 19 * MINUTE)).toBe(true);
  });

  test("is forgotten with time, and a right password leaves no trace", () => {
    const lockout = new AuthLockout();
    lockout.begin("192.0.2.1", three, 0);
    lockout.begin("192.0.2.1", three, 1);
    expect(attempts(lockout, "192.0.2.1", 10 * MINUTE)).toEqual([true, true, true, false, false]);
    lockout.begin("192.0.2.3", three, 0);
    lockout.forgive("192.0.2.3");
    expect(lockout.size).toBe(1);
  });

  test.each([
    ["2001:db8::1", "2001:db8::ffff:1", true],
    ["2001:db8:0:0:1::", "2001:db8::2", true],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", false],
    ["::1", "::2", true],
    ["192.0.2.1", "192.0.2.2", false],
  ])("%s and %s share it: %s", (one, other, isShared) => {
    const lockout = new AuthLockout();
    attempts(lockout, one, 0);
    expect(lockout.begin(other, three, 0)).toBe(!isShared);
  });

  test("remembers only so many addresses", () => {
    const lockout = new AuthLockout();
    for (let host = 0; host < 12_000; host += 1) lockout.begin(`10.0.${host >> 8}.${host & 255}`, three, 0);
    expect(lockout.size).toBe(10_000);
  });
});

test("S17 a locked address hears 454 even with the right password, in every session, until time has passed", async () => {
  const clock = new ManualClock();
  const auth = {
    ...defaultSmtpServerSettings.auth,
    users: { alice: quickHash("s3cret") },
    allowPlaintext: true,
    failureDelayMs: 0,
    lockout: { failures: 2, minutes: 10 },
  };
  await using run = await startListener({ settings: { auth }, clock });
  const login = async (password: string): Promise<string> => {
    const talk = await run.open();
    await talk.greet();
    talk.write(`AUTH PLAIN ${Buffer.from(`\0alice\0${password}`).toString("base64")}\r\n`);
    const answer = talk.reply();
    const elapse = setInterval(() => void clock.advance(0), 5);
    const said = await answer;
    clearInterval(elapse);
    return said.slice(0, 3);
  };
  expect([await login("s3cret"), await login("guess"), await login("other guess")]).toEqual([
    "235",
    "535",
    "535",
  ]);
  expect([await login("s3cret"), await login("guess")]).toEqual(["454", "454"]);
  await clock.advance(10 * MINUTE);
  expect(await login("s3cret")).toBe("235");
});
