// Scripts that wait: fetch, the key-value store and secrets on a running service, with the grants of the configuration.
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const SECRET = "correct horse battery";

interface Scores extends AsyncDisposable {
  readonly url: string;
  /** "path authorization" of each request. */
  readonly asked: readonly string[];
  /** Answers what is held. */
  release(): void;
}

/** What a script would ask. */
async function startScores(answers: "at once" | "held"): Promise<Scores> {
  const asked: string[] = [];
  const held: ServerResponse[] = [];
  const answer = (response: ServerResponse): unknown => response.end(JSON.stringify({ score: 7 }));
  const server: Server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? "-"}`);
    if (answers === "held") held.push(response);
    else answer(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`,
    asked,
    release: () => held.splice(0).forEach(answer),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const SCORE = `import { fetch, kv, secret } from "cdo";
const key = secret("API_KEY");
export default async function onArrival(msg) {
  const seen = Number((await kv.get("seen")) ?? 0) + 1;
  await kv.set("seen", String(seen));
  console.log("asking with " + key);
  const answer = await fetch("URLscore?n=" + seen, { headers: { authorization: key } });
  const { score } = await answer.json();
  msg.Fields("urn:schemas:mailheader:X-Score").Value = score + " of message " + seen;
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;

/** A test sees no secret of the service. */
const scoreCases = (url: string): string => `export const cases = [{
  name: "asks with the key", message: "Subject: s\\n\\n", fetch: { "${url}score?n=1": '{"score":9}' },
  expect: { log: "asking with secret-API_KEY", fields: { "x-score": "9 of message 1" } },
}];
`;

const binding = (script: string, allow: object | undefined): Record<string, unknown> => ({
  event: "OnArrival",
  sinkClass: "CDO.SS_SMTPOnArrivalSink",
  displayName: "scores",
  sinkProperties: { ScriptName: script },
  // A machine that is busy with other tests is no fault of the script.
  limits: { timeoutMs: 20_000, cpuMs: 10_000 },
  ...(allow === undefined ? {} : { allow }),
});

/** What the script wrote into the message of this subject. */
async function scoreOf(service: Service, subject: string): Promise<string> {
  return eventually(
    async () => {
      const texts = (await service.drop()).map(({ content }) => content.toString("latin1"));
      const found = texts.find((text) => text.includes(`Subject: ${subject}\r\n`));
      return found === undefined ? undefined : (/^X-Score: (.*)\r$/m.exec(found)?.[1] ?? "none");
    },
    { timeoutMs: 20_000, what: `the message ${subject} in Drop` },
  );
}

test("an async script fetches, remembers over a kill, and its secret is in no log", async () => {
  await using scores = await startScores("at once");
  const allow = { fetch: [scores.url], kv: true, secrets: ["API_KEY"] };
  await using service = await startService({
    config: serviceConfig({ bindings: [binding("score.js", allow)] }),
    scripts: { "score.js": SCORE.replace("URL", scores.url), "score.test.js": scoreCases(scores.url) },
    env: { ONARRIVAL_SECRET_API_KEY: SECRET },
  });
  await send(service.port, { data: plainMessage("one") });
  expect(await scoreOf(service, "one")).toBe("7 of message 1");
  await service.restart("SIGKILL");
  await send(service.port, { data: plainMessage("two") });
  // The first message may have been run again after the kill; its count was not lost by that.
  expect(await scoreOf(service, "two")).toMatch(/^7 of message [23]$/);
  // Run again, it asks beside the second, and either may come first.
  await eventually(() => scores.asked.some((asked) => asked.startsWith("/v1/score?n=2 ")), {
    what: "the second request",
  });
  expect(scores.asked.toSorted().slice(0, 2)).toEqual([`/v1/score?n=1 ${SECRET}`, `/v1/score?n=2 ${SECRET}`]);
  await service.logged(/asking with \[secret API_KEY\]/);
  expect(service.log.join("\n")).not.toContain(SECRET);
});

test("a secret is in no log in the forms that scripts write it in, nor in part where a text was cut", async () => {
  const secret = 'pa"ss\\word+x y ZZTOP 0123456789';
  await using service = await startService({
    config: serviceConfig({
      bindings: [binding("tells.js", { fetch: ["https://granted.example/"], secrets: ["API_KEY"] })],
    }),
    scripts: {
      "tells.js": `import { fetch, secret } from "cdo";
