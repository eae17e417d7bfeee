// Kills a writing process again and again, and checks after each kill that everything acknowledged is there.
import { type ChildProcess, spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { expect } from "vitest";
import type { CorruptEntry } from "../../../../src/store/store-driver.ts";
import { eventually } from "../../../support/eventually.ts";
import { createStore, messageBytes } from "../store-samples.ts";

/** What was said of the messages of a store by those who wrote it. */
export class Promises {
  /** By id, with seed and size. */
  readonly living = new Map<string, { readonly seed: number; readonly size: number }>();
  readonly removed = new Set<string>();
  acknowledged = 0;

  add(lines: readonly string[]): void {
    for (const line of lines) {
      const [kind = "", id = "", seed = ""] = line.split(" ");
      if (kind === "removed") {
        this.living.delete(id);
        this.removed.add(id);
      } else {
        this.acknowledged += 1;
        this.living.set(id, { seed: Number(seed), size: sizeOf(kind, Number(seed)) });
      }
    }
  }
}

const sizeOf = (kind: string, seed: number): number => (kind === "large" ? 60_000 : 200 + (seed % 7) * 1000);

/** The writing program in one file: a start from its modules takes three times as long. */
export async function writerProgram(folder: string): Promise<string> {
  const outfile = path.join(folder, "crash-writer.mjs");
  const entry = path.join(import.meta.dirname, "crash-writer.ts");
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm" });
  return outfile;
}

/** `program` writes until `end` has ended it, which is called that long after the first acknowledgement. */
export async function writeUntilEnded(
  program: string,
  folder: string,
  firstSeed: number,
  endAfterMs: number,
  end: (writer: ChildProcess, gone: Promise<void>) => void,
): Promise<string[]> {
  const child = spawn(process.execPath, [program, folder, String(firstSeed)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  child.stdout.on("data", (chunk: Buffer) => {
    // From the first acknowledgement on: an end while Node starts would test nothing.
    if (output === "") setTimeout(() => end(child, gone), endAfterMs);
    output += chunk.toString();
  });
  await gone;
  const lines = output.split("\n");
  lines.pop();
  return lines;
}

/** With more the check takes longer than the writing: the store is emptied. */
const MAX_LIVING = 500;
/** The one that is open, and one that a record without a message keeps. */
const MOST_SEGMENTS_OF_NOTHING = 2;

async function segmentsIn(folder: string): Promise<number> {
  return (await readdir(folder)).filter((name) => name.endsWith(".seg")).length;
}

/** Answers how many messages were acknowledged in all. */
export async function crashLoop(folder: string, kills: number, maxRunMs: number): Promise<number> {
  const program = await writerProgram(folder);
  const queue = path.join(folder, "Queue");
  const promises = new Promises();
  for (let round = 0; round < kills; round += 1) {
    promises.add(
      await writeUntilEnded(program, queue, round * 100_000, Math.random() * maxRunMs, (writer) =>
        writer.kill("SIGKILL"),
      ),
    );
    expect(await checkStore(queue, promises)).toEqual([]);
  }
  return promises.acknowledged;
}

/** Answers what the store has set aside. */
export async function checkStore(
  folder: string,
  { living, removed }: Promises,
): Promise<readonly CorruptEntry[]> {
  const store = createStore(folder, { recoverAtOnce: Number.MAX_SAFE_INTEGER });
  const { messages, corrupt } = await store.open();
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
  if (isLarge) {
    living.clear();
    await eventually(async () => (await segmentsIn(folder)) <= MOST_SEGMENTS_OF_NOTHING, {
      what: "the segments of removed messages to go",
    });
  }
  await store.close();
  return corrupt;
}
