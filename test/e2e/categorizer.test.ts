// The categorizer in the running service: a file of aliases, users and lists, a sink, reports, reloads.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { explainMessage } from "../../src/cli/explain-text.ts";
import { EFFECTS_FOLDER } from "../../src/observe/effect-log.ts";
import { findEffects } from "../../src/observe/effect-search.ts";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { trackedLines } from "../support/tracking.ts";

/** Says which sub-events it saw. */
const WITNESS = `import { defineSink } from "onarrival";
export default defineSink({ event: "OnCategorize", onEvent: ({ kind }, { log }) => void log.info({ kind }, "seen") });`;
const SAMPLE = fileURLToPath(new URL("../../docs/sinks/outside-copy.ts", import.meta.url));
const FILE = "_directory.yaml";

const SUB_EVENTS = [
  "register",
  "beginMessage",
  "buildQuery",
  "buildQueries",
  "sendQuery",
  "sortQueryResult",
  "processItem",
  "expandItem",
  "completeItem",
  "endMessage",
];

const DIRECTORY = `aliases:
  info: ann
users:
  ann: { aliases: [ann.lee@corp.example], forwardTo: ann@home.example, keepCopy: true }
  boss:
  small: { aliases: tiny, maxReceive: 100B }
lists:
  staff:
    members: [ann, eve@far.example, staff]
    owner: boss
    acceptFrom: ["*@corp.example", partner@far.example]
`;

test("lists, forwards, limits and copies, and live changes of the file", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    scripts: { [FILE]: DIRECTORY, "_witness.ts": WITNESS },
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["corp.example"],
      server: { categorizer: { file: `scripts/${FILE}`, unknown: "fail" } },
      bindings: [
        {
          displayName: "outside",
          event: "OnCategorize",
          sinkClass: SAMPLE,
          sinkProperties: { domain: "corp.example" },
        },
        { displayName: "witness", event: "OnCategorize", sinkClass: "./scripts/_witness.ts" },
      ],
      file: { tracking: { enabled: true } },
    }),
  });
  const drop = async (): Promise<string[]> =>
    (await service.drop()).map(({ content }) => content.toString("latin1"));
  const from = "partner@far.example";
  await send(service.port, {
    from,
    to: ["staff@corp.example", "info@corp.example"],
    data: plainMessage("one"),
  });
  const [outside] = await hop.received(1);
  expect(outside?.to.toSorted()).toEqual(["ann@home.example", "eve@far.example"]);
  expect(outside?.content.includes("X-Sent-Outside: yes")).toBe(true);
  expect(outside?.from).toBe("boss@corp.example");
  await eventually(async () => (await drop()).length === 1, { what: "the copy that ann keeps" });
  expect((await drop())[0]).toContain("x-receiver: ann@corp.example");
  const seen = (): string[] => {
    const kinds = service.log
      .filter((line) => line.includes('"msg":"seen"'))
      .map((line) => /"kind":"(\w+)"/.exec(line)?.[1]);
    return [...new Set(kinds.filter((kind) => kind !== undefined))];
  };
  await eventually(() => seen().length === SUB_EVENTS.length, { what: "all sub-events in the log" });
  expect(seen()).toEqual(SUB_EVENTS);

  // Refused by the list, too large, unknown: one report with the reason of each.
  const stranger = "stranger@far.example";
  const to = ["staff@corp.example", "small@corp.example", "tiny@corp.example", "nobody@corp.example"];
  const { text: taken } = await send(service.port, { from: stranger, to, data: plainMessage("two") });
  const report = (await hop.received(2))[1]?.content.toString("latin1");
  for (const status of ["5.7.1", "5.3.4", "5.1.1"]) expect(report).toContain(`Status: ${status}`);
  const ends = async (step: string): Promise<string[]> =>
    (await trackedLines(path.join(service.mailroot, "Tracking")))
      .filter((line) => line.step === step)
      .flatMap((line) => line.to);
  await eventually(async () => (await ends("bounced")).length === to.length, {
    what: "the ends in the tracking log",
  });
  expect((await ends("expanded")).toSorted()).toEqual(["info@corp.example", "staff@corp.example"]);
  expect((await ends("bounced")).toSorted()).toEqual(to.toSorted());
  const id = /<([0-9A-Z]{18})>/.exec(taken)?.[1] ?? "";
  const told = await eventually(
    async () => (await findEffects(path.join(service.mailroot, EFFECTS_FOLDER), id)).messages[0],
    { what: "the record of the categorization" },
  );
  expect(explainMessage(told).join("\n")).toContain(
    "<small@corp.example>: found, user small@corp.example; takes up to 100 bytes; failed: 552 5.3.4",
  );

  // A file that is wrong changes nothing and is told by line; one that is right is live.
  const file = path.join(service.scriptsFolder, FILE);
  await writeFile(file, DIRECTORY.replace("owner: boss", "owner: 'no address'"));
  process.kill(service.pid, "SIGHUP");
  await eventually(() => service.log.some((line) => line.includes("reload refused")), {
    what: "the refusal",
  });
  expect(service.log.findLast((line) => line.includes("reload refused"))).toContain(
    `${FILE}:10:12 lists.staff.owner: must be an address`,
  );
  await writeFile(file, DIRECTORY.replace("eve@far.example", "adam@far.example"));
  process.kill(service.pid, "SIGHUP");
  await eventually(() => service.log.some((line) => line.includes("configuration reloaded")), {
    what: "the reload",
  });
  await send(service.port, { from, to: ["staff@corp.example"], data: plainMessage("three") });
  await eventually(() => hop.messages.some(({ to: [first] }) => first === "adam@far.example"), {
    what: "the new member",
  });
});
