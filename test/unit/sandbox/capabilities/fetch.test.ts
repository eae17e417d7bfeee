import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import {
  createFetcher,
  type FetchAnswer,
  type Fetcher,
  type FetchGrant,
  type FetchRequest,
  type FetchSettings,
} from "../../../../src/sandbox/capabilities/fetch.ts";
import type { ResolveHost } from "../../../../src/sandbox/capabilities/http.ts";
import { DEFAULT_BROKER_SETTINGS } from "../../../support/default-settings.ts";
import { eventually } from "../../../support/eventually.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

async function serve(listener: Listener, host = "127.0.0.1"): Promise<string> {
  const server = createServer((request, response) => void listener(request, response)).listen(0, host);
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

/** A server of raw bytes, for answers that node:http would not write. */
async function serveSocket(talk: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => talk(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fetcherOf(settings: Partial<FetchSettings> = {}, resolveHost?: ResolveHost): Fetcher {
  return createFetcher({
    settings: { ...DEFAULT_BROKER_SETTINGS.fetch, timeoutMs: 3000, ...settings },
    clock: systemClock,
    userAgent: "OnArrival/test",
    ...(resolveHost === undefined ? undefined : { resolveHost }),
  });
}

const get = (url: string, more: Partial<FetchRequest> = {}): FetchRequest => ({
  url,
  method: "GET",
  headers: [],
  body: Buffer.alloc(0),
  ...more,
});
const grant = (...allow: string[]): FetchGrant => ({
  allow,
  script: "lookup.ts",
  maxBytes: 16 * 1024 * 1024,
});
const answer = (fetcher: Fetcher, url: string, ...allow: string[]): Promise<FetchAnswer> =>
  fetcher.fetch(get(url), grant(...allow));
const refusalOf = (found: FetchAnswer): string =>
  found.kind === "refused" ? found.message : `no refusal: ${found.status}`;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

const resolvingTo =
  (...addresses: string[]): ResolveHost =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));

describe("a request", () => {
  test("brings status, header fields and bytes, and says who asks", async () => {
    const origin = await serve((request, response) => {
      response.writeHead(201, "Made", {
        "x-seen": JSON.stringify(request.headers),
        "set-cookie": ["a=1", "b=2"],
      });
      response.end(Buffer.from([0, 255, 13, 10]));
    });
    const found = await answer(fetcherOf(), `${origin}/x?y=1#part`, `${origin}/`);
    if (found.kind === "refused") throw new Error(found.message);
    expect(found).toMatchObject({ status: 201, statusText: "Made", url: `${origin}/x?y=1` });
    expect([...found.body]).toEqual([0, 255, 13, 10]);
    expect(found.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value)).toEqual([
      "a=1",
      "b=2",
    ]);
    expect(JSON.parse(found.headers.find(([name]) => name === "x-seen")?.[1] ?? "")).toMatchObject({
      "user-agent": "OnArrival/test",
      "x-onarrival": "lookup.ts",
      "accept-encoding": "identity",
    });
  });

  test("sends method, header fields and body", async () => {
    const origin = await serve(async (request, response) => {
      response.end(
        `${request.method} ${String(request.headers["x-key"])} ${request.headers["content-length"]} ${await bodyOf(request)}`,
      );
    });
    const request = get(`${origin}/`, {
      method: "post",
      headers: [["X-Key", "k"]],
      body: Buffer.from("påse"),
    });
    const found = await fetcherOf().fetch(request, grant(`${origin}/`));
    expect(found.kind === "response" && String(found.body)).toBe("POST k 5 påse");
  });

  test("M13 header fields that are named like members of objects are sent as they are", async () => {
    const origin = await serve((request, response) => response.end(JSON.stringify(request.rawHeaders)));
    const headers = [
      ["constructor", "a"],
      ["__proto__", "b"],
    ] as const;
    const found = await fetcherOf().fetch(get(`${origin}/`, { headers }), grant(`${origin}/`));
    const raw: string[] = JSON.parse(found.kind === "response" ? String(found.body) : "[]");
    for (const [name, value] of headers) {
      expect(raw.filter((one) => one === name)).toEqual([name]);
      expect(raw[raw.indexOf(name) + 1]).toBe(value);
    }
  });

  test.each([
    ["a header field that frames the request", { headers: [["Transfer-Encoding", "chunked"]] }],
    ["another host", { headers: [["Host", "other.example"]] }],
    ["a line end in a value", { headers: [["X-A", "1\r\nX-B: 2"]] }],
    ["a line end in a name", { headers: [["X-A: 1\r\nX-B", "2"]] }],
    ["header fields without end", { headers: [["X-A", "a".repeat(20_000)]] }],
    ["the method CONNECT", { method: "CONNECT" }],
    ["a method with a line end", { method: "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET" }],
    ["a GET with a body", { body: Buffer.from("x") }],
  ] as const)("with %s is refused before anything is sent", async (_what, more) => {
    let requests = 0;
    const origin = await serve((_request, response) => {
      requests += 1;
      response.end();
    });
    const found = await fetcherOf().fetch(get(`${origin}/`, more), grant(`${origin}/`));
    expect(found.kind).toBe("refused");
    expect(requests).toBe(0);
  });

  test("brings long bodies whole from servers that close behind them", async () => {
    const body = Buffer.alloc(1_000_000, "0123456789");
    const origin = await serve((_request, response) => response.end(body));
    const fetcher = fetcherOf();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => answer(fetcher, `${origin}/`, `${origin}/`)),
    );
    expect(all.every((found) => found.kind === "response" && found.body.equals(body))).toBe(true);
  });

  test("to where nobody listens is refused with the reason", async () => {
    expect(refusalOf(await answer(fetcherOf(), "http://127.0.0.1:1/", "http://127.0.0.1:1/"))).toMatch(
      /ECONNREFUSED/,
    );
  });
});

