// What programs and people see of a running service: GET /metrics, GET /healthz, `onarrival status`, the protocol log.
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { metricNames } from "../../src/observe/metrics.ts";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { type CommandResult, runCommand, startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const addressOf = async (service: Service): Promise<string> => {
  const line = await service.logged(/admin listener ready/);
  return /"address":"([^"]+)"/.exec(line)?.[1] ?? "";
};

/** Value of a sample by its name with labels, as it stands in the text. */
const valueIn = (text: string, sample: string): number | undefined => {
  const line = text.split("\n").find((one) => one.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

/** Its script is not there. */
const ARCHIVE = {
  displayName: "Archive",
  event: "OnTransportSubmission",
  sinkClass: "CDO.SS_SMTPOnArrivalSink",
  sinkProperties: { ScriptName: "archive.ts" },
  sourceProperties: { rule: "mail from=nobody@example.com" },
};

test("metrics, health and status tell what the service did and what waits", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = (address) =>
    address.startsWith("gone") ? "550 5.1.1 no" : address.startsWith("later") ? "450 4.2.1 later" : undefined;
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["example.com"],
      file: { admin: { listen: "127.0.0.1:0" }, effects: { enabled: false }, bindings: [ARCHIVE] },
    }),
    scripts: {
      "look.js":
        "export default function onArrival(msg) { if (msg.Subject === 'throw') throw new Error('x'); }",
    },
  });
  const base = `http://${await addressOf(service)}`;
  for (const [to, subject] of [
    ["one@ok.test", "relay"],
    ["gone@ok.test", "bounce"],
    ["bob@example.com", "local"],
    ["later@ok.test", "wait"],
    ["two@ok.test", "throw"],
  ] as const)
    await send(service.port, { from: "alice@example.com", to, data: plainMessage(subject) });
  await service.dropped(2);
  const text = await eventually(async () => {
    const scraped = await (await fetch(`${base}/metrics`)).text();
    return (
      valueIn(scraped, 'onarrival_held_messages{server="default",reason="script"}') === 1 &&
      valueIn(scraped, 'onarrival_deliveries{server="default",state="retry"}') === 1 &&
      valueIn(scraped, 'onarrival_recipients_total{server="default",state="delivered"}') === 2 &&
      scraped
    );
  });
  for (const name of metricNames()) expect(text).toContain(`# TYPE ${name} `);
  const expected: Readonly<Record<string, number>> = {
    onarrival_healthy: 1,
    'onarrival_smtp_connections_accepted_total{server="default"}': 5,
    'onarrival_smtp_commands_total{server="default",verb="MAIL"}': 5,
    'onarrival_smtp_replies_total{server="default",class="3"}': 5,
    'onarrival_messages_accepted_total{server="default",source="smtp"}': 5,
    'onarrival_messages_accepted_total{server="default",source="dsn"}': 1,
    'onarrival_recipients_total{server="default",state="relayed"}': 1,
    'onarrival_recipients_total{server="default",state="bounced"}': 1,
    'onarrival_reports_total{server="default",kind="failed"}': 1,
    'onarrival_messages{server="default"}': 2,
    'onarrival_queue_messages{server="default",queue="pre-submission"}': 1,
    [`onarrival_destination_messages{server="default",queue="127.0.0.1:${hop.port}"}`]: 1,
    'onarrival_sink_seconds_count{binding="look.js",kind="script"}': 6,
    'onarrival_sink_seconds_bucket{binding="look.js",kind="script",le="+Inf"}': 6,
    'onarrival_sink_faults_total{binding="look.js",script="look.js",fault="throw"}': 1,
    'onarrival_scripts{state="live"}': 1,
    onarrival_bindings_without_script: 1,
    'onarrival_store_failures_total{server="default"}': 0,
  };
  const found = Object.keys(expected).map((sample) => [sample, valueIn(text, sample)]);
  expect(Object.fromEntries(found)).toEqual(expected);
  expect(valueIn(text, 'onarrival_store_barriers_total{server="default"}')).toBeGreaterThan(0);

  const health = await fetch(`${base}/healthz`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { healthy: true, reasons: [], servers: { default: "running" } },
  ]);
  const others = await Promise.all([
    fetch(`${base}/`),
    fetch(`${base}/metrics`, { method: "POST", body: "x" }),
    fetch(`${base}/healthz`, { headers: { "X-Long": "x".repeat(10_000) } }).catch(() => undefined),
  ]);
  expect(others.map((answer) => answer?.status)).toEqual([404, 405, undefined]);

  const status = await service.command("status", "--mailroot", service.mailroot);
  expect(status.code).toBe(0);
  expect(status.stdout).toMatch(/^health +healthy$/m);
  expect(status.stdout).toMatch(/^queues +pre-submission 1, remote 1$/m);
  expect(status.stdout).toMatch(/^held +script 1$/m);
  expect(status.stdout).toMatch(/^no script +binding "Archive": .* what to do: save a working archive\.ts/m);
  expect(status.stdout).toContain(`127.0.0.1:${hop.port}: 1`);

  // The queue folder goes away: nothing is accepted, and whoever asks hears why.
  await rename(join(service.mailroot, "Queue"), join(service.mailroot, "Queue.gone"));
  const sick = await eventually(
    async () => {
      const answer = await fetch(`${base}/healthz`);
      return answer.status === 503 && (await answer.json());
    },
    { what: "an unhealthy answer" },
  );
  expect(sick).toMatchObject({
    healthy: false,
    reasons: [expect.stringMatching(/^the store refuses mail: /)],
  });
  const unwell = await service.command("status", "--json", "--mailroot", service.mailroot);
  expect([unwell.code, JSON.parse(unwell.stdout)]).toMatchObject([1, { health: { healthy: false } }]);
}, 30_000);

