// What `onarrival explain` tells of a categorization: from the categorizer through the files of the effect log to the text.
import { expect, test } from "vitest";
import { explainMessage } from "../../../../src/cli/explain-text.ts";
import { EffectWriter } from "../../../../src/composition/observation/effect-recorder.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { createBinding } from "../../../../src/events/binding.ts";
import type { EffectRecorder } from "../../../../src/events/effects.ts";
import { SystemChain } from "../../../../src/events/system-chain.ts";
import { EffectLog } from "../../../../src/observe/effect-log.ts";
import { type MessageEffects, findEffects } from "../../../../src/observe/effect-search.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { type House, type HouseChoices, systemChain, until } from "../transport-house.ts";
import { directoryOf, openCategorizer } from "./categorizer-house.ts";

const at = (name: string): string => `${name}@corp.example`;

const CORP = {
  aliases: { [at("info")]: [at("ann")] },
  users: {
    [at("ann")]: { aliases: [at("ann.lee")], forwardTo: ["ann@home.example"], keepCopy: true },
    [at("gone")]: { forwardTo: ["gone@home.example"] },
    [at("small")]: { maxReceive: 10 },
  },
  lists: { [at("staff")]: { members: [at("ann"), at("small")] } },
};

interface Recording {
  readonly message: MessageEffects | undefined;
  readonly text: string;
}

/** The records of one message to these recipients. `prepare` comes before it is accepted. */
async function recorded(
  to: readonly string[],
  directory: Directory,
  choices: HouseChoices & { readonly isOn?: boolean; readonly prepare?: (house: House) => void } = {},
): Promise<Recording> {
  await using folder = await tempFolder("recorded-run");
  const { isOn = true, prepare, ...more } = choices;
  const log = new EffectLog(
    folder.path,
    { enabled: isOn, keepHours: 1, maxSize: 2 ** 24 },
    new ManualClock(),
    silentLogger,
  );
  const writer = new EffectWriter(log, new ManualClock(), undefined, "edge");
  const effects: EffectRecorder<string> = {
    begin: () => undefined,
    end: () => undefined,
    categorized: (effect) => writer.categorized(effect),
  };
  await using house = await openCategorizer(directory, { unknown: "fail" }, { effects, ...more });
  prepare?.(house);
  const id = await house.accept(to, { text: "Message-ID: <one@client.example>\r\n\r\nbody\r\n" });
  await until(() => house.queue.length === 0 || house.queue[0]?.state === "retry");
  await log.close();
  const [message] = (await findEffects(folder.path, "<one@client.example>")).messages;
  expect(message?.id ?? id).toBe(id);
  return { message, text: message === undefined ? "" : explainMessage(message).join("\n") };
}

const linesOf = (text: string): string[] =>
  text
    .replaceAll(/\d{4}-\d\d-\S+Z/g, "TIME")
    .split("\n")
    .map((line) => line.trim());

test("each address is told with the answer of the directory, its limits, and what became of it", async () => {
  const to = [at("staff"), at("info"), at("gone"), at("no"), "x@far.example"];
  const { text } = await recorded(to, directoryOf(CORP));
  expect(linesOf(text)).toEqual([
    expect.stringMatching(/^message +\w{18}$/),
    "server     edge",
    "Message-ID <one@client.example>",
    "from       <sender@client.example>",
    `to         ${to.map((address) => `<${address}>`).join(", ")}`,
    "",
    "categorization, ended TIME: goes on to 4 recipients",
    "+  directory (priority 16384)",
    "the sender <sender@client.example>: of no domain of the directory",
    `<${at("staff")}>: found, group ${at("staff")}; expanded to 2: <${at("ann")}>, <${at("small")}>`,
    `<${at("info")}>: found, contact ${at("info")}; forwarded to <${at("ann")}>`,
    `<${at("gone")}>: found, user ${at("gone")}; forwarded to <gone@home.example>`,
    `<${at("no")}>: unknown to the directory; failed: 550 5.1.1 No such user here`,
    "<x@far.example>: of no domain of the directory; delivered",
    `<${at("ann")}> of <${at("staff")}>: found, user ${at("ann")}; delivered and forwarded to <ann@home.example>`,
    `<${at("small")}> of <${at("staff")}>: found, user ${at("small")}; takes up to 10 bytes; failed: 552 5.3.4 The message is larger than the recipient takes`,
    `<${at("ann")}> of <${at("info")}>: the same as another address of the message`,
    `<gone@home.example> of <${at("gone")}>: of no domain of the directory; delivered`,
    `<ann@home.example> of <${at("ann")}>: of no domain of the directory; delivered`,
  ]);
});

