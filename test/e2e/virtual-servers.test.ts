// Two virtual servers in one process: what each has for itself, and what they share.
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { explainCommand } from "../../src/cli/explain.ts";
import { queueCommand } from "../../src/cli/queue.ts";
import { serverCommand } from "../../src/cli/server.ts";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { type CommandRun, runInProcess } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

const marking = (word: string): string => `export default (msg) => {
  msg.Fields("urn:schemas:mailheader:X-Mark").Value = "${word}";
  msg.Fields.Update();
  msg.DataSource.Save();
};
`;
const SHARED = `export default (msg) => {
  if (msg.Subject === "crash") for (const all = []; ; ) all.push(new Array(1e6).fill(0));
  if (msg.Subject !== "question") return;
  const answer = msg.Reply();
  answer.From = "robot@example.org";
  answer.Send();
};
`;
const binding = (script: string, more: Record<string, unknown>): Record<string, unknown> => ({
  displayName: script,
  event: "OnArrival",
  sinkClass: "CDO.SS_SMTPOnArrivalSink",
  sinkProperties: { ScriptName: script },
  ...more,
});

let hops: { readonly first: CaptureServer; readonly second: CaptureServer };
let service: Service;
let mailroots: { readonly first: string; readonly second: string };
beforeAll(async () => {
  hops = { first: await startCaptureServer(), second: await startCaptureServer() };
  service = await startService({
    scripts: { "first.js": marking("first"), "second.js": marking("second"), "shared.js": SHARED },
    config: {
      limits: { maxRecipients: 2 },
      virtualServers: [
        {
          name: "first",
          domains: { local: ["first.example"] },
          delivery: { smartHost: `127.0.0.1:${hops.first.port}` },
        },
        {
          name: "second",
          listen: ["127.0.0.1:0"],
          domains: { local: ["second.example"] },
          delivery: { smartHost: `127.0.0.1:${hops.second.port}` },
          limits: { maxRecipients: 1 },
        },
      ],
      bindings: [
        binding("first.js", { server: "first" }),
        binding("second.js", { server: "second" }),
        binding("shared.js", { allow: { send: true }, onError: "continue" }),
      ],
    },
  });
  mailroots = { first: service.mailroot, second: path.join(service.mailroot, "second") };
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await hops.first[Symbol.asyncDispose]();
  await hops.second[Symbol.asyncDispose]();
});

type Name = "first" | "second";

const run = (...args: readonly string[]): Promise<CommandRun> =>
  runInProcess(
    [serverCommand, queueCommand, explainCommand],
    [...args, "--mailroot", service.mailroot, "--json"],
  );

interface Shown {
  readonly id: string;
  readonly server: string;
  readonly state: string;
}

async function queued(...args: readonly string[]): Promise<readonly Shown[]> {
  const { out } = await run("queue", "list", ...args);
  return JSON.parse(out);
}

interface ShownServer {
  readonly name: string;
  readonly state: string;
  readonly addresses: readonly string[];
}

async function portOf(name: Name): Promise<number> {
  const servers: readonly ShownServer[] = JSON.parse((await run("server", "list")).out);
  return Number(servers.find((one) => one.name === name)?.addresses[0]?.split(":")[1]);
}

async function dropOf(name: Name): Promise<string[]> {
  const folder = path.join(mailroots[name], "Drop");
  const names = (await readdir(folder)).filter((file) => file.endsWith(".eml")).toSorted();
  return Promise.all(names.map((file) => readFile(path.join(folder, file), "latin1")));
}

const subjectAndMark = (text: string): string =>
  `${/^Subject: (.*)\r$/m.exec(text)?.[1]} by ${/^X-Mark: (.*)\r$/m.exec(text)?.[1]}`;

/** What arrived at both ends of each virtual server, sorted. */
async function arrived(): Promise<Record<string, string[]>> {
  const ends = await Promise.all(
    (["first", "second"] as const).map(async (name) => [
      [`${name} drop`, (await dropOf(name)).map(subjectAndMark).toSorted()],
      [
        `${name} hop`,
        hops[name].messages.map(({ content }) => subjectAndMark(content.toString())).toSorted(),
      ],
    ]),
  );
  return Object.fromEntries(ends.flat());
}

const untilArrived = (wanted: Record<string, string[]>): Promise<void> =>
  expect.poll(arrived, { timeout: 10_000, interval: 50 }).toEqual(wanted);

