// Other people's clients deliver to the running service: with and without TLS, authenticated, with DSN, 8-bit and UTF-8 mail, in chunks.
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../src/smtp/server/authentication/password-hash.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation } from "../support/smtp-client.ts";

const TLS = fileURLToPath(new URL("../fixtures/tls/", import.meta.url));

/** Where a tool is missing its tests say so by their title. */
const isInstalled = (program: string, ...args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: "ignore" }).error === undefined;

const TOOLS = {
  swaks: isInstalled("swaks", "--version"),
  "swaks with Net::SSLeay":
    isInstalled("swaks", "--version") && spawnSync("perl", ["-MNet::SSLeay", "-e", "1"]).status === 0,
  curl: isInstalled("curl", "--version"),
  python3: isInstalled("python3", "--version"),
  "smtp-source": isInstalled("smtp-source", "-h"),
};

const withTool = (tool: keyof typeof TOOLS, title: string): string =>
  TOOLS[tool] ? title : `${title} (skipped: ${tool} is not installed)`;

function run(program: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr);
      else reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${stdout}${stderr}`));
    });
    child.stdin?.end(input);
  });
}

let service: Service;
/** Names of the files that earlier tests looked at. */
const seen = new Set<string>();

beforeAll(async () => {
  service = await startService({
    config: serviceConfig({
      localDomains: ["example.com"],
      server: {
        tls: { certificate: path.join(TLS, "certificate.pem"), key: path.join(TLS, "key.pem") },
        auth: { users: [{ name: "alice", passwordHash: await hashPassword("s3cret") }] },
      },
    }),
  });
});

afterAll(() => service[Symbol.asyncDispose]());

/** The files that one delivery adds to Drop. */
async function droppedBy(deliver: () => Promise<unknown>, count = 1): Promise<Buffer[]> {
  await deliver();
  const files = (await service.dropped(seen.size + count)).filter(({ name }) => !seen.has(name));
  for (const { name } of files) seen.add(name);
  expect(files).toHaveLength(count);
  return files.map(({ content }) => content);
}

const textsOf = async (deliver: () => Promise<unknown>, count = 1): Promise<string[]> =>
  (await droppedBy(deliver, count)).map(String);

describe("swaks", () => {
  const swaks = (...args: readonly string[]): Promise<string> =>
    run("swaks", [
      "--server",
      "127.0.0.1",
      "--port",
      String(service.port),
      "--ehlo",
      "swaks.example",
      "--from",
      "a@example.net",
      "--to",
      "b@example.com",
      ...args,
    ]);

  test.runIf(TOOLS.swaks)(withTool("swaks", "in the clear, pipelined"), async () => {
    const [file] = await textsOf(() => swaks("--pipeline", "--header", "Subject: by swaks"));
    expect(file).toMatch(/^Subject: by swaks\r$/m);
  });

  test.runIf(TOOLS["swaks with Net::SSLeay"])(
    withTool("swaks with Net::SSLeay", "over STARTTLS, authenticated by PLAIN and LOGIN"),
    async () => {
      for (const mechanism of ["PLAIN", "LOGIN"]) {
        const [file] = await textsOf(() =>
          swaks("--tls", "--auth", mechanism, "--auth-user", "alice", "--auth-password", "s3cret"),
        );
        expect(file).toMatch(/with ESMTPSA/);
      }
    },
  );

  test.runIf(TOOLS["swaks with Net::SSLeay"])(
    withTool("swaks with Net::SSLeay", "a wrong password is refused"),
    async () => {
      await expect(
        swaks("--tls", "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "wrong"),
      ).rejects.toThrow(/535/);
    },
  );
});

const PYTHON = `
import smtplib, ssl, sys
from email.message import EmailMessage
from email.policy import SMTPUTF8
how, port = sys.argv[1], int(sys.argv[2])
message = EmailMessage(policy=SMTPUTF8 if how == "utf8" else EmailMessage().policy)
message["Subject"] = "by Python " + how
message["From"], message["To"] = "a@example.net", "b@example.com"
message.set_content("gr\\u00fc\\u00dfe" if how != "plain" else "hello\\n.\\n..two", cte="8bit" if how != "plain" else "7bit")
with smtplib.SMTP("127.0.0.1", port, local_hostname="python.example") as client:
    if how == "tls":
        context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
        client.starttls(context=context)
        client.login("alice", "s3cret")
    if how == "dsn":
        client.ehlo()
        client.sendmail("a@example.net", ["b@example.com"], message.as_bytes(policy=message.policy.clone(linesep="\\r\\n")), ["BODY=8BITMIME", "RET=HDRS", "ENVID=Q1"], ["NOTIFY=NEVER", "ORCPT=rfc822;b@example.com"])
    elif how == "utf8":
        client.ehlo()
        client.sendmail("gr\\u00fc\\u00dfe@example.net", ["b@example.com"], message.as_bytes(), ["SMTPUTF8", "BODY=8BITMIME"])
    else:
        client.send_message(message)
    print(client.noop(), client.vrfy("b@example.com"))
