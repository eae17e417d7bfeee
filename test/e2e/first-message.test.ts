// The first ten minutes of a user: start, send, find the message in Drop, write a script, change it.
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createTransport } from "nodemailer";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { startService } from "../support/service.ts";
import { tempFolder } from "../support/temp-folder.ts";

const PYTHON_SENDER = `
import smtplib, sys
from email.message import EmailMessage
m = EmailMessage()
m["From"] = "alice@example.com"
m["To"] = "bob@example.org"
m["Subject"] = "from smtplib"
m.set_content("Grüße aus Python\\n")
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=10) as s:
    s.send_message(m)
`;

const tagging = (word: string): string => `
  export default function onArrival(msg) {
    msg.Subject = "${word}: " + msg.Subject;
    msg.DataSource.Save();
  }`;

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-c", "import smtplib"], { stdio: "ignore", timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

test.each([
  ["npm start", ["npm", "start", "--silent", "--"]],
  ["npx onarrival serve", ["npx", "onarrival", "serve"]],
])(
  "a signal to %s stops the service, and not npm alone",
  async (_name, [command = "", ...words]) => {
    await using temp = await tempFolder();
    await mkdir(join(temp.path, "scripts"));
    const places = ["--listen", "127.0.0.1:0", "--mailroot", join(temp.path, "mail")];
    const npm = spawn(command, [...words, ...places, "--scripts", join(temp.path, "scripts")], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
      // npx links the package of the folder into its cache.
      env: { ...process.env, npm_config_cache: join(temp.path, "npm"), npm_config_offline: "true" },
    });
    let output = "";
    npm.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await eventually(() => output.includes('"msg":"service started"'), { timeoutMs: 30_000 });
    npm.kill("SIGTERM");
    // The pipe is closed when the service has ended as well.
    await once(npm, "close");
    expect(output).toMatch(/"signal":"(?:SIGTERM|the end of npx)","msg":"stopping/);
  },
  60_000,
);

test("a message sent with nodemailer to a service without a file lies in Drop with its envelope", async () => {
  await using service = await startService();
  const transport = createTransport({ host: "127.0.0.1", port: service.port, ignoreTLS: true });
  await transport.sendMail({
    from: "Älice <alice@example.com>",
    to: ["bob@example.org", "carol@example.net"],
    subject: "Grüße",
    text: "Hallo",
    attachments: [{ filename: "a.bin", content: Buffer.from([0, 1, 2, 255]) }],
  });
  transport.close();
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  expect(file?.name).toMatch(/\.EML$/i);
  expect(text).toMatch(/^x-sender: alice@example\.com\r\n/i);
  expect(text).toMatch(/^x-receiver: bob@example\.org\r\n/im);
  expect(text).toMatch(/^x-receiver: carol@example\.net\r\n/im);
  expect(text).toMatch(/^Received: from /m);
  expect(text).toContain("AAEC/w==");
});

test.runIf(hasPython())("a message sent with Python's smtplib lies in Drop", async () => {
  await using service = await startService();
  await promisify(execFile)("python3", ["-c", PYTHON_SENDER, String(service.port)], { timeout: 20_000 });
  const [file] = await service.dropped(1);
  expect(file?.content.toString("latin1")).toContain("Subject: from smtplib");
});

test("a script saved into the folder of a running service changes the next message, and so does the next version", async () => {
  await using service = await startService();
  let sent = 0;
  const subjectOfNext = async (): Promise<string> => {
    sent += 1;
    await send(service.port, { data: plainMessage(`number ${sent}`) });
    const marker = `number ${sent}`;
    const files = await service.dropped(sent);
    const file = files.find((one) => one.content.includes(marker));
    return /^Subject: (.*)\r$/m.exec(file?.content.toString("latin1") ?? "")?.[1] ?? "";
  };
  expect(await subjectOfNext()).toBe("number 1");
  await service.writeScript("tag.js", tagging("first"));
  await eventually(async () => (await subjectOfNext()).startsWith("first: "), { what: "the first version" });
  await service.writeScript("tag.js", tagging("second"));
  await eventually(async () => (await subjectOfNext()).startsWith("second: "), {
    what: "the second version",
  });
  await service.removeScript("tag.js");
  await eventually(async () => (await subjectOfNext()).startsWith("number "), { what: "the removal" });
});
