// `onarrival dev`: the service with its live console.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startProgram } from "../support/program.ts";
import { send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const TAG = `export const binding = { rule: "RCPT TO=*@localhost", priority: 1 };
export default function onArrival(msg) {
  console.log("saw", msg.Subject);
  msg.Subject = "[tag] " + msg.Subject;
  msg.TextBody = msg.TextBody + "\\r\\nsecond\\r\\n";
  msg.DataSource.Save();
}
`;
const ROUTE = `export const binding = { rule: "RCPT TO=*@localhost", priority: 2 };
export default function onArrival(msg) {
  msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = "SMTP:c@localhost;";
  msg.EnvelopeFields.Update();
}
`;

test("messages, what each script did to them, errors with their source and reloads are shown as they happen", async () => {
  await using temp = await tempFolder();
  const scripts = join(temp.path, "scripts");
  await mkdir(scripts);
  await writeFile(join(scripts, "tag.js"), TAG);
  await writeFile(join(scripts, "route.js"), ROUTE);
  await writeFile(join(temp.path, "m.eml"), "From: a@example.com\nTo: b@localhost\nSubject: first\n\nbody\n");
  const args = ["dev", "--listen", "127.0.0.1:0", "--mailroot", "mailroot", "--scripts", "scripts"];
  await using program = startProgram([...args, "--send", "m.eml"], { cwd: temp.path });
  const ready = await program.says(/ready on 127\.0\.0\.1:(\d+)/);
  const port = Number(ready[1]);

  // A message of --send, through both scripts in their order.
  const shown = await program.says(/<a@example\.com> → b@localhost[^]*?→ submitted/);
  expect(shown[0]).toMatch(
    /Subject: first[^]*script +tag\.js[^]*verdict +0[^]*- Subject: first\n +\+ Subject: \[tag\] first[^]*\+ second[^]*log\n +info: saw first[^]*script +route\.js[^]*- recipient b@localhost\n +\+ recipient c@localhost/,
  );
  // The second script is shown against what the first left.
  expect(shown[0].slice(shown[0].indexOf("route.js"))).not.toContain("Subject");
  await eventually(async () => (await readdir(join(temp.path, "mailroot/Drop"))).length > 0);

  // An edit that is broken, and one that throws.
  await writeFile(join(scripts, "tag.js"), TAG.replace("msg.Subject;", "= msg.Subject;"));
  await program.says(/tag\.js is broken: tag\.js:4:[^]*> 4 \|[^]*\^[^]*version [0-9a-f]+ stays live/);
  await writeFile(
    join(scripts, "tag.js"),
    TAG.replace("msg.DataSource.Save()", 'throw new Error("not today")'),
  );
  await program.says(/tag\.js [0-9a-f]{16} reloaded, was [0-9a-f]{16}/);
  await send(port, {
    from: "x@example.com",
    to: ["y@localhost"],
    data: "Subject: second\r\n\r\ntext\r\n",
  });
  await program.says(
    /<x@example\.com> → y@localhost[^]*fault +throw: tag\.js:6:[^]*> 6 \|[^]*not today[^]*\^[^]*→ hold: /,
  );

  expect(program.text).not.toContain("\u001b");
  expect(await program.end("SIGINT")).toBe(0);
});

test("a message that cannot be sent at the start ends it, with the service", async () => {
  await using temp = await tempFolder();
  const args = ["dev", "--listen", "127.0.0.1:0", "--mailroot", "mailroot", "--scripts", "scripts"];
  await using program = startProgram([...args, "--send", "none.eml"], { cwd: temp.path });
  await program.says(/^error: none\.eml cannot be sent: ENOENT/m);
  expect(await program.exited).toBe(2);
}, 60_000);

test("what runs in shadow is shown, and why no sink is called", async () => {
  await using temp = await tempFolder();
  const scripts = join(temp.path, "scripts");
  await mkdir(scripts);
  await writeFile(
    join(scripts, "next.js"),
    `export const binding = { mode: "shadow" };
export default function onArrival(msg) {
  console.log("saw", msg.Subject);
  throw new Error("boom");
}
`,
  );
  await writeFile(
    join(scripts, "off.js"),
    "export const binding = { enabled: false };\nexport default () => 0;\n",
  );
  await writeFile(join(temp.path, "m.eml"), "From: a@example.com\nTo: b@localhost\nSubject: first\n\nbody\n");
  const args = ["dev", "--listen", "127.0.0.1:0", "--mailroot", "mailroot", "--scripts", "scripts"];
  await using program = startProgram([...args, "--send", "m.eml"], { cwd: temp.path });
  await program.says(/no sink is called: next\.js runs in shadow, off\.js is disabled\n/);
  await program.says(
    /in shadow: next\.js \(version [0-9a-f]{16}\) \S+ ms\n +fault +throw: next\.js:4:\d+: Error: boom\n[^]*> 4 \|[^]*info: saw first\n +not compared: there is no live binding to compare with\n/,
  );
  expect(await program.end("SIGTERM")).toBe(0);
});

test("with --json each line is an object", async () => {
  await using temp = await tempFolder();
  await mkdir(join(temp.path, "scripts"));
  await writeFile(join(temp.path, "scripts/tag.js"), TAG);
  await writeFile(join(temp.path, "m.eml"), "From: a@example.com\nTo: b@localhost\nSubject: first\n\nbody\n");
  const args = ["dev", "--listen", "127.0.0.1:0", "--mailroot", "mailroot", "--scripts", "scripts", "--json"];
  await using program = startProgram([...args, "--send", "m.eml"], { cwd: temp.path });
  await program.says(/"event":"message".*\n/);
  expect(await program.end("SIGTERM")).toBe(0);
  const lines: unknown[] = program.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { event: "live", script: "tag.js" },
    { event: "ready" },
    {
      event: "message",
      sender: "a@example.com",
      scripts: [
        { script: "tag.js", verdict: 0, headerChanges: ["- Subject: first", "+ Subject: [tag] first"] },
      ],
      end: { kind: "submitted" },
    },
  ]);
});
