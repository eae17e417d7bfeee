// Names in Drop for some of a message's recipients: no file is replaced that others of them have got.
import { open } from "node:fs/promises";
import path from "node:path";
import { isMissing } from "../core/system-error.ts";

const RECEIVER = Buffer.from("x-receiver:");

export class PartNames {
  readonly #folder: string;
  /** Two attempts at one message may be under way: one waits for its store sinks, the other was routed here meanwhile. */
  readonly #inUse = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `head`: the envelope lines of these recipients. */
  async use(id: string, head: Buffer, write: (name: string) => Promise<void>): Promise<void> {
    const name = await this.#choose(id, head);
    try {
      await write(name);
    } finally {
      this.#inUse.delete(name);
    }
  }

  /** ID, then ID-2 and so on: the first that nobody has, or that a crash made these recipients forget. */
  async #choose(id: string, head: Buffer): Promise<string> {
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? id : `${id}-${number}`;
      if (this.#inUse.has(name)) continue;
      this.#inUse.add(name);
      // oxlint-disable-next-line no-await-in-loop -- there are as many as deliveries of the message at most
      if (!(await isOfOthers(path.join(this.#folder, `${name}.eml`), head))) return name;
      this.#inUse.delete(name);
    }
  }
}

/** A file that cannot be read is left alone: writing beside it loses nothing. */
async function isOfOthers(file: string, head: Buffer): Promise<boolean> {
  let handle;
  try {
    handle = await open(file);
  } catch (error) {
    return !isMissing(error);
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(head.length + RECEIVER.length), {
      position: 0,
    });
    const begin = buffer.subarray(0, bytesRead);
    return !begin.subarray(0, head.length).equals(head) || begin.subarray(head.length).equals(RECEIVER);
  } finally {
    await handle.close();
  }
}