describe("redirects", () => {
  async function redirecting(status: number, target: () => string): Promise<string> {
    return serve(async (request, response) => {
      if (request.url === "/start") {
        response.writeHead(status, { location: target() }).end("moved");
        return;
      }
      response.setHeader("x-seen", JSON.stringify(request.headers));
      response.end(`${request.method} ${await bodyOf(request)}`);
    });
  }

  test.each([
    [301, "POST", "GET "],
    [302, "POST", "GET "],
    [302, "PUT", "PUT body"],
    [303, "PUT", "GET "],
    [307, "POST", "POST body"],
    [308, "PUT", "PUT body"],
  ])("%i turns %s into %s", async (status, method, expected) => {
    const origin = await redirecting(status, () => "/end");
    const request = get(`${origin}/start`, { method, body: Buffer.from("body") });
    const found = await fetcherOf().fetch(request, grant(`${origin}/`));
    expect(found).toMatchObject({ kind: "response", url: `${origin}/end` });
    expect(found.kind === "response" && String(found.body)).toBe(expected);
  });

  test("to what the binding does not grant is refused", async () => {
    let reached = 0;
    const inside = await serve((_request, response) => {
      reached += 1;
      response.end("secret");
    });
    const origin = await redirecting(302, () => `${inside}/latest/meta-data`);
    expect(refusalOf(await answer(fetcherOf(), `${origin}/start`, `${origin}/`))).toMatch(
      /redirects: .*is not granted/,
    );
    expect(reached).toBe(0);
  });

  test("to another scheme is refused", async () => {
    const origin = await redirecting(302, () => "file:///etc/passwd");
    expect(refusalOf(await answer(fetcherOf(), `${origin}/start`, `${origin}/`))).toMatch(
      /file: is not served/,
    );
  });

  test("end after maxRedirects", async () => {
    const origin = await redirecting(302, () => "/start");
    expect(refusalOf(await answer(fetcherOf({ maxRedirects: 3 }), `${origin}/start`, `${origin}/`))).toMatch(
      /more than 3 redirects/,
    );
  });

  test("to another origin lose every header field that may be a credential", async () => {
    const other = await redirecting(302, () => "");
    const origin = await redirecting(307, () => `${other}/end`);
    const headers = [
      ["Authorization", "Bearer s"],
      ["Cookie", "c=1"],
      ["X-Api-Key", "k"],
      ["Accept-Language", "sv"],
    ] as const;
    const found = await fetcherOf().fetch(
      get(`${origin}/start`, { headers }),
      grant(`${origin}/`, `${other}/`),
    );
    if (found.kind === "refused") throw new Error(found.message);
    const seen = JSON.parse(found.headers.find(([name]) => name === "x-seen")?.[1] ?? "") as object;
    expect(seen).toMatchObject({ "accept-language": "sv" });
    expect(Object.keys(seen)).not.toEqual(expect.arrayContaining(["authorization"]));
    expect(JSON.stringify(seen)).not.toMatch(/Bearer|c=1|api-key/);
  });
});

