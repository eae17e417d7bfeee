// The relay's end of the content channel when a sandbox process asks for files: what is granted, and what ends the process.
import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  BLOCKING_REQUEST,
  CONTENT_REQUEST_BYTES,
  FILE_DENIED,
  FILE_REQUEST,
  MAX_FILE_NAME_BYTES,
} from "../../../../runtime/contract.ts";
import { ContentChannel } from "../../../../src/sandbox/pool/content-channel.ts";

const MAX_BLOCKING_BYTES = 1024 * 1024;

let worker: Socket;
let relay: Socket;
let violations: string[];
let received: Buffer;

beforeEach(async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  worker = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const [accepted] = await Promise.all([
    new Promise<Socket>((resolve) => server.once("connection", resolve)),
    once(worker, "connect"),
  ]);
  relay = accepted;
  server.close();
  violations = [];
  received = Buffer.alloc(0);
  worker.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  void new ContentChannel(relay, {
    contentOf: () => undefined,
    fileOf: (job, name) =>
      job === 1 ? Promise.resolve(name === "ä.txt" ? Buffer.from("file") : FILE_DENIED) : undefined,
    blockingBytes: (job) => (job === 1 ? MAX_BLOCKING_BYTES : undefined),
    perform: (_job, asked) =>
      asked.includes("bad")
        ? undefined
        : Promise.resolve({ answer: { kind: "done" }, bytes: Buffer.from(String(asked.length)) }),
    violated: (reason) => void violations.push(reason),
    unreadable: () => undefined,
  });
});
afterEach(() => {
  worker.destroy();
  relay.destroy();
});

function request(job: number, name: string, length = Buffer.byteLength(name)): Buffer {
  const head = Buffer.alloc(CONTENT_REQUEST_BYTES);
  head.writeUInt32LE(job, 0);
  head.writeUInt32LE(FILE_REQUEST, 4);
  head.writeDoubleLE(length, 8);
  return Buffer.concat([head, Buffer.from(name)]);
}

function blockingRequest(job: number, text: string, length = text.length): Buffer {
  const head = Buffer.alloc(CONTENT_REQUEST_BYTES);
  head.writeUInt32LE(job, 0);
  head.writeUInt32LE(BLOCKING_REQUEST, 4);
  head.writeDoubleLE(length, 8);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 5000) throw new Error("nothing happened");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a request that comes in pieces is answered once, and the next one after it", async () => {
  const bytes = request(1, "ä.txt");
  for (const piece of [bytes.subarray(0, 3), bytes.subarray(3, 17), bytes.subarray(17)]) {
    worker.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(() => received.length === 8);
  expect(received.readUInt32LE(0)).toBe(4);
  expect(received.subarray(4).toString()).toBe("file");
  worker.write(request(1, "other"));
  await until(() => received.length === 12);
  expect(received.readUInt32LE(8)).toBe(FILE_DENIED);
  expect(violations).toEqual([]);
});

test("a blocking request is performed when all of it is there, and its answer comes with its bytes", async () => {
  const size = 300_000;
  worker.write(blockingRequest(1, "x".repeat(size)));
  const answer = JSON.stringify({ kind: "done" });
  await until(() => received.length >= 8 + answer.length + 6);
  expect(received.readUInt32LE(0)).toBe(answer.length);
  expect(received.toString("utf8", 4, 4 + answer.length)).toBe(answer);
  expect(received.readUInt32LE(4 + answer.length)).toBe(6);
  expect(received.subarray(8 + answer.length).toString()).toBe(String(size));
  expect(violations).toEqual([]);
});

test.each([
  ["a blocking request of a job that is not in hand", blockingRequest(2, "x")],
  ["a blocking request that is too long", blockingRequest(1, "", MAX_BLOCKING_BYTES + 1)],
  ["a blocking request without length", blockingRequest(1, "", Number.NaN)],
  ["a blocking request that is none", blockingRequest(1, "bad")],
  ["a job that is not in hand", request(2, "ä.txt")],
  ["a name without length", request(1, "", 0)],
  ["a name that is too long", request(1, "", MAX_FILE_NAME_BYTES + 1)],
  ["a length that is no number", request(1, "", Number.NaN)],
  ["a length below zero", request(1, "", -1)],
  ["two requests at once", Buffer.concat([request(1, "ä.txt"), request(1, "ä.txt")])],
])("%s is a violation", async (_what, bytes) => {
  worker.write(bytes);
  await until(() => violations.length > 0);
  expect(violations).toHaveLength(1);
});
