// The admin listener: GET /metrics and GET /healthz for the programs that watch the service, and nothing else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { describeError, OnArrivalError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { HealthReport } from "./health.ts";
import { isAnswered } from "./host-check.ts";

const MAX_HEADER_BYTES = 8 * 1024;
const MAX_CONNECTIONS = 32;
/** For the header of a request, for all of it, and between two. */
const REQUEST_MS = 5000;
const CHECK_MS = 1000;

export interface AdminHttpParts {
  readonly host: string;
  readonly port: number;
  /** Further names under which it is asked. */
  readonly hosts: readonly string[];
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly health: () => HealthReport;
  readonly log: Logger;
}

export interface AdminHttp {
  /** "host:port" as bound. */
  readonly address: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Page = () => Answer | Promise<Answer>;

const text = (status: number, body: string): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
});

/** RFC 9110 §15.5.20. */
const WRONG_HOST = text(
  421,
  "this listener does not answer to that host name; names of your own go into admin.hosts of onarrival.yaml",
);

export async function startAdminHttp(parts: AdminHttpParts): Promise<AdminHttp> {
  const pages = pagesOf(parts);
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
    (request, response) => void respond(request, response, pages, parts),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(2 * REQUEST_MS);
  server.on("clientError", (_error, socket) => socket.destroy());
  await listen(server, parts);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : parts.port;
  return {
    address: `${parts.host.includes(":") ? `[${parts.host}]` : parts.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const pagesOf = ({ metrics, health }: AdminHttpParts): ReadonlyMap<string, Page> =>
  new Map<string, Page>([
    ["/metrics", async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() })],
    [
      "/healthz",
      () => {
        const report = health();
        const body = `${JSON.stringify(report)}\n`;
        return { status: report.healthy ? 200 : 503, type: "application/json", body };
      },
    ],
  ]);

function listen(server: Server, { host, port }: AdminHttpParts): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new OnArrivalError("LISTEN_FAILED", `admin.listen ${host}:${port}: ${describeError(cause)}`, {
          cause,
        }),
      ),
    );
    server.listen({ host, port }, resolve);
  });
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  pages: ReadonlyMap<string, Page>,
  parts: AdminHttpParts,
): Promise<void> {
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("X-Content-Type-Options", "nosniff");
  // A body has no meaning here: it is not read, and the connection ends behind the answer.
  if (
    (request.headers["content-length"] ?? "0") !== "0" ||
    request.headers["transfer-encoding"] !== undefined
  )
    response.setHeader("Connection", "close");
  let answer: Answer;
  try {
    const { host } = request.headers;
    answer = isAnswered(host, parts, request.socket.localAddress)
      ? await answerTo(request, response, pages)
      : WRONG_HOST;
  } catch (thrown) {
    parts.log.error(
      { path: request.url, error: describeError(thrown), cause: thrown },
      "admin request failed",
    );
    answer = text(500, "internal error, see the log");
  }
  response.writeHead(answer.status, {
    "Content-Type": answer.type,
    "Content-Length": Buffer.byteLength(answer.body),
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

function answerTo(
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
  pages: ReadonlyMap<string, Page>,
): Answer | Promise<Answer> {
  const query = url.indexOf("?");
  const page = pages.get(query < 0 ? url : url.slice(0, query));
  if (page === undefined) return text(404, "here are /metrics and /healthz");
  if (method === "GET" || method === "HEAD") return page();
  response.setHeader("Allow", "GET, HEAD");
  return text(405, "only GET");
}
