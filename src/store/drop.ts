// Drop: local delivery, one .eml per message that begins with its envelope as x-sender and x-receiver lines. Recipients who become
// local, or are let through, after others of the message have got their file get a further one.
import fs from "node:fs";
import path from "node:path";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Content } from "../message/content.ts";
import { syncFolder } from "../message/sync-folder.ts";
import { isInMemory } from "./segments/content-layout.ts";
import { PartNames } from "./drop-part-names.ts";
import { writeAll, writeWhole } from "./durable-file.ts";

export interface Drop {
  /**
   * The file is whole (and, with `sync`, durable) when it resolves. The same id again replaces its own file only.
   * `isPart`: the message has other recipients, who may have a file of this id; that one stays.
   */
  deliver(
    id: string,
    sender: string,
    recipients: readonly string[],
    content: Content,
    isPart?: boolean,
  ): Promise<void>;
}

export interface DropOptions {
  readonly folder: string;
  /** Wait for the disk before a recipient counts as delivered. */
  readonly sync: boolean;
}

export function createDrop({ folder, sync }: DropOptions): Drop {
  fs.mkdirSync(folder, { recursive: true });
  const folderBarrier = new FolderBarrier(folder);
  const partNames = new PartNames(folder);
  const write = async (name: string, head: Buffer, content: Content): Promise<void> => {
    const target = path.join(folder, `${name}.eml`);
    const { pieces } = content;
    try {
      if (isInMemory(pieces)) {
        await writeSmall(target, path.join(folder, `.${name}.tmp`), [head, ...pieces], sync);
        if (sync) await folderBarrier.pass();
      } else {
        await writeWhole(target, withHead(head, content), sync);
      }
    } catch (error) {
      throw new OnArrivalError("STORE_FAILED", `${target}: ${describeError(error)}`, { cause: error });
    }
  };
  return {
    deliver(id, sender, recipients, content, isPart = false) {
      const head = envelopeLines(sender, recipients);
      if (!isPart) return write(id, head, content);
      return partNames.use(id, head, (name) => write(name, head, content));
    },
  };
}

function envelopeLines(sender: string, recipients: readonly string[]): Buffer {
  let text = `x-sender: ${address(sender)}\r\n`;
  for (const recipient of recipients) text += `x-receiver: ${address(recipient)}\r\n`;
  return Buffer.from(text);
}

/** A line end in an address would begin a header of its own. */
const address = (text: string): string => text.replaceAll(/\p{Cc}+/gu, "");

async function* withHead(head: Buffer, content: Content): AsyncGenerator<Buffer> {
  yield head;
  yield* content.chunks();
}

/** Four steps by callbacks: on a service whose mail goes to Drop this is the hot path, and promises double its cost. */
function writeSmall(
  target: string,
  temporary: string,
  buffers: readonly Buffer[],
  sync: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error: Error | null): void => {
      if (error === null) return resolve();
      return fs.unlink(temporary, () => reject(error));
    };
    fs.open(temporary, "w", 0o640, (openError, handle) => {
      if (openError !== null) return reject(openError);
      const closed = (error: Error | null): void => {
        fs.close(handle, (closeError) => {
          if (error !== null || closeError) return finish(error ?? closeError ?? null);
          return fs.rename(temporary, target, finish);
        });
      };
      return writeAll(handle, buffers, 0, (writeError) => {
        if (writeError !== null || !sync) return closed(writeError);
        return fs.fdatasync(handle, closed);
      });
    });
  });
}

/** One fsync of the folder for all that renamed into it before the fsync began. */
class FolderBarrier {
  readonly #folder: string;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  pass(): Promise<void> {
    if (this.#current === undefined) return this.#begin();
    // The one under way may have begun before our rename: wait for the one after it.
    this.#next ??= this.#current.then(this.#begin, this.#begin);
    return this.#next;
  }

  readonly #begin = (): Promise<void> => {
    this.#next = undefined;
    const barrier = syncFolder(this.#folder).finally(() => {
      if (this.#current === barrier) this.#current = undefined;
    });
    this.#current = barrier;
    return barrier;
  };
}
