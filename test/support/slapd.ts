// A private OpenLDAP for tests: its own configuration, database and ports on loopback, with TLS, gone when the test is.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { tempFolder } from "./temp-folder.ts";

const SLAPD = "/usr/sbin/slapd";
const SLAPADD = "/usr/sbin/slapadd";
const SCHEMAS = "/etc/ldap/schema";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Why there is no OpenLDAP to test with; undefined when there is one. Where .ci/run has installed it, it has to be there. */
export function slapdMissing(): string | undefined {
  const absent = [SLAPD, SLAPADD, SCHEMAS].find((file) => !existsSync(file));
  if (absent === undefined) return undefined;
  const why = `there is no ${absent} (apt-get install slapd, or run .ci/run as root)`;
  if (process.env["ONARRIVAL_TEST_SLAPD"] === "required") throw new Error(why);
  return why;
}

export const BASE = "dc=example,dc=com";
export const ADMIN = { dn: `cn=admin,${BASE}`, password: "only for tests" };
/** The name that the certificate of the tests carries. */
export const CERTIFICATE_NAME = "mx.example.com";

export interface Slapd extends AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  readonly url: string;
  readonly tlsUrl: string;
  /** Ends it as a power cut does; `start` begins again on the same ports and data. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface SlapdOptions {
  /** Entries below the base, in LDIF. */
  readonly ldif?: string;
  /** Lines for the database in slapd.conf, as "access to * by users read". */
  readonly settings?: readonly string[];
}

const base = [
  `dn: ${BASE}`,
  "objectClass: dcObject",
  "objectClass: organization",
  "dc: example",
  "o: Example",
].join("\n");

function configuration(folder: string, settings: readonly string[]): string {
  return [
    ...["core", "cosine", "inetorgperson", "nis", "misc"].map((name) => `include ${SCHEMAS}/${name}.schema`),
    `include ${fixture("ldap/active-directory.schema")}`,
    "modulepath /usr/lib/ldap",
    "moduleload back_mdb",
    `TLSCertificateFile ${fixture("tls/certificate.pem")}`,
    `TLSCertificateKeyFile ${fixture("tls/key.pem")}`,
    "database mdb",
    "maxsize 67108864",
    `suffix ${BASE}`,
    `rootdn ${ADMIN.dn}`,
    `rootpw "${ADMIN.password}"`,
    `directory ${join(folder, "data")}`,
    "dbnosync",
    "index objectClass,mail,proxyAddresses,mailLocalAddress eq",
    ...settings,
  ].join("\n");
}

export async function startSlapd(options: SlapdOptions = {}): Promise<Slapd> {
  const folder = await tempFolder("slapd");
  const file = join(folder.path, "slapd.conf");
  await mkdir(join(folder.path, "data"));
  await writeFile(file, `${configuration(folder.path, options.settings ?? [])}\n`);
  await writeFile(join(folder.path, "entries.ldif"), `${base}\n\n${options.ldif ?? ""}`);
  await run(SLAPADD, ["-q", "-f", file, "-l", join(folder.path, "entries.ldif")]);
  const [port, tlsPort] = await freePorts();
  const url = `ldap://127.0.0.1:${port}`;
  const tlsUrl = `ldaps://127.0.0.1:${tlsPort}`;
  let server: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    // -d 0 keeps it in the foreground: its process is ours.
    server = spawn(SLAPD, ["-d", "0", "-f", file, "-h", `${url} ${tlsUrl}`], { stdio: "ignore" });
    await eventually(() => listens(port), { intervalMs: 5, what: "the start of slapd" });
  };
  const stop = async (): Promise<void> => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  };
  try {
    await start();
  } catch (error) {
    await stop();
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  return {
    port,
    tlsPort,
    url,
    tlsUrl,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function run(program: string, parameters: readonly string[]): Promise<void> {
  const child = spawn(program, parameters, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`${program} ${parameters.join(" ")}: ${complaint}`);
}

/** slapd takes no port 0: two that were free a moment ago. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on TCP
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0] ?? 0, ports[1] ?? 0];
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } finally {
    socket.destroy();
  }
}
