import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../../src/config/load.ts";
import { type BindingSettings } from "../../../../src/config/schema.ts";
import {
  type ConfiguredBinding,
  buildChain,
  loadBindings,
} from "../../../../src/composition/bindings/bindings.ts";
import { describeError } from "../../../../src/core/errors.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SCRIPT_SINK_CLASS } from "../../../../src/events/binding.ts";
import { type SinkChain, createDispatcher } from "../../../../src/events/dispatcher.ts";
import { defineSink } from "../../../../src/events/sink.ts";
import { Content } from "../../../../src/message/content.ts";
import { MailMsg } from "../../../../src/message/mail-msg.ts";
import type { LiveScript } from "../../../../src/sandbox/script-host.ts";
import { type ScriptTarget, createRunScripts } from "../../../../src/sandbox/script-sink.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const live = (name: string, binding: LiveScript["binding"] = {}): LiveScript => ({
  name,
  version: "1",
  binding,
  entryPoint: "default",
  since: 0,
});

const settings = (more: Partial<BindingSettings>): BindingSettings => ({
  id: `{${more.displayName ?? "x"}}`,
  displayName: "entry",
  event: "OnTransportSubmission",
  sinkClass: SCRIPT_SINK_CLASS,
  ...more,
});

const script = (name: string, more: Partial<BindingSettings> = {}): ConfiguredBinding => ({
  settings: settings({ displayName: name, sinkProperties: { ScriptName: name }, ...more }),
  sink: undefined,
});

const native = (
  displayName: string,
  more: Partial<BindingSettings> = {},
  declared = {},
): ConfiguredBinding => ({
  settings: settings({ displayName, sinkClass: "/sinks/x.ts", ...more }),
  sink: defineSink({ event: "OnTransportSubmission", onEvent: () => 0, binding: declared }),
});

function chainOf(
  configured: readonly ConfiguredBinding[],
  scripts: readonly LiveScript[] = [],
): SinkChain<ScriptTarget> {
  return buildChain({
    configured,
    scripts: new Map(scripts.map((one) => [one.name, one])),
    log: silentLogger,
    nextMessageId: () => "ID",
  });
}

const names = (chain: SinkChain<ScriptTarget>): string[] =>
  chain.sinks.map(({ binding }) => binding.displayName);

