// A running service takes changes of onarrival.yaml over by itself, as the original did those of its metabase.
import { randomUUID } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const configOf = (value: string, more: Record<string, unknown> = {}): Record<string, unknown> => {
  const mark = {
    id: "{0F0E0D0C-0B0A-0908-0706-050403020100}",
    displayName: "Mark",
    event: "OnArrival",
    sinkClass: "OnArrival.AddHeader",
    sinkProperties: { name: "X-Mark", value },
    ...more,
  };
  return serviceConfig({ bindings: [mark] });
};

/** The mark that the next message gets, of the first virtual server or of the named one at its port. */
async function markOfNext(service: Service, port = service.port, server = ""): Promise<string | undefined> {
  const subject = randomUUID();
  await send(port, { data: plainMessage(subject) });
  const file = await eventually(
    async () => (await service.drop(server)).find(({ content }) => content.includes(`Subject: ${subject}`)),
    { what: "the probe in Drop" },
  );
  return /^X-Mark: (.*)\r$/m.exec(file.content.toString("latin1"))?.[1];
}

const marks = (
  service: Service,
  value: string | undefined,
  port?: number,
  server?: string,
): Promise<unknown> =>
  eventually(async () => (await markOfNext(service, port, server)) === value, {
    what: `the mark ${value ?? "gone"}`,
  });

const countLogged = (service: Service, text: string): number =>
  service.log.filter((line) => line.includes(text)).length;

test("R12 an edit applies to the next message, a bad one changes nothing and names its line, none needs a signal", async () => {
  await using service = await startService({ config: configOf("one") });
  expect(await markOfNext(service)).toBe("one");

  await service.writeConfig(configOf("two"));
  await marks(service, "two");

  await writeFile(service.configFile, 'bindings: []\nlog: { level: "loud" }\n');
  await service.logged(
    /reload refused.*onarrival\.yaml:2:15 log\.level|onarrival\.yaml:2:15 log\.level.*reload refused/,
  );
  expect(await markOfNext(service)).toBe("two");

  // Editors replace the file.
  await writeFile(`${service.configFile}.new`, JSON.stringify(configOf("three")));
  await rename(`${service.configFile}.new`, service.configFile);
  await marks(service, "three");

  expect((await service.command("smtpreg", "/disable", "1", "onarrival", "Mark")).stdout).toContain(
    "Success: Sink Binding Disabled",
  );
  await marks(service, undefined);
  await eventually(() => countLogged(service, "configuration reloaded") === 3, { what: "three reloads" });
});

test("an edit that SIGHUP has taken over is not taken over twice, and watchConfig: false leaves it to SIGHUP", async () => {
  await using service = await startService({ config: configOf("one") });
  const unwatched = { ...configOf("two"), watchConfig: false };
  await service.writeConfig(unwatched);
  await service.kill("SIGHUP");
  await service.logged(/configuration reloaded/);
  expect(await markOfNext(service)).toBe("two");
  await service.writeConfig({ ...configOf("three"), watchConfig: false });
  // Longer than a look and the rest after it.
  await new Promise((resolve) => setTimeout(resolve, 1600));
  expect(await markOfNext(service)).toBe("two");
  expect(countLogged(service, "configuration reloaded")).toBe(1);
  await service.kill("SIGHUP");
  await marks(service, "three");
});

test("firings count on when the binding is renamed and edited, and after a restart", async () => {
  await using service = await startService({ config: configOf("once", { maxFirings: 1 }) });
  expect(await markOfNext(service)).toBe("once");
  const edited = { displayName: "Renamed", sourceProperties: { priority: 7 } };
  await service.writeConfig(configOf("once", { ...edited, maxFirings: 1 }));
  await service.logged(/configuration reloaded/);
  expect(await markOfNext(service)).toBeUndefined();
  await service.restart();
  expect(await markOfNext(service)).toBeUndefined();
  await service.writeConfig(configOf("again", { ...edited, maxFirings: 2 }));
  await marks(service, "again");
  await marks(service, undefined);
});

const MARK_SCRIPT = `export default function onArrival(msg, status, event) {
  msg.Fields("urn:schemas:mailheader:X-Mark").Value = event.properties.word;
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;

test("a script of the second virtual server sees its mail only, and a sink property that smtpreg changes", async () => {
  const server = (name: string): Record<string, unknown> => ({
    name,
    listen: ["127.0.0.1:0"],
    relay: { networks: ["127.0.0.0/8"] },
  });
  const binding = {
    displayName: "Mark",
    event: "OnArrival",
    server: "outside",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    sinkProperties: { ScriptName: "mark.js", word: "one" },
  };
  await using service = await startService({
    config: { virtualServers: [server("inside"), server("outside")], bindings: [binding] },
    scripts: { "mark.js": MARK_SCRIPT },
  });
  const ready = service.log.find((line) => line.includes("onarrival ready on")) ?? "";
  const [inside, outside] = [...ready.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  expect(await markOfNext(service, inside)).toBeUndefined();
  expect(await markOfNext(service, outside, "outside")).toBe("one");
  await service.command("smtpreg", "/setprop", "2", "OnArrival", "Mark", "Sink", "word", "two");
  await marks(service, "two", outside, "outside");
});