`;

describe("Python smtplib", () => {
  test.runIf(TOOLS.python3).each(["plain", "tls", "dsn", "utf8"])(withTool("python3", "%s"), async (how) => {
    const [file] = await textsOf(() => run("python3", ["-", how, String(service.port)], PYTHON));
    expect(file).toMatch(new RegExp(`^Subject: by Python ${how}\\r$`, "m"));
    if (how === "plain") expect(file).toMatch(/^hello\r\n\.\r\n\.\.two\r$/m);
    else expect(file).toContain("grüße");
    if (how === "utf8") expect(file).toMatch(/with UTF8SMTP/);
  });
});

describe("nodemailer", () => {
  test.each([
    ["in the clear", { ignoreTLS: true }],
    ["over STARTTLS, authenticated", { requireTLS: true, auth: { user: "alice", pass: "s3cret" } }],
  ])("%s, several messages on one connection", async (title, options) => {
    const transport = createTransport({
      host: "127.0.0.1",
      port: service.port,
      pool: true,
      maxConnections: 1,
      tls: { rejectUnauthorized: false },
      ...options,
    });
    const files = await textsOf(async () => {
      for (const number of [1, 2, 3])
        await transport.sendMail({
          from: "a@example.net",
          to: "b@example.com, c@example.com",
          subject: `${title} ${number}`,
          text: ".\n..\nlast",
          attachments: [{ filename: "a.bin", content: Buffer.alloc(100_000, number) }],
          dsn: { id: "N1", return: "headers", notify: ["never"], recipient: "a@example.net" },
        });
    }, 3);
    transport.close();
    expect(
      files.map((file) => /^Subject: (.*)\r$/m.exec(file)?.[1] ?? "").toSorted((a, b) => a.localeCompare(b)),
    ).toEqual([1, 2, 3].map((number) => `${title} ${number}`));
  });
});

describe("curl", () => {
  test.runIf(TOOLS.curl).each([
    ["in the clear", [], "ESMTP"],
    ["over STARTTLS, authenticated", ["--ssl-reqd", "--insecure", "--user", "alice:s3cret"], "ESMTPSA"],
  ])(withTool("curl", "%s"), async (title, args, protocol) => {
    const upload = path.join(service.folder, "curl.eml");
    await writeFile(upload, `Subject: curl ${title}\r\n\r\n.dot\r\n`);
    const [file] = await textsOf(() =>
      run("curl", [
        "--silent",
        "--show-error",
        `smtp://127.0.0.1:${service.port}/curl.example`,
        "--mail-from",
        "a@example.net",
        "--mail-rcpt",
        "b@example.com",
        "--upload-file",
        upload,
        ...args,
      ]),
    );
    expect(file).toContain(`with ${protocol} id`);
    expect(file).toMatch(/\r\n\r\n\.dot\r\n$/);
  });

  test.runIf(TOOLS.curl)(withTool("curl", "VRFY, EXPN and HELP as commands"), async () => {
    const url = `smtp://127.0.0.1:${service.port}/curl.example`;
    expect(await run("curl", ["--silent", url, "--mail-rcpt", "b@example.com"])).toMatch(/^252 /m);
    expect(await run("curl", ["--silent", url, "--request", "HELP"])).toMatch(/^214 /m);
  });
});

test.runIf(TOOLS["smtp-source"])(
  withTool("smtp-source", "Postfix's smtp-source: a hundred messages over ten sessions"),
  async () => {
    const files = await textsOf(
      () =>
        run("smtp-source", [
          "-s",
          "10",
          "-m",
          "100",
          "-l",
          "5000",
          "-f",
          "a@example.net",
          "-t",
          "b@example.com",
          `127.0.0.1:${service.port}`,
        ]),
      100,
    );
    expect(files.every((file) => file.length > 5000)).toBe(true);
  },
);

test("BDAT and BINARYMIME, which none of these tools speaks, arrive byte for byte", async () => {
  const binary = Buffer.concat([
    Buffer.from("Subject: chunks\r\n\r\n"),
    readFileSync(process.execPath).subarray(0, 5000),
  ]);
  const [file] = await droppedBy(async () => {
    await using talk = conversation(service.port);
    await talk
      .expects(220)
      .sends("EHLO chunks.example")
      .expects(250, /CHUNKING/);
    await talk
      .sends("MAIL FROM:<a@example.net> BODY=BINARYMIME")
      .expects(250)
      .sends("RCPT TO:<b@example.com>")
      .expects(250);
    await talk
      .sendsBytes(Buffer.concat([Buffer.from("BDAT 1000\r\n"), binary.subarray(0, 1000)]))
      .expects(250);
    await talk
      .sendsBytes(
        Buffer.concat([Buffer.from(`BDAT ${binary.length - 1000} LAST\r\n`), binary.subarray(1000)]),
      )
      .expects(250);
    await talk.sends("QUIT").expects(221);
  });
  expect(file?.subarray(-binary.length).equals(binary)).toBe(true);
});