describe("private addresses", () => {
  test("a granted name that leads inside is refused, and nothing is connected", async () => {
    let connections = 0;
    const origin = await serve((_request, response) => {
      connections += 1;
      response.end();
    });
    const url = origin.replace("127.0.0.1", "api.example.test");
    const message = refusalOf(await answer(fetcherOf({}, resolvingTo("127.0.0.1")), `${url}/`, `${url}/`));
    expect(message).toMatch(
      /api\.example\.test \(127\.0\.0\.1\) is not on the public Internet.*fetchPrivateNetworks/,
    );
    expect(connections).toBe(0);
  });

  test.each(["::ffff:127.0.0.1", "::1", "64:ff9b::7f00:1", "169.254.169.254", "fd00:ec2::254"])(
    "%s is inside as well",
    async (address) => {
      const found = await answer(
        fetcherOf({}, resolvingTo(address)),
        "http://a.example.test/",
        "http://a.example.test/",
      );
      expect(refusalOf(found)).toMatch(/not on the public Internet/);
    },
  );

  test("a name that leads inside is served when its network is listed", async () => {
    const origin = await serve((_request, response) => response.end("inside"));
    const url = origin.replace("127.0.0.1", "intranet.test");
    const fetcher = fetcherOf({ privateNetworks: ["127.0.0.0/8"] }, resolvingTo("127.0.0.1"));
    expect(await answer(fetcher, `${url}/`, `${url}/`)).toMatchObject({ kind: "response", status: 200 });
  });

  test("a name that is resolved anew for each connection cannot change what was checked", async () => {
    let inside = 0;
    const origin = await serve((_request, response) => {
      inside += 1;
      response.end("inside");
    });
    let lookups = 0;
    const rebinding: ResolveHost = () => {
      lookups += 1;
      return Promise.resolve([{ address: lookups === 1 ? "127.0.0.2" : "127.0.0.1", family: 4 }]);
    };
    // The first answer is an address where nobody listens; with it, not with a second one, the connection is tried.
    const url = origin.replace("127.0.0.1", "rebind.test");
    const fetcher = fetcherOf({ privateNetworks: ["127.0.0.2"] }, rebinding);
    expect((await answer(fetcher, `${url}/`, `${url}/`)).kind).toBe("refused");
    expect(refusalOf(await answer(fetcher, `${url}/`, `${url}/`))).toMatch(
      /\(127\.0\.0\.1\) is not on the public/,
    );
    expect([lookups, inside]).toEqual([2, 0]);
  });

  test("of several addresses only the public ones are tried", async () => {
    const origin = await serve((_request, response) => response.end("inside"));
    const url = origin.replace("127.0.0.1", "mixed.test");
    const fetcher = fetcherOf({ privateNetworks: ["127.0.0.2"] }, resolvingTo("127.0.0.1", "127.0.0.2"));
    expect((await answer(fetcher, `${url}/`, `${url}/`)).kind).toBe("refused");
  });

  test("an address that is granted as such is served", async () => {
    const origin = await serve((_request, response) => response.end("here"));
    expect((await answer(fetcherOf(), `${origin}/`, `${origin}/`)).kind).toBe("response");
  });

  test("an address of IPv6 is no name that somebody is asked for", async () => {
    const fetcher = fetcherOf({}, () => Promise.reject(new Error("asked")));
    expect(refusalOf(await answer(fetcher, "http://[::1]:1/", "http://[::1]:1/"))).toMatch(/: connect E/);
    expect(refusalOf(await answer(fetcher, "http://a.example/", "http://a.example/"))).toMatch(/asked/);
  });
});

