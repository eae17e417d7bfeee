// kill -9 while lists are expanded: every member gets every message that was answered with 250, and no list is expanded twice but
// where the crash came between a copy and the end of its message.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { crashRun } from "../support/crash-run.ts";
import { TOKEN_HEADER } from "../support/ledger.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] } };

/** What crashRun writes to is a list. */
const DIRECTORY = `lists:
  recipient@example.org: { members: [a@far.example, b@far.example, owned@example.org] }
  owned@example.org: { members: [b@far.example, c@far.example, d@far.example], owner: owner@example.org }
`;
const MEMBERS = ["a@far.example", "b@far.example", "c@far.example", "d@far.example"];

test("2,000 messages to a list in a list under ten kill -9 reach all members", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    scripts: { "_directory.yaml": DIRECTORY },
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["example.org"],
      server: { ...QUICK_RETRY, categorizer: { file: "scripts/_directory.yaml" } },
    }),
  });
  const messages = 2000;
  const balance = await crashRun(service, hop, {
    messages,
    kills: 10,
    sessions: 20,
    maxUptimeMs: 600,
    random: Math.random,
    drainTimeoutMs: 120_000,
  });
  expect(balance.acknowledged).toBe(messages);
  expect(balance.lost).toEqual([]);
  expect(balance.corrupt).toEqual([]);
  await service.kill();
  const tokens = new Map(MEMBERS.map((member) => [member, new Map<string, number>()]));
  for (const { to, from, content } of hop.messages) {
    const token = new RegExp(`${TOKEN_HEADER}: (\\S+)`).exec(content.toString("latin1"))?.[1] ?? "";
    for (const member of to) {
      const counts = tokens.get(member);
      counts?.set(token, (counts.get(token) ?? 0) + 1);
      expect(from).toBe(/^[ab]@/.test(member) ? "sender@example.com" : "owner@example.org");
    }
  }
  for (const counts of tokens.values()) expect(counts.size).toBeGreaterThanOrEqual(messages);
  const surplus = [...tokens.values()].map(
    (counts) => [...counts.values()].filter((count) => count > 1).length,
  );
  console.log(`tokens that came more than once, by member: ${surplus.join(", ")}`);
});
