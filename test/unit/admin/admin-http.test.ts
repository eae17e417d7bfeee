import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type AdminHttpParts, startAdminHttp } from "../../../src/admin/admin-http.ts";
import { isAnswered } from "../../../src/admin/host-check.ts";
import { silentLogger } from "../../../src/core/logger.ts";

const PARTS: AdminHttpParts = {
  host: "127.0.0.1",
  port: 0,
  hosts: ["watch.example", "192.0.2.7"],
  metrics: { contentType: "text/plain", text: () => Promise.resolve("secret 1\n") },
  health: () => ({ healthy: true, reasons: [], servers: {} }),
  log: silentLogger,
};

/** What a listener at `host` answers to a request whose lines behind the first are these. */
async function ask(host: string, first: string, lines: readonly string[]): Promise<string> {
  return askWith(host, [first, ...lines, "Connection: close"]);
}

async function askWith(host: string, lines: readonly string[]): Promise<string> {
  const listener = await startAdminHttp({ ...PARTS, host });
  try {
    const socket = connect(Number(/\d+$/.exec(listener.address)?.[0]), "127.0.0.1");
    socket.write([...lines, "", ""].join("\r\n"));
    return await text(socket);
  } finally {
    await listener.close();
  }
}

test.each([
  "127.0.0.1",
  "127.0.0.1:9025",
  "LocalHost:9025",
  "localhost.",
  "[::1]:9025",
  "watch.example",
  "Watch.Example:443",
  "192.0.2.7:9025",
])("who asks for %s is answered", async (host) => {
  for (const path of ["/metrics", "/healthz"])
    // oxlint-disable-next-line no-await-in-loop
    expect(await ask("0.0.0.0", `GET ${path} HTTP/1.1`, [`Host: ${host}`])).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  "rebound.example",
  "rebound.example:9025",
  "127.0.0.1.rebound.example",
  "localhost.rebound.example",
  "0.0.0.0.example",
  "192.0.2.8",
  "[::ffff:192.0.2.8]",
  "x@127.0.0.1",
  "",
])("a page whose name %j leads to this machine reads nothing", async (host) => {
  for (const path of ["/metrics", "/healthz", "/"]) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await ask("0.0.0.0", `GET ${path} HTTP/1.1`, [`Host: ${host}`]);
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(answer).toContain("admin.hosts");
    expect(answer).not.toMatch(/secret|healthy/);
  }
});

test.each(["Content-Length: 5", "Transfer-Encoding: chunked"])(
  "the connection of a request with a body ends behind its answer: %s",
  async (field) => {
    const answer = await askWith("127.0.0.1", ["GET /healthz HTTP/1.1", "Host: localhost", field]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
  },
);

test("a probe that names no host is answered, as no browser asks", async () => {
  expect(await ask("0.0.0.0", "GET /healthz HTTP/1.0", [])).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1:9025", "::ffff:192.0.2.1", true],
  ["[2001:DB8::1]:9025", "2001:db8::1", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["192.0.2.1", undefined, false],
])(
  "of a listener on all addresses: %s on a connection that arrived at %s: %s",
  (header, arrived, answered) => {
    expect(isAnswered(header, { host: "0.0.0.0", hosts: [] }, arrived)).toBe(answered);
  },
);