const q = secret("API_KEY");
export default async function onArrival() {
  console.log({ q }, [q]);
  console.log(String(new URLSearchParams({ q })), btoa("user:" + q));
  console.log("c".repeat(3980) + q);
  for (const url of ["http://host/" + "p".repeat(162) + "/" + q, "u".repeat(180) + q])
    await fetch(url).catch(({ message }) => console.log(message));
  throw new Error("e".repeat(975) + q);
}
`,
    },
    env: { ONARRIVAL_SECRET_API_KEY: secret },
  });
  await send(service.port, { data: plainMessage("told") });
  await service.logged(/\{q: .*\[secret API_KEY\].*\}/);
  await service.logged(/p\/\[secret API_KEY\]… is not granted/);
  await service.logged(/u\[secret API_KEY\]….* is no absolute URL/);
  await service.logged(/e\[secret API_KEY\]…/);
  const told = service.log.join("\n") + (await service.command("scripts", "log", "tells.js")).stdout;
  expect(told).toContain("q=[secret API_KEY] ");
  for (const part of ['pa"', 'pa\\"', "pa%22", "ss%5C", "word", "ZZTOP", btoa(`user:${secret}`).slice(8, 24)])
    expect(told).not.toContain(part);
});

test("what the configuration does not grant keeps a script from going live; granting it by SIGHUP is enough", async () => {
  await using scores = await startScores("at once");
  const secretsFile = { scripts: { secretsFile: "secrets" } };
  const configOf = (allow: object | undefined): Record<string, unknown> =>
    serviceConfig({ bindings: [binding("score.js", allow)], file: secretsFile });
  await using service = await startService({
    config: serviceConfig(),
    scripts: { "score.js": SCORE.replace("URL", scores.url) },
  });
  await service.logged(/asks for kv, which nothing grants.*allow: \{ kv: true \}/);
  await writeFile(join(service.folder, "secrets"), `API_KEY=${SECRET}\n`);

  await service.writeConfig(configOf({ fetch: [scores.url], kv: true, secrets: ["OTHER"] }));
  await chmod(join(service.folder, "secrets"), 0o644);
  await service.kill("SIGHUP");
  await service.logged(/everybody on this machine has rights/);
  await chmod(join(service.folder, "secrets"), 0o600);
  await service.kill("SIGHUP");
  await service.logged(/asks for secret API_KEY, which its binding .*scores.* does not grant/);
  const { code, stdout } = await service.command("check");
  expect(code).toBe(1);
  expect(stdout).toMatch(/score\.js: .*secrets: \["API_KEY"\]/);
  expect(stdout).toMatch(/score\.js: .*grants the secret OTHER, which is not defined/);

  await service.writeConfig(configOf({ fetch: [scores.url], kv: true, secrets: ["API_KEY", "OTHER"] }));
  await service.kill("SIGHUP");
  await service.logged(/"name":"OTHER".*grants a secret that is not defined/);
  await service.logged(/"script":"score\.js".*script live/);
  await send(service.port, { data: plainMessage("granted") });
  expect(await scoreOf(service, "granted")).toBe("7 of message 1");

  await service.writeConfig(configOf({ fetch: [scores.url], secrets: ["API_KEY", "OTHER"] }));
  await service.kill("SIGHUP");
  await service.logged(
    /asks for kv, which its binding .*scores.* does not grant.*its last good version stays/,
  );
});

test("while a script waits, others run; an answer that comes too late is a fault", async () => {
  await using scores = await startScores("held");
  const waiting = (script: string, rule: string, timeoutMs: number): Record<string, unknown> => ({
    ...binding(script, { fetch: [scores.url] }),
    displayName: script,
    sourceProperties: { rule },
    limits: { timeoutMs },
    onError: "continue",
  });
  const source = `import { fetch } from "cdo";
export default async function onArrival(msg) {
  await fetch("${scores.url}");
  msg.Fields("urn:schemas:mailheader:X-Score").Value = "answered";
  msg.Fields.Update();
  msg.DataSource.Save();
}\n`;
  await using service = await startService({
    config: serviceConfig({
      bindings: [
        waiting("slow.js", "RCPT TO=slow@localhost", 20_000),
        waiting("late.js", "RCPT TO=late@localhost", 500),
      ],
      file: { sandbox: { workers: 1 } },
    }),
    scripts: { "slow.js": source, "late.js": source },
  });
  await send(service.port, { to: "slow@localhost", data: plainMessage("slow") });
  await eventually(() => scores.asked.length === 1);
  await send(service.port, { to: "fast@localhost", data: plainMessage("fast") });
  expect(await scoreOf(service, "fast")).toBe("none");
  expect(await service.drop()).toHaveLength(1);
  scores.release();
  expect(await scoreOf(service, "slow")).toBe("answered");
  await send(service.port, { to: "late@localhost", data: plainMessage("late") });
  expect(await scoreOf(service, "late")).toBe("none");
  await service.logged(/late\.js.*timeout|timeout.*late\.js/);
});