describe("bounds", () => {
  test("a body that is announced too long is not read", async () => {
    const origin = await serve((_request, response) => {
      response.setHeader("content-length", 10_000_000);
      response.write("x");
    });
    expect(refusalOf(await answer(fetcherOf(), `${origin}/`, `${origin}/`))).toMatch(
      /longer than 1048576 bytes/,
    );
  });

  test("a body without end is cut off at the limit", async () => {
    let written = 0;
    const chunk = Buffer.alloc(65_536);
    const origin = await serve((_request, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length;
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
    expect(
      refusalOf(await answer(fetcherOf({ maxResponseBytes: 100_000 }), `${origin}/`, `${origin}/`)),
    ).toMatch(/longer than 100000 bytes/);
    expect(written).toBeLessThan(50_000_000);
  });

  test("what the call may still move is a limit as well", async () => {
    const origin = await serve((_request, response) => response.end("x".repeat(200)));
    const found = await fetcherOf().fetch(get(`${origin}/`), { ...grant(`${origin}/`), maxBytes: 100 });
    expect(refusalOf(found)).toMatch(/longer than 100 bytes/);
  });

  test("a body that drips ends at the time limit, however long each byte takes", async () => {
    const origin = await serve((_request, response) => {
      const timer = setInterval(() => response.write("."), 10);
      response.on("close", () => clearInterval(timer));
    });
    expect(refusalOf(await answer(fetcherOf({ timeoutMs: 200 }), `${origin}/`, `${origin}/`))).toMatch(
      /no answer within 200 ms/,
    );
  });

  test("a resolver that never answers ends at the time limit", async () => {
    const silent: ResolveHost = () => new Promise(() => undefined);
    const found = await answer(fetcherOf({ timeoutMs: 100 }, silent), "http://a.test/", "http://a.test/");
    expect(refusalOf(found)).toMatch(/no answer within 100 ms/);
  });

  test("a header block without end is cut off", async () => {
    const origin = await serveSocket((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write(`X-Filler: ${"a".repeat(4000)}\r\n`), 1);
      socket.on("close", () => clearInterval(timer));
    });
    expect(refusalOf(await answer(fetcherOf(), `${origin}/`, `${origin}/`))).toMatch(
      /header of the answer is too long/,
    );
  });

  test("informational answers without end are cut off", async () => {
    const origin = await serveSocket((socket) =>
      socket.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)),
    );
    expect(refusalOf(await answer(fetcherOf(), `${origin}/`, `${origin}/`))).toMatch(/informational/);
  });

  test.each([
    ["another protocol", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
    ["no HTTP", "220 mail.example.com ESMTP\r\n"],
    ["half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
    ["nothing", ""],
  ])("%s is refused", async (_what, bytes) => {
    const origin = await serveSocket((socket) => socket.end(bytes));
    expect((await answer(fetcherOf(), `${origin}/`, `${origin}/`)).kind).toBe("refused");
  });

  test("a compressed answer stays as it is, so that a few bytes never become a gigabyte", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const origin = await serve((_request, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(bomb);
    });
    const found = await answer(fetcherOf(), `${origin}/`, `${origin}/`);
    expect(found.kind === "response" && found.body.equals(bomb)).toBe(true);
  });

  test("requests beyond the number at once wait for their turn, each script with its own share", async () => {
    const held: (() => void)[] = [];
    const origin = await serve((_request, response) => held.push(() => void response.end("ok")));
    const fetcher = fetcherOf({ maxConcurrent: 3, maxConcurrentPerScript: 2 });
    const waits: (string | undefined)[] = [];
    const ask = (script: string, index: number): Promise<FetchAnswer> =>
      fetcher.fetch(get(`${origin}/`), {
        ...grant(`${origin}/`),
        script,
        waitsFor: (setting) => (waits[index] = setting),
      });
    const all = ["a.ts", "a.ts", "a.ts", "b.ts", "b.ts"].map(ask);
    await eventually(() => held.length === 3);
    expect(waits).toEqual([
      undefined,
      undefined,
      "sandbox.fetchMaxConcurrentPerScript",
      undefined,
      "sandbox.fetchMaxConcurrent",
    ]);
    for (let served = 0; served < 5; served += 1) {
      const next = await eventually(() => held.shift());
      expect(held.length).toBeLessThan(3);
      next();
    }
    expect((await Promise.all(all)).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 5 }, () => "response"),
    );
  });

  test("a script that no longer waits ends its request, also one that waits for its turn", async () => {
    let closed = 0;
    const origin = await serve((_request, response) => void response.on("close", () => (closed += 1)));
    const fetcher = fetcherOf({ maxConcurrent: 1 });
    const controller = new AbortController();
    const abandoned = { ...grant(`${origin}/`), signal: controller.signal };
    const first = fetcher.fetch(get(`${origin}/`), abandoned);
    const second = fetcher.fetch(get(`${origin}/`), abandoned);
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort();
    expect((await Promise.all([first, second])).map(refusalOf)).toEqual([
      expect.stringMatching(/nobody waits/),
      expect.stringMatching(/nobody waits/),
    ]);
    await eventually(() => closed === 1);
  });
});