describe("the chain", () => {
  test("has scripts without an entry, with what they export", () => {
    const chain = chainOf(
      [],
      [live("b.ts", { priority: 5, rule: "RCPT TO=*@example.com", onError: "continue" }), live("a.ts")],
    );
    expect(names(chain)).toEqual(["b.ts", "a.ts"]);
    expect(chain.sinks[0]?.binding).toMatchObject({
      id: "script:b.ts",
      priority: 5,
      rule: "RCPT TO=*@example.com",
      onError: "continue",
      sinkProperties: { ScriptName: "b.ts" },
    });
    expect(chain.sinks[1]?.binding).toMatchObject({ priority: 24_575, onError: "hold" });
  });

  test("takes the entry of the metabase before what the script exports, field by field", () => {
    const chain = chainOf(
      [
        script("a.ts", {
          sourceProperties: { priority: 9 },
          sinkProperties: { ScriptName: "a.ts", color: "red" },
        }),
      ],
      [
        live("a.ts", {
          priority: 5,
          rule: "MAIL FROM=*@x",
          onError: "badmail",
          sinkProperties: { color: "blue", shape: "round" },
        }),
      ],
    );
    expect(chain.sinks).toHaveLength(1);
    expect(chain.sinks[0]?.binding).toMatchObject({
      priority: 9,
      rule: "MAIL FROM=*@x",
      onError: "badmail",
      sinkProperties: { ScriptName: "a.ts", color: "red", shape: "round" },
    });
  });

  test("passes over a script binding that has no ScriptName yet, as smtpreg /add leaves it", () => {
    expect(names(chainOf([script("a.ts", { sinkProperties: {} }), native("b")]))).toEqual(["b"]);
  });

  test("has limits of the entry before those of the script before the defaults", () => {
    const chain = chainOf(
      [script("a.ts", { limits: { timeoutMs: 7 } })],
      [live("a.ts", { limits: { timeoutMs: 5, memoryMb: 9 } })],
    );
    const [sink] = chain.sinks;
    expect(sink?.kind === "script" && sink.script.limits).toMatchObject({
      timeoutMs: 7,
      memoryMb: 9,
      logLines: 100,
    });
  });

  test("keeps equal priorities in order: native sinks as configured, then scripts by file name", () => {
    const chain = chainOf(
      [script("m.ts"), native("second"), native("third")],
      [live("m.ts"), live("z.ts"), live("a.ts")],
    );
    expect(names(chain)).toEqual(["second", "third", "a.ts", "m.ts", "z.ts"]);
  });

  test("has a shadow directly before the live binding, unless it has another priority", () => {
    const placed = (binding: LiveScript["binding"]): readonly string[] => {
      const shadow = live("tag.next.ts", { ...binding, mode: "shadow" });
      const chain = chainOf([], [live("a.ts", { priority: 100 }), live("tag.ts", { priority: 100 }), shadow]);
      return chain.sinks.map((sink) => sink.binding.displayName);
    };
    expect(placed({})).toEqual(["a.ts", "tag.next.ts", "tag.ts"]);
    expect(placed({ priority: 100 })).toEqual(["a.ts", "tag.next.ts", "tag.ts"]);
    expect(placed({ priority: 101 })).toEqual(["a.ts", "tag.ts", "tag.next.ts"]);
  });

  test("leaves out what is disabled, in the metabase or by the script", () => {
    const chain = chainOf(
      [
        script("a.ts", { enabled: false }),
        native("off", { enabled: false }),
        script("c.ts", { enabled: true }),
      ],
      [live("a.ts"), live("b.ts", { enabled: false }), live("c.ts", { enabled: false })],
    );
    expect(names(chain)).toEqual(["c.ts"]);
  });

  test("takes rule and priority that a native sink declares where the entry is silent", () => {
    const chain = chainOf([
      native("declared", {}, { rule: "EHLO=x", priority: 3 }),
      native("overridden", { sourceProperties: { priority: 2 } }, { rule: "EHLO=x", priority: 30 }),
    ]);
    expect(chain.sinks.map(({ binding }) => [binding.displayName, binding.priority, binding.rule])).toEqual([
      ["overridden", 2, "EHLO=x"],
      ["declared", 3, "EHLO=x"],
    ]);
  });
});

describe("a script that is not there", () => {
  const run = async (onError: "hold" | "continue" | "badmail"): Promise<unknown> => {
    const dispatcher = createDispatcher<ScriptTarget>({
      runScripts: createRunScripts({ run: () => Promise.reject(new Error("never asked")) }, silentLogger),
      clock: new ManualClock(),
      log: silentLogger,
    });
    const msg = new MailMsg(
      "ID",
      { via: "smtp", arrivalTime: 0, server: "default" },
      { sender: "a@example.com", recipients: [{ address: "b@example.com" }] },
      Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
    );
    return dispatcher.dispatch(chainOf([script("gone.ts", { onError })]), msg);
  };

  test("holds the message", async () => {
    expect(await run("hold")).toMatchObject({ kind: "fault", policy: "hold", fault: { kind: "missing" } });
  });

  test("lets it pass with onError continue", async () => {
    expect(await run("continue")).toEqual({ kind: "passed" });
  });

  test("sends it to Badmail with onError badmail", async () => {
    expect(await run("badmail")).toMatchObject({ kind: "fault", policy: "badmail" });
  });
});

