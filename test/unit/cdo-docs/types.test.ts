// The types of scripts name every member, field and constant of the original, and `onarrival types` places them.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as constants from "../../../runtime/cdo/constants.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { CDO_ERRORS } from "../../../runtime/cdo/errors.ts";
import { createProgram, runProgram } from "../../../src/cli/program.ts";
import { typesCommand } from "../../../src/cli/types.ts";
import { readCdoTypes } from "../../../tools/cdo-types.ts";
import fields from "../../fixtures/cdo-fields.json" with { type: "json" };
import members from "../../fixtures/cdo-members.json" with { type: "json" };

const types = readCdoTypes();

test.each(Object.entries(members))("%s has every member of the original", (name, { properties, methods }) => {
  const described = types.classes.find((each) => each.name === name)?.members ?? [];
  const ofKind = (kind: string): string[] =>
    described.filter((member) => member.kind === kind).map((member) => member.name);
  expect(ofKind("property")).toEqual(expect.arrayContaining(properties));
  expect(ofKind("method")).toEqual(expect.arrayContaining(methods));
  const own = described.filter(({ mark, kind }) => mark.kind !== "extension" && kind !== "call");
  expect(own.map((member) => member.name).toSorted()).toEqual([...properties, ...methods].toSorted());
});

test("every field of the original is named, and no other", () => {
  const known = types.classes
    .filter(({ name }) => /.Fields$/.test(name) && name !== "EnvelopeFields")
    .flatMap((each) => each.members.map((member) => member.name));
  const wanted = Object.entries(fields).flatMap(([namespace, names]) =>
    names.map((name) => namespace + name),
  );
  expect(known.toSorted()).toEqual(wanted.toSorted());
});

test("every constant has its value in the types, as an export and as a global", async () => {
  const declared = new Map(types.constants.map(({ name, signature }) => [name, signature]));
  expect(Object.fromEntries(declared)).toEqual(
    Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)])),
  );
  const source = await readFile("scripts/types/cdo.d.ts", "utf8");
  const globals = [...source.matchAll(/^declare const ((?:cdo|ad)\w+):\s*([^;]+);/gm)];
  expect(Object.fromEntries(globals.map(([, name, value]) => [name, value]))).toEqual(
    Object.fromEntries(declared),
  );
});

test("every member says where the original describes it, and every error that is named exists", async () => {
  const silent = types.classes.flatMap(({ name, members: each }) =>
    each
      .filter(
        ({ mark, kind, sections }) => mark.kind !== "extension" && kind !== "call" && sections.length === 0,
      )
      .map((member) => `${name}.${member.name}`),
  );
  expect(silent).toEqual([]);
  const named = (await readFile("scripts/types/cdo.d.ts", "utf8")).match(/\b(?:CDO_E|E)_[A-Z_0-9]+\b/g) ?? [];
  expect(new Set(named)).not.toEqual(new Set());
  expect(
    [...new Set(named)].filter((error) => !Object.hasOwn(CDO_ERRORS, error) && error !== "CDO_E_"),
  ).toEqual([]);
});

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "onarrival-types-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const placeTypes = async (): Promise<unknown> => {
  let said = "";
  const output = { out: (text: string) => void (said += text), err: () => undefined };
  const scripts = path.join(folder, "scripts");
  expect(
    await runProgram(createProgram([typesCommand()], { output }), ["types", "--scripts", scripts, "--json"]),
  ).toBe(0);
  return JSON.parse(said);
};

test("`onarrival types` places the types, renews them, and leaves a tsconfig.json that is there", async () => {
  const types1 = path.join(folder, "scripts/types/cdo.d.ts");
  const tsconfig = path.join(folder, "scripts/tsconfig.json");
  expect(await placeTypes()).toEqual({ placed: [types1, tsconfig] });
  const own = await readFile("scripts/types/cdo.d.ts", "utf8");
  expect(await readFile(types1, "utf8")).toBe(own);
  await writeFile(types1, "old");
  await writeFile(tsconfig, "{}");
  expect(await placeTypes()).toEqual({ placed: [types1] });
  expect(await readFile(types1, "utf8")).toBe(own);
  expect(await readFile(tsconfig, "utf8")).toBe("{}");
});

const SCRIPT = `import { type Binding, cdoRecipientList, cdoSendUsingPickup, type EventStatus, type Message } from "cdo";

export const binding: Binding = {
  rule: "RCPT TO=*@example.com",
  limits: ${JSON.stringify({ ...DEFAULT_SCRIPT_LIMITS, externalMb: 64 })},
};

export default function onArrival(msg: Message, status: EventStatus): void {
  const answer = new CDO.Message();
  answer.To = msg.From;
  answer.Configuration.Fields("http://schemas.microsoft.com/cdo/configuration/sendusing").Value = cdoSendUsingPickup;
  answer.Configuration.Fields.Update();
  for (const part of msg.Attachments) answer.Subject += part.FileName + part.GetDecodedContentStream().Size;
  const list: string = msg.EnvelopeFields(cdoRecipientList).Value;
  const stream = new ActiveXObject("ADODB.Stream");
  stream.WriteText(list, adWriteLine);
  msg.GetInterface("IBodyPart").AddBodyPart().Fields(cdoContentType).Value = "text/plain";
  // @ts-expect-error -- read-only
  msg.SentOn = new Date();
  // @ts-expect-error -- there is no such member
  msg.Recipients;
  // @ts-expect-error -- a call cannot be assigned to
  msg.Fields("urn:schemas:mailheader:subject") = "x";
  // @ts-expect-error -- a number is wanted
  status.Value = "skip";
}
`;

test("the placed files check a script: what is right passes, also that of README, what is wrong is found", async () => {
  await placeTypes();
  const scripts = path.join(folder, "scripts");
  const [, complete = ""] =
    /^## A complete script$.*?^```ts\n(.*?)^```$/ms.exec(await readFile("README.md", "utf8")) ?? [];
  expect(complete).toContain("onArrival");
  await writeFile(path.join(scripts, "review.ts"), complete);
  await writeFile(path.join(scripts, "a.ts"), SCRIPT);
  await writeFile(
    path.join(scripts, "b.js"),
    "// @ts-check\nfunction onArrival(/** @type {import('cdo').Message} */ msg) { msg.Subject += cdoStatBadMail; }\n",
  );
  const run = promisify(execFile)(path.resolve("node_modules/.bin/tsc"), ["-p", scripts]);
  await expect(run).resolves.toMatchObject({ stdout: "" });
});
