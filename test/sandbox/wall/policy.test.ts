// What a fault means for the message: every policy with every kind of fault, from the dispatcher down to real processes.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../../src/core/logger.ts";
import { createBinding, type OnError } from "../../../src/events/binding.ts";
import { createDispatcher, SinkChain } from "../../../src/events/dispatcher.ts";
import { compileRule } from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import { createRunScripts, type ScriptTarget } from "../../../src/sandbox/script-sink.ts";
import { MESSAGE, Wall } from "./wall.ts";

const SAVE = `msg.Subject = "changed"; msg.DataSource.Save();`;
const FAULTS: Readonly<Record<string, string>> = {
  throw: `${SAVE} throw new Error("on purpose");`,
  timeout: `${SAVE} for (;;);`,
  memory: `${SAVE} const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1).join());`,
  crash: `${SAVE} Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 0);`,
  unavailable: SAVE,
};
const LIMITS = { timeoutMs: 1000, memoryMb: 16 };
/** Nothing is shown by letting them run on. */
const ENDLESS_MS: Readonly<Record<string, number>> = { timeout: 50, crash: 50 };
const MARK = `msg.Fields.Item("urn:schemas:mailheader:x-behind").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();`;
const SPEAKS = `for (const level of ["debug", "log", "warn", "error"]) console[level](level);`;

let wall: Wall;
let without: Wall;
beforeAll(async () => {
  wall = await Wall.start({ ...FAULTS, behind: MARK, speaks: SPEAKS }, LIMITS, { killGraceMs: 50 });
  without = await Wall.start({ unavailable: SAVE, behind: MARK }, LIMITS);
  // A service whose sandbox is gone: each call is told so.
  await without.host.stop();
});
afterAll(async () => {
  await wall.stop();
  await without.stop();
});

function bound(name: string, onError: OnError, from: Wall, grants?: ScriptTarget["allow"]) {
  const binding = createBinding({
    displayName: name,
    event: "OnTransportSubmission",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    onError,
  });
  const timeoutMs = ENDLESS_MS[name] ?? LIMITS.timeoutMs;
  const { script, limits, allow, cacheable } = from.call(name, { limits: { timeoutMs } });
  const target: ScriptTarget = {
    scriptName: `${name}.js`,
    script,
    limits,
    allow: grants ?? allow,
    cacheable,
  };
  return { kind: "script" as const, binding, rule: compileRule(binding, silentLogger), script: target };
}

const arriving = (): MailMsg =>
  new MailMsg(
    "ID",
    { via: "smtp", arrivalTime: 0, server: "default", heloDomain: "h" },
    { sender: "a@example.com", recipients: [{ address: "b@example.com" }] },
    Content.fromBuffer(Buffer.from(MESSAGE)),
  );

async function outcomeOf(name: string, onError: OnError) {
  const from = name === "unavailable" ? without : wall;
  const runScripts = createRunScripts(from.host, silentLogger);
  const dispatcher = createDispatcher<ScriptTarget>({ runScripts, clock: systemClock, log: silentLogger });
  const msg = arriving();
  const chain = new SinkChain<ScriptTarget>([bound(name, onError, from), bound("behind", "continue", from)]);
  const outcome = await dispatcher.dispatch(chain, msg);
  return { outcome, header: msg.content.header.toString() };
}

describe.each(Object.keys(FAULTS))("a fault of the kind %s", (kind) => {
  test.each(["hold", "badmail"] as const)(
    "with onError %s ends the chain and keeps nothing of the script",
    async (policy) => {
      const { outcome, header } = await outcomeOf(kind, policy);
      expect(outcome).toMatchObject({ kind: "fault", policy });
      if (outcome.kind !== "fault") return;
      expect(kind === "memory" ? ["memory", "crash", "timeout"] : [kind]).toContain(outcome.fault.kind);
      expect(outcome.fault.message).toContain(`${kind}.js`);
      expect(header).not.toContain("changed");
    },
  );

  test("with onError continue goes on with the next sink, without the script's changes", async () => {
    const { outcome, header } = await outcomeOf(kind, "continue");
    expect(outcome).toEqual({ kind: "passed" });
    expect(header).not.toContain("changed");
    if (kind !== "unavailable") expect(header).toMatch(/x-behind: yes/i);
  });
});

describe("the lines of a script's console", () => {
  test.each([
    { log: undefined, written: ["debug", "log", "warn", "error"] },
    { log: true, written: ["debug", "log", "warn", "error"] },
    { log: "info", written: ["log", "warn", "error"] },
    { log: "error", written: ["error"] },
    { log: false, written: [] },
  ] as const)("get into the log as allow.log says: $log", async ({ log, written }) => {
    const texts: unknown[] = [];
    const write: Logger["info"] = (fields) => void texts.push(fields["text"]);
    const recording: Logger = { ...silentLogger, debug: write, info: write, warn: write, error: write };
    const speaks = bound("speaks", "hold", wall, log === undefined ? {} : { log });
    await createRunScripts(wall.host, recording)(arriving(), [speaks]);
    expect(texts).toEqual(written);
  });
});