test("an admin listener that others could reach is refused unless that is said", async () => {
  await using folder = await tempFolder("admin");
  const file = join(folder.path, "onarrival.yaml");
  const check = async (admin: Record<string, unknown>): Promise<CommandResult> => {
    await writeFile(file, JSON.stringify({ ...serviceConfig(), admin }));
    return runCommand(["check", "--config", file], { cwd: folder.path });
  };
  const refused = await check({ listen: "0.0.0.0:0" });
  expect([refused.code, refused.stdout + refused.stderr]).toEqual([
    1,
    expect.stringContaining("admin.listen: is no loopback address"),
  ]);
  expect((await check({ listen: "0.0.0.0:0", allowRemote: true, hosts: ["watch.example"] })).code).toBe(0);
});

test("H08 the protocol log has a line for each command, both ways, whatever strangers put into it", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = () => "550 5.1.1 no\u001B[31m such user";
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      server: { protocolLog: { enabled: true }, auth: { allowPlaintext: true, users: [] } },
    }),
  });
  {
    await using talk = conversation(service.port);
    await talk.expects(220).sends("EHLO client.example.com").expects(250);
    await talk.sends("NOOP \u001B[2J\u0007").expects(501).sends("NOOP 100%").expects(250);
    await talk.sends("MAIL FROM:<a@example.com> SIZE=10").expects(250);
    await talk.sends("RCPT TO:<b@ok.test>").expects(250).sends("DATA").expects(354);
    await talk.sends("Subject: x\r\n\r\nnot in the log\r\n.").expects(250);
    await talk.sends("AUTH PLAIN c2VjcmV0LXBhc3N3b3Jk").expects(502);
    // What a client says that minds no answer, and one with a form of AUTH of its own.
    await talk.sends("c2VjcmV0LXVzZXI=").expects(500).sends("c2VjcmV0LXBhc3N3b3Jk").expects(500);
    await talk.sends("AUTH=PLAIN c2VjcmV0LXBhc3N3b3Jk").expects(500);
    await talk.sends(" AUTH PLAIN c2VjcmV0LXBhc3N3b3Jk").expects(500);
    await talk.sends("AUTH LOGIN=c2VjcmV0LXVzZXI=").expects(502);
    await talk.sends("NOOP").expects(250).sends("NOSUCH thing").expects(500);
    await talk.sends("QUIT").expects(221);
  }
  await service.logged(/"state":"bounced"/);
  await service.kill();
  const folder = join(service.mailroot, "Protocol", "default");
  const [name = "", ...more] = await readdir(folder);
  expect(more).toEqual([]);
  const text = await readFile(join(folder, name), "latin1");
  expect(text).toMatch(
    /^#Software: OnArrival\n#Version: 1\.0\n#Date: [\d-]+ [\d:]+\n#Fields: date time c-ip /,
  );
  // oxlint-disable-next-line no-control-regex -- control characters are what is meant
  expect(text).not.toMatch(/[^\n -~]/);
  expect(text).not.toMatch(/c2VjcmV0|not in the log/i);
  const fields = /#Fields: (.*)/.exec(text)?.[1]?.split(" ") ?? [];
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const rows = lines.map((line) => {
    const values = line.split(" ");
    expect(values).toHaveLength(fields.length);
    return Object.fromEntries(fields.map((field, index) => [field, values[index]]));
  });
  const inbound = rows.filter((row) => !row["cs-username"]?.startsWith("Outbound"));
  expect(new Set(inbound.map((row) => row["s-port"]))).toEqual(new Set([`${service.port}`]));
  expect(inbound.map((row) => `${row["cs-method"]} ${row["sc-status"]}`)).toEqual([
    "EHLO 250",
    "- 501",
    "NOOP 250",
    "MAIL 250",
    "RCPT 250",
    "DATA 354",
    "_EOD 250",
    "AUTH 502",
    "*** 500",
    "*** 500",
    "AUTH 500",
    "AUTH 500",
    "AUTH 502",
    "NOOP 250",
    "NOSUCH 500",
    "QUIT 221",
  ]);
  expect(inbound.map((row) => row["cs-uri-query"])).toEqual(
    expect.arrayContaining(["FROM:<a@example.com>+SIZE=10", "100%25"]),
  );
  expect(rows.find((row) => row["cs-uri-query"]?.startsWith("550"))).toMatchObject({
    "cs-username": "OutboundConnectionResponse",
    "s-port": `${hop.port}`,
    "cs-uri-query": expect.stringMatching(/^550\+no.*such\+user/),
  });
  expect(
    rows.some((row) => row["cs-username"] === "OutboundConnectionCommand" && row["cs-method"] === "RCPT"),
  ).toBe(true);
});