describe("two virtual servers", () => {
  const wanted: Record<string, string[]> = {
    "first drop": ["local by first", "picked by first"],
    "first hop": ["foreign by first", "remote by first"],
    "second drop": ["local by second", "picked by second"],
    "second hop": ["remote by second"],
  };

  test("each has its own bindings, domains, next hop, Pickup and Drop, and nothing gets mixed", async () => {
    const ports = { first: service.port, second: await portOf("second") };
    for (const name of ["first", "second"] as const) {
      await send(ports[name], { to: `a@${name}.example`, data: plainMessage("local") });
      await send(ports[name], { to: "a@example.net", data: plainMessage("remote") });
      const file = path.join(mailroots[name], "outside.tmp");
      await writeFile(
        file,
        `x-sender: a@x.example\r\nx-receiver: b@${name}.example\r\n${plainMessage("picked")}`,
      );
      await rename(file, path.join(mailroots[name], "Pickup", "one.eml"));
    }
    await send(ports.first, { to: "a@second.example", data: plainMessage("foreign") });
    await untilArrived(wanted);
  });

  test("each has its own limits, and inherits those of the service", async () => {
    for (const [port, accepted] of [
      [service.port, 2],
      [await portOf("second"), 1],
    ] as const) {
      await using client = conversation(port).expects(220).sends("EHLO x").expects(250);
      client.sends("MAIL FROM:<a@x.example>").expects(250);
      for (let count = 0; count < accepted; count += 1)
        client.sends(`RCPT TO:<b${count}@x.example>`).expects(250);
      await client.sends("RCPT TO:<c@x.example>").expects(452);
    }
  });

  test("what a script sends goes the way of the message that it was called for", async () => {
    await send(await portOf("second"), { to: "b@second.example", data: plainMessage("question") });
    wanted["second drop"]?.push("question by second");
    wanted["second hop"]?.unshift("RE: question by second");
    await untilArrived(wanted);
  });

  test("a script that ends its process on mail of one does not stop the mail of the other", async () => {
    await send(await portOf("second"), { to: "b@second.example", data: plainMessage("crash") });
    await send(service.port, { to: "b@first.example", data: plainMessage("beside a crash") });
    wanted["first drop"]?.unshift("beside a crash by first");
    wanted["second drop"]?.unshift("crash by second");
    wanted["second drop"]?.sort();
    await untilArrived(wanted);
  });

  test("each has its own queues, which are told apart, and a kill -9 loses nothing of either", async () => {
    await hops.first.stop();
    await hops.second.stop();
    await send(service.port, { to: "a@example.net", data: plainMessage("waits") });
    await send(await portOf("second"), { to: "a@example.net", data: plainMessage("waits") });
    const both = await eventually(
      async () => {
        const entries = await queued();
        return entries.length === 2 && entries.every(({ state }) => state === "retry") && entries;
      },
      { what: "a message in each queue" },
    );
    expect(both.map(({ server }) => server)).toEqual(["first", "second"]);
    const [second] = await queued("--server", "second");
    expect(second).toMatchObject({ id: both[1]?.id, server: "second" });
    expect(await run("queue", "list", "--server", "third")).toMatchObject({ code: 2 });
    expect(JSON.parse((await run("queue", "hold", "--all", "--server", "second")).out)).toEqual({
      changed: 1,
    });
    const explain = ["explain", second?.id ?? "", "--mailroot", service.mailroot];
    const explained = await eventually(
      async () => {
        const { code, out } = await runInProcess([explainCommand], explain);
        return code === 0 && out;
      },
      { what: "the record of the second message" },
    );
    expect(explained).toMatch(/^server {5}second$/m);
    expect(explained).toMatch(
      /^ {2}- {2}first\.js: not called: it did not come by the virtual server first$/m,
    );

    await service.kill("SIGKILL");
    await hops.first.listen();
    await hops.second.listen();
    await service.start();
    wanted["first hop"]?.push("waits by first");
    await untilArrived(wanted);
    expect(await queued()).toMatchObject([{ id: second?.id, server: "second", state: "held" }]);
    expect(JSON.parse((await run("queue", "release", second?.id ?? "")).out)).toEqual({ changed: 1 });
    wanted["second hop"]?.push("waits by second");
    await untilArrived(wanted);
  });

  test("a queue is frozen and thawed on those that run; one that does not is named, and stays as it was", async () => {
    const ask = async (...args: string[]): Promise<unknown> => JSON.parse((await run("queue", ...args)).out);
    expect(await ask("freeze", "pre-routing")).toEqual({ changed: 2 });
    expect((await run("server", "stop", "second")).code).toBe(0);
    expect(await ask("thaw", "pre-routing")).toEqual({ changed: 1, stopped: ["second"] });
    const asked = await run("queue", "summary", "--server", "second");
    expect(asked).toMatchObject({ code: 2 });
    expect(asked.out).toContain("the virtual server second does not run: onarrival server start second");
    expect((await run("server", "start", "second")).code).toBe(0);
    const frozen = (await ask("summary")) as { queue: string; server: string; frozen: boolean }[];
    expect(frozen.filter((queue) => queue.frozen)).toMatchObject([
      { queue: "pre-routing", server: "second" },
    ]);
    expect(await ask("thaw", "pre-routing", "--server", "second")).toEqual({ changed: 1 });
  });
});