test("bindings are told in their order, with the reason of those that were not called", async () => {
  const sinks = (["first", "off", "old", "elsewhere", "last"] as const).map((name, index) => {
    const [bound] = systemChain("OnCategorize", [() => undefined]).sinks;
    if (bound === undefined) throw new Error("no sink");
    const binding = createBinding({
      displayName: name,
      event: "OnCategorize",
      sinkClass: "test",
      priority: 100 + index + (name === "last" ? 20_000 : 0),
      enabled: name !== "off",
      ...(name === "old" && { expiration: 1 }),
      ...(name === "elsewhere" && { server: "other" }),
      ...(name === "last" && { maxFirings: 1 }),
    });
    return { ...bound, binding };
  });
  const { text } = await recorded(["x@far.example"], directoryOf(CORP), {
    prepare: (house) => {
      house.chains = { ...house.chains, categorizer: new SystemChain(sinks) };
    },
  });
  expect(linesOf(text).filter((line) => /^[+-] /.test(line))).toEqual([
    "+  first (priority 100)",
    "-  old (priority 102): not called, expired",
    "-  elsewhere (priority 103): not called, of another server",
    "+  directory (priority 16384)",
    "+  last (priority 20104)",
    "-  off (priority 101): not called, disabled",
  ]);
});

test("a limit of the sender, a directory that cannot tell and a sink that fails are told as the end of it", async () => {
  const limited = {
    users: { "sender@client.example": { maxRecipients: 1 } },
    lists: { [at("two")]: { members: ["x@far.example", "y@far.example"] } },
  };
  const sender = await recorded([at("two"), "z@far.example"], directoryOf(limited));
  const tooMany = "failed: 552 5.5.3 The message has too many recipients";
  expect(linesOf(sender.text).slice(6)).toEqual([
    "categorization, ended TIME: no recipient is left",
    "+  directory (priority 16384)",
    "the sender <sender@client.example>: found, user sender@client.example; sends to up to 1 recipients",
    `<${at("two")}>: found, group ${at("two")}; ${tooMany}`,
    `<z@far.example>: of no domain of the directory; ${tooMany}`,
    `<x@far.example> of <${at("two")}>: of no domain of the directory`,
    `<y@far.example> of <${at("two")}>: of no domain of the directory`,
  ]);
  const down: Directory = {
    resolve: () => Promise.reject(new Error("no route to the directory")),
    close: () => Promise.resolve(),
  };
  const waiting = await recorded(["x@far.example"], down);
  expect(linesOf(waiting.text).slice(6)).toEqual([
    "categorization, ended TIME: back to the queue, to be tried again",
    "the directory cannot tell who the recipients are: no route to the directory",
    "+  directory (priority 16384)",
    "the sender <sender@client.example>: not answered",
    "<x@far.example>: not answered",
  ]);
  const failing = await recorded(["x@far.example"], directoryOf(CORP), {
    onError: "badmail",
    categorizeSinks: [
      [
        20_000,
        (subject) => {
          if (subject.kind === "processItem") throw new Error("broken");
        },
      ],
    ],
  });
  expect(linesOf(failing.text).slice(6)).toEqual([
    "categorization, ended TIME: moved to Badmail",
    "sink 1: broken",
    "+  directory (priority 16384)",
    "+  sink 1 (priority 20000)",
    "the sender <sender@client.example>: of no domain of the directory",
    "<x@far.example>: of no domain of the directory",
  ]);
});

test("a list of thousands leaves a short record, and no text of a directory ends its line", async () => {
  const members = Array.from({ length: 3000 }, (_, index) => `${index}@far.example`);
  const { message, text } = await recorded([at("all")], directoryOf({ lists: { [at("all")]: { members } } }));
  const [line] = message?.categorizations.map((categorization) => categorization.line) ?? [];
  expect(line?.categorization.addresses).toHaveLength(50);
  expect(JSON.stringify(line).length).toBeLessThan(10_000);
  expect(text).toContain("expanded to 3000: <0@far.example>");
  expect(text).toContain("and 2952 further addresses");
  const key = `cn=a\n{"id":"X","calls":[]}${"x".repeat(5000)}`;
  const hostile: Directory = {
    resolve: (queries) =>
      Promise.resolve(queries.map(() => ({ kind: "found", entry: { key, kind: "user", address: at("a") } }))),
    close: () => Promise.resolve(),
  };
  const kept = await recorded([at("a")], hostile);
  expect(kept.message?.categorizations[0]?.line.categorization.addresses[1]?.entry?.key).toBe(
    key.slice(0, 300),
  );
});

test("with the record switched off nothing is made of it", async () => {
  const { message } = await recorded([at("staff")], directoryOf(CORP), { isOn: false });
  expect(message).toBeUndefined();
});