test.each([
  [
    "OnArrival.Authenticate",
    { onDmarcReject: "reject" },
    'onDmarcReject is "reject"; it takes mark, badmail',
  ],
  ["OnArrival.Authenticate", { onDmarcRejct: "badmail" }, "there is no sink property onDmarcRejct"],
  ["OnArrival.Authenticate", { receivedSpf: "yes" }, 'receivedSpf is "yes"; it takes true or false'],
  ["OnArrival.LimitRecipients", { maxRecipients: "many" }, "maxRecipients is no number"],
  ["OnArrival.LimitRecipients", { action: "bounce" }, 'action is "bounce"; it takes badmail, discard'],
  ["OnArrival.AddHeader", { header: "X-Relay" }, "there is no sink property header; it takes name, value"],
])("%s with the sink properties %j is refused when it is loaded", async (sinkClass, sinkProperties, said) => {
  const loading = loadBindings([settings({ displayName: "Edge", sinkClass, sinkProperties })]);
  await expect(loading).rejects.toMatchObject({
    code: "SINK_PROPERTIES_INVALID",
    message: expect.stringMatching(new RegExp(`^binding "Edge": .*${said}`)),
  });
});

test("a sink and a sink property that cannot be used are told with file, line and key", async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), "onarrival-bindings-")), "onarrival.yaml");
  const said = async (text: string): Promise<string> => {
    await writeFile(file, text);
    const { bindings, placeOf } = await loadConfig(file);
    return loadBindings(bindings, {}, placeOf).then(() => "loaded", describeError);
  };
  const binding = (sinkClass: string, properties: string): string =>
    `bindings:\n  - event: OnArrival\n    sinkClass: ${sinkClass}\n    sinkProperties:\n      ${properties}\n`;
  expect(await said(binding("OnArrival.AddHeader", "{ name: X, valeu: y }"))).toMatch(
    /^onarrival\.yaml:5:\d+ bindings\[0\]\.sinkProperties\.valeu: binding "OnArrival\.AddHeader": there is no/,
  );
  expect(await said(binding("OnArrival.LimitRecipients", "MAXRECIPIENTS: many"))).toBe(
    'onarrival.yaml:5:22 bindings[0].sinkProperties.MAXRECIPIENTS: binding "OnArrival.LimitRecipients": sink property maxRecipients is no number',
  );
  const sink = path.join(path.dirname(file), "picky.mjs");
  await writeFile(
    sink,
    'export default { event: "OnTransportSubmission", onEvent() {}, checkProperties() { throw new Error("I am picky"); } };',
  );
  expect(await said(binding("./picky.mjs", "a: b"))).toBe(
    `onarrival.yaml:4:5 bindings[0].sinkProperties: binding "./picky.mjs": I am picky`,
  );
  await writeFile(
    path.join(path.dirname(file), "patient.mjs"),
    'export default { event: "OnTransportSubmission", onEvent() {}, async checkProperties() { throw new Error("late"); } };',
  );
  expect(await said(binding("./patient.mjs", "a: b"))).toContain("checkProperties has to answer at once");
  expect(await said(binding("OnArrival.AddHeder", "a: b"))).toMatch(
    /^onarrival\.yaml:3:16 bindings\[0\]\.sinkClass: sinkClass OnArrival\.AddHeder is no known class/,
  );
  const two = "- { event: OnArrival, sinkClass: No.Such }\n";
  expect((await said(`bindings:\n${two}${two}`)).match(/bindings\[\d\]\.sinkClass: /g)).toHaveLength(2);
  await rm(path.dirname(file), { recursive: true });
});

test("the sinks that come with the service take their properties in any case, and switches as texts", async () => {
  const sinkProperties = { ONDMARCREJECT: "badmail", receivedspf: "True", trustedSealers: ["a.example"] };
  const loading = loadBindings([settings({ sinkClass: "OnArrival.Authenticate", sinkProperties })]);
  await expect(loading).resolves.toHaveLength(1);
});

test("bindings of the script class load no module, others do", async () => {
  const [first, second] = await loadBindings([
    settings({ sinkClass: SCRIPT_SINK_CLASS.toLowerCase() }),
    settings({ sinkClass: "OnArrival.AddHeader" }),
  ]);
  expect(first?.sink).toBeUndefined();
  expect(second?.sink?.event).toBe("OnTransportSubmission");
});
