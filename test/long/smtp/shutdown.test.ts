// FAULTS S25: SIGTERM while a hundred clients are at it. What was answered 250 is there, once; everybody else was told 421.
import { expect, test } from "vitest";
import { startService } from "../../support/service.ts";
import { serviceConfig } from "../../support/service-config.ts";
import { Talk } from "../../unit/smtp/server/support.ts";

const SESSIONS = 100;
const ROUNDS = 5;

/** A connection that the service has not yet taken from the system ends without a word. */
async function greeted(port: number): Promise<Talk> {
  const talk = await Talk.open(port);
  await talk.greet();
  return talk;
}

/** Sends one message after the other until the server has had enough. Answers the subjects that were accepted. */
async function sendUntilTold(talk: Talk, client: number, round: number): Promise<string[]> {
  const accepted: string[] = [];
  for (let number = 0; ; number += 1) {
    const subject = `r${round}-c${client}-n${number}`;
    const mail = await talk.say("MAIL FROM:<a@example.net>");
    if (mail.startsWith("421")) break;
    await talk.say("RCPT TO:<b@localhost>");
    await talk.say("DATA");
    talk.write(`Subject: ${subject}\r\n\r\n${"x".repeat(70)}\r\n`);
    await new Promise((resolve) => setTimeout(resolve, client % 20));
    const end = await talk.say(".");
    if (end.startsWith("250")) accepted.push(subject);
    else expect(end).toMatch(/^421/);
  }
  await talk.rest();
  return accepted;
}

test("S25 a hundred clients when the service is told to end", async () => {
  await using service = await startService({ config: serviceConfig({}) });
  const accepted: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const talks = await Promise.all(Array.from({ length: SESSIONS }, () => greeted(service.port)));
    const clients = talks.map((talk, client) => sendUntilTold(talk, client, round).catch(toldInBetween));
    await new Promise((resolve) => setTimeout(resolve, 1000 + round * 70));
    const started = performance.now();
    expect(await service.kill("SIGTERM")).toBe(0);
    expect(performance.now() - started).toBeLessThan(12_000);
    accepted.push(...(await Promise.all(clients)).flat());
    await service.start();
  }
  const files = await service.dropped(accepted.length, 60_000);
  const subjects = files.map(({ content }) => /^Subject: (.*)\r$/m.exec(content.toString())?.[1]);
  expect(new Set(subjects).size).toBe(subjects.length);
  expect(accepted.filter((subject) => !subjects.includes(subject))).toEqual([]);
  expect(accepted.length).toBeGreaterThan(SESSIONS);
});

/** A 421 in the place of another reply closes the connection: what was accepted before is in the transcript that the error carries. */
function toldInBetween(error: unknown): string[] {
  const transcript = error instanceof Error ? error.message : "";
  expect(transcript).toContain("421 4.3.2");
  const steps = transcript.split(/^C: /m);
  return steps.flatMap((step, at) =>
    step.includes("250 2.6.0") ? (/Subject: (r\d+-c\d+-n\d+)/.exec(steps[at - 1] ?? "")?.[1] ?? []) : [],
  );
}
