// Kills a writing process again and again, and checks after each kill that everything acknowledged is there.
import { spawn } from "node:child_process";
import path from "node:path";
import { expect } from "vitest";
import { createStore, messageBytes } from "./store-samples.ts";

interface Acknowledged {
  readonly seed: number;
  readonly size: number;
}

const sizeOf = (kind: string, seed: number): number => (kind === "large" ? 60_000 : 200 + (seed % 7) * 1000);

async function writeUntilKilled(folder: string, firstSeed: number, killAfterMs: number): Promise<string[]> {
  const program = path.join(import.meta.dirname, "crash-writer.ts");
  const child = spawn(process.execPath, [program, folder, String(firstSeed)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.stdout.on("data", (chunk: Buffer) => {
    // From the first acknowledgement on: a kill while Node starts would test nothing.
    if (output === "") setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    output += chunk.toString();
  });
  await ended;
  const lines = output.split("\n");
  lines.pop();
  return lines;
}

/** With more the check takes longer than the writing: the store is emptied. */
const MAX_LIVING = 500;

/** Answers how many messages were acknowledged in all. */
export async function crashLoop(folder: string, kills: number, maxRunMs: number): Promise<number> {
  const living = new Map<string, Acknowledged>();
  const removed = new Set<string>();
  let acknowledged = 0;
  for (let round = 0; round < kills; round += 1) {
    const lines = await writeUntilKilled(folder, round * 100_000, Math.random() * maxRunMs);
    for (const line of lines) {
      const [kind = "", id = "", seed = ""] = line.split(" ");
      if (kind === "removed") {
        living.delete(id);
        removed.add(id);
      } else {
        acknowledged += 1;
        living.set(id, { seed: Number(seed), size: sizeOf(kind, Number(seed)) });
      }
    }
    await checkStore(folder, living, removed);
  }
  return acknowledged;
}

async function checkStore(
  folder: string,
  living: Map<string, Acknowledged>,
  removed: ReadonlySet<string>,
): Promise<void> {
  const store = createStore(folder);
  const { messages, corrupt } = await store.open();
  expect(corrupt).toEqual([]);
  const isLarge = living.size > MAX_LIVING;
  const found = new Set(messages.map(({ id }) => id));
  expect([...living.keys()].filter((id) => !found.has(id))).toEqual([]);
  for (const { id, state } of messages) {
    const content = await (await store.loadContent(id)).toBuffer();
    const seed = Number(/^Subject: message (\d+)\r\n/.exec(content.toString("latin1", 0, 60))?.[1]);
    const wanted = messageBytes(seed, living.get(id)?.size ?? content.length);
    expect(content.equals(wanted), `the bytes of ${id}`).toBe(true);
    expect([undefined, `state ${seed}`]).toContain(state);
    // Written but killed before it was acknowledged, or before its end was on disk: complete, and gone from here.
    if (!living.has(id) || removed.has(id) || isLarge) store.remove(id);
  }
  if (isLarge) living.clear();
  await store.close();
}
