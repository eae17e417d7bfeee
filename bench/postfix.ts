// A private Postfix instance to compare with: its own configuration, queue and data folder below the temporary folder,
// one loopback port. The system's own mail configuration is neither read nor written.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSink, waitForGreeting, type Subject } from "./subject.ts";

const PROGRAMS = ["/usr/sbin/postfix", "/usr/local/sbin/postfix"];

/** Why Postfix cannot take part here, or undefined when it can. */
export function postfixMissing(): string | undefined {
  if (PROGRAMS.every((path) => !existsSync(path))) return "Postfix is not installed on this machine";
  if (process.getuid?.() !== 0) return "a private Postfix instance needs root";
  if (spawnSync("id", ["-u", "postfix"]).status !== 0) return "the user `postfix` does not exist";
  return undefined;
}

/** name, type, chroot (never), wake-up, process limit, command: the services that receiving and relaying need. */
const services = (port: number): string =>
  [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 300 1 qmgr",
    "rewrite unix - - n - - trivial-rewrite",
    "bounce unix - - n - 0 bounce",
    "defer unix - - n - 0 bounce",
    "trace unix - - n - 0 bounce",
    "verify unix - - n - 1 verify",
    "proxymap unix - - n - - proxymap",
    "smtp unix - - n - - smtp",
    "relay unix - - n - - smtp",
    "error unix - - n - - error",
    "retry unix - - n - - error",
    "discard unix - - n - - discard",
    "anvil unix - - n - 1 anvil",
    "scache unix - - n - 1 scache",
    "tlsmgr unix - - n 1000? 1 tlsmgr",
    "postlog unix-dgram n - n - 1 postlogd",
    "",
  ].join("\n");

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

export interface PostfixChoices {
  /** A header is added to every message and its subject searched. */
  readonly headerChecks?: boolean;
  /** false: the durable queue only, then discarded. A port: to that server on loopback, instead of a counting sink. */
  readonly relay?: boolean | number;
  /** Further lines of main.cf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startPostfix(choices: PostfixChoices = {}): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "postfix-bench-"));
  chmodSync(folder, 0o755);
  for (const name of ["etc", "spool", "data", "log"]) mkdirSync(join(folder, name));
  const { relay = true } = choices;
  const sink = relay === true ? await startSink() : undefined;
  const next = typeof relay === "number" ? relay : sink?.port;
  const port = await freePort();
  writeFileSync(join(folder, "etc/master.cf"), services(port));
  writeFileSync(
    join(folder, "etc/header_checks"),
    "/^Subject:.*lottery/ REJECT keyword\n/^Subject:/ PREPEND X-Filtered: checked\n",
  );
  const settings: Record<string, string> = {
    compatibility_level: "3.6",
    queue_directory: join(folder, "spool"),
    data_directory: join(folder, "data"),
    mail_owner: "postfix",
    setgid_group: "postdrop",
    myhostname: "gateway.example.net",
    mydestination: "",
    mynetworks: "127.0.0.0/8",
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    alias_maps: "",
    alias_database: "",
    local_recipient_maps: "",
    smtp_dns_support_level: "disabled",
    smtpd_relay_restrictions: "permit_mynetworks, reject",
    maillog_file: join(folder, "log/mail.log"),
    maillog_file_prefixes: folder,
    ...(next === undefined ? { default_transport: "discard:bench" } : { relayhost: `[127.0.0.1]:${next}` }),
    ...(choices.headerChecks === true
      ? { header_checks: `regexp:${join(folder, "etc/header_checks")}` }
      : {}),
    ...choices.settings,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(join(folder, "etc/main.cf"), lines.join(""));
  execFileSync("chown", ["postfix", join(folder, "data")]);
  const program = PROGRAMS.find((path) => existsSync(path)) ?? "postfix";
  const run = (verb: string): void =>
    void spawnSync(program, ["-c", join(folder, "etc"), verb], { stdio: "ignore" });
  const stop = async (): Promise<void> => {
    run("abort");
    await sink?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    run("start");
    await waitForGreeting(port, () => true);
    const master = Number(readFileSync(join(folder, "spool/pid/master.pid"), "latin1").trim());
    return { port, pids: [master], sink, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
