// Changes of a running service: what is right takes effect, what is wrong changes nothing and says why.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { subjectOfNext } from "../support/probe.ts";
import { descendants, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

const tagging = (word: string): string => `export default function onArrival(msg) {
  msg.Subject = "${word} " + msg.Subject;
  msg.DataSource.Save();
}
`;
const BROKEN = "export default function onArrival(msg) {\n  msg.Subject = = 1;\n}\n";

test("a broken edit keeps the last good version, names file, line and column, and survives a restart", async () => {
  await using service = await startService({ config: {}, scripts: { "tag.js": tagging("good") } });
  expect(await subjectOfNext(service)).toBe("good probe");
  await service.writeScript("tag.js", BROKEN);
  await service.logged(/tag\.js:2:\d+/);
  expect(await subjectOfNext(service)).toBe("good probe");
  await service.restart();
  expect(await subjectOfNext(service)).toBe("good probe");
  await service.writeScript("tag.js", tagging("better"));
  await eventually(async () => (await subjectOfNext(service)) === "better probe", {
    what: "the corrected version",
  });
});

test("SIGHUP takes a changed file over, and leaves everything as it is when the file is wrong", async () => {
  await using first = await startCaptureServer();
  await using second = await startCaptureServer();
  const config = serviceConfig({ smartHostPort: first.port });
  await using service = await startService({ config });
  await send(service.port, { data: plainMessage("to the first") });
  await first.received(1);

  await service.writeConfig({ ...serviceConfig({ smartHostPort: second.port }), nonsense: true });
  await service.kill("SIGHUP");
  await service.logged(/nonsense/);
  await send(service.port, { data: plainMessage("still to the first") });
  await first.received(2);

  await writeFile(service.configFile, "");
  await service.kill("SIGHUP");
  await service.logged(/is empty/);
  await send(service.port, { data: plainMessage("still to the first") });
  await first.received(3);

  await service.writeConfig(serviceConfig({ smartHostPort: second.port }));
  await service.kill("SIGHUP");
  await eventually(
    async () => {
      await send(service.port, { data: plainMessage("to the second") });
      return second.messages.length > 0;
    },
    { what: "the new smart host", intervalMs: 100 },
  );
});

test("SIGHUP while it starts is a reload when it runs, and while it stops it breaks nothing off", async () => {
  await using service = await startService({ config: { watchConfig: false } });
  await service.kill();
  // The first thing that a start leaves.
  const lock = join(service.mailroot, "lock.db");
  await rm(lock);
  const starting = service.start();
  await eventually(() => existsSync(lock), { what: "a beginning start", intervalMs: 1 });
  await service.writeConfig({ nonsense: true });
  await service.kill("SIGHUP");
  await starting;
  await service.logged(/nonsense/);

  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO c.example")
    .expects(250)
    .sends("MAIL FROM:<a@example.com>")
    .expects(250);
  await talk.sends("RCPT TO:<b@localhost>").expects(250).sends("DATA").expects(354);
  const stopped = service.kill();
  await service.logged(/stopping/);
  await service.kill("SIGHUP");
  await talk.sends("Subject: in hand\r\n\r\n.").expects(250);
  expect(await stopped).toBe(0);
});

test("SIGHUP with other limits ends the suspension of a script, and what it held is tried again", async () => {
  const bound = (timeoutMs: number): Record<string, unknown> =>
    serviceConfig({
      bindings: [
        {
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "slow.js" },
          limits: { timeoutMs, cpuMs: timeoutMs },
        },
      ],
      file: { sandbox: { strikes: 1, probeMs: 3_600_000 } },
    });
  const slow = tagging("slow").replace(
    "{\n",
    "{\n  for (const end = Date.now() + 300; Date.now() < end;);\n",
  );
  await using service = await startService({ config: bound(100), scripts: { "slow.js": slow } });
  await send(service.port, { data: plainMessage("probe") });
  await service.logged(/script suspended after too many/);
  await service.writeConfig(bound(10_000));
  await service.kill("SIGHUP");
  await service.logged(/script no longer suspended/);
  const [file] = await service.dropped(1);
  expect(file?.content.toString("latin1")).toContain("Subject: slow probe\r\n");
});

test("SIGHUP keeps open sessions", async () => {
  await using service = await startService({ config: serviceConfig() });
  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO client.example.com")
    .expects(250)
    .sends("MAIL FROM:<a@example.com>")
    .expects(250);
  await service.kill("SIGHUP");
  await talk
    .sends("RCPT TO:<b@localhost>")
    .expects(250)
    .sends("DATA")
    .expects(354)
    .sends("Subject: x\r\n\r\ny\r\n.")
    .expects(250);
  await service.dropped(1);
});

test("SIGTERM finishes the message in hand, delivers what it took, and exits with 0", async () => {
  await using hop = await startCaptureServer({ contentDelayMs: 300 });
  await using service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  await send(service.port, { data: plainMessage("in hand") });
  const code = await service.kill("SIGTERM");
  expect(code).toBe(0);
  await service.start();
  await hop.received(1);
  expect(await service.queue()).toEqual([]);
  expect(hop.messages).toHaveLength(1);
});

test("a Ctrl-C that reaches the sandbox processes as well ends none of them over the message in hand", async () => {
  const slow = `export default function onArrival(msg) {
    if (msg.Subject === "in hand") for (const until = Date.now() + 600; Date.now() < until;);
    msg.Subject = "done " + msg.Subject;
    msg.DataSource.Save();
  }`;
  await using service = await startService({
    config: serviceConfig({}),
    scripts: { "slow.js": slow },
  });
  // The first message runs in the suspects' lane, the second in an ordinary process: both have started then.
  expect(await subjectOfNext(service)).toBe("done probe");
  expect(await subjectOfNext(service)).toBe("done probe");
  await send(service.port, { data: plainMessage("in hand") });
  await sleep(200);
  for (const pid of descendants(service.pid)) process.kill(pid, "SIGINT");
  expect(await service.kill("SIGINT")).toBe(0);
  expect(service.log.filter((line) => line.includes("sandbox process"))).toEqual([]);
  await service.start();
  const files = await service.dropped(3);
  expect(files.map(({ content }) => content.toString("latin1")).join("")).toContain("Subject: done in hand");
});
