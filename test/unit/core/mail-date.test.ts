import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { createMailDates, mailDate } from "../../../src/core/mail-date.ts";

/** RFC 5322 §3.3 */
const DATE_TIME =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} \+0000$/;

test.each([
  ["the hour that a zone skips", "2026-03-29T01:30:00Z", "Sun, 29 Mar 2026 01:30:00 +0000"],
  ["the hour that a zone has twice", "2026-10-25T01:30:00Z", "Sun, 25 Oct 2026 01:30:00 +0000"],
  ["behind a leap second", "2017-01-01T00:00:00Z", "Sun, 01 Jan 2017 00:00:00 +0000"],
  ["beyond 31 bits of seconds", "2038-01-19T03:14:08Z", "Tue, 19 Jan 2038 03:14:08 +0000"],
  ["beyond 32 bits of seconds", "2106-02-07T06:28:16Z", "Sun, 07 Feb 2106 06:28:16 +0000"],
  ["a year without a leap day", "2100-03-01T00:00:00Z", "Mon, 01 Mar 2100 00:00:00 +0000"],
])("T04 %s", (_name, time, text) => {
  expect(mailDate(Date.parse(time))).toBe(text);
  expect(text).toMatch(DATE_TIME);
});

test("T04 the zone of the machine changes nothing, whatever it is called", () => {
  const module = new URL("../../../src/core/mail-date.ts", import.meta.url).href;
  const program = `import(${JSON.stringify(module)}).then(({ mailDate }) => process.stdout.write(mailDate(0)))`;
  const { stdout } = spawnSync(process.execPath, ["-e", program], {
    env: { ...process.env, TZ: "Nowhere/Else" },
    encoding: "utf8",
  });
  expect(stdout).toBe("Thu, 01 Jan 1970 00:00:00 +0000");
});

test("T04 dates that are made once a second follow a clock that goes back as well", () => {
  const dateOf = createMailDates();
  const times = [1000, 1999, 2000, 1000, -1];
  expect(times.map((time) => dateOf(time))).toEqual(times.map((time) => mailDate(time)));
});
