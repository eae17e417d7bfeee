// The command line's side of the control socket: one connection, one request, one answer.
import { connect } from "node:net";
import { describeError, ERROR_CODES, OnArrivalError, type ErrorCode } from "../core/errors.ts";
import type { Params } from "./control-methods.ts";
import { systemCodeOf } from "../core/system-error.ts";
import { findSocketPath } from "./control-path.ts";

const DEFAULT_TIMEOUT_MS = 30_000;

/** Calls one method of the service that holds this mailroot. Throws CONTROL_UNREACHABLE, CONTROL_FORBIDDEN, or the error that it answers. */
export async function callControl(
  mailroot: string,
  method: string,
  params: Params = {},
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<unknown> {
  const socketPath = await findSocketPath(mailroot).catch((thrown: unknown) => {
    throw isForbidden(thrown) ? forbidden(mailroot, thrown) : thrown;
  });
  const line = await exchange(socketPath, `${JSON.stringify({ id: 1, method, params })}\n`, timeoutMs);
  return readAnswer(line);
}

function exchange(socketPath: string, request: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath, () => socket.write(request));
    const end = (error: OnArrivalError): void => {
      socket.destroy();
      reject(error);
    };
    const fail = (why: string): void =>
      end(new OnArrivalError("CONTROL_UNREACHABLE", `no service answers on ${socketPath} (${why})`));
    socket.setTimeout(timeoutMs, () => fail(`nothing within ${timeoutMs} ms`));
    socket.on("error", (error) =>
      isForbidden(error) ? end(forbidden(socketPath, error)) : fail(describeError(error)),
    );
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (chunk.at(-1) !== 0x0a) return;
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("utf8"));
    });
    socket.on("end", () => fail("the connection was closed"));
  });
}

/** Whether a service runs is not known then. */
const isForbidden = (error: unknown): boolean => ["EACCES", "EPERM"].includes(systemCodeOf(error) ?? "");

const forbidden = (place: string, cause: unknown): OnArrivalError =>
  new OnArrivalError(
    "CONTROL_FORBIDDEN",
    `the service of ${place} cannot be asked: ${describeError(cause)}`,
    { cause },
  );

function readAnswer(line: string): unknown {
  const answer: unknown = JSON.parse(line);
  if (typeof answer !== "object" || answer === null)
    throw new OnArrivalError("INTERNAL", "the service answered no object");
  if ("error" in answer) throw readError(answer.error);
  return "result" in answer ? answer.result : null;
}

function readError(error: unknown): OnArrivalError {
  const fields = new Map<string, unknown>(
    typeof error === "object" && error !== null ? Object.entries(error) : [],
  );
  const [code, message] = [fields.get("code"), fields.get("message")];
  return new OnArrivalError(
    isErrorCode(code) ? code : "INTERNAL",
    typeof message === "string" ? message : "no reason given",
  );
}

const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
