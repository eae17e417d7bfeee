// The contents that are too large for a record: one file each in Queue/content, kept as long as a message refers to it.
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { Content, type FileRange } from "../../message/content.ts";
import { syncFolder } from "../../message/sync-folder.ts";
import type { SpoolFile } from "../store-driver.ts";
import { ignoreMissing } from "../../core/system-error.ts";

export class ContentFiles {
  readonly folder: string;
  readonly #references = new Map<string, number>();
  readonly #removals = new Set<Promise<void>>();
  readonly #nextName: () => string;
  readonly #notRemoved: (file: string, error: unknown) => void;

  constructor(folder: string, nextName: () => string, notRemoved: (file: string, error: unknown) => void) {
    this.folder = folder;
    this.#nextName = nextName;
    this.#notRemoved = notRemoved;
  }

  /** Several messages may share a file (a fork for some recipients): the last one removes it. */
  retain(name: string): void {
    this.#references.set(name, (this.#references.get(name) ?? 0) + 1);
  }

  /** Call only after the record that ends the reference is on disk: a crash in between must still find the file. */
  release(name: string): void {
    const left = (this.#references.get(name) ?? 1) - 1;
    if (left > 0) {
      this.#references.set(name, left);
      return;
    }
    this.#references.delete(name);
    const removal = unlink(path.join(this.folder, name))
      .catch(ignoreMissing)
      .catch((error: unknown) => this.#notRemoved(name, error))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Resolves when every file released so far is removed, or will stay. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** A part of a content that is in this file. */
  range(name: string, offset: number, length: number): FileRange {
    const hold = (): (() => void) => {
      this.retain(name);
      return () => this.release(name);
    };
    return { path: path.join(this.folder, name), offset, length, hold };
  }

  isReferenced(name: string): boolean {
    return this.#references.has(name);
  }

  async create(): Promise<SpoolFile> {
    const name = `${this.#nextName()}.eml`;
    const file = path.join(this.folder, name);
    const handle = await this.#open(file);
    return new OpenSpoolFile(handle, file, {
      isReferenced: () => this.isReferenced(name),
      range: (length) => this.range(name, 0, length),
    });
  }

  /** Somebody may have removed the folder: without the one above it, too, nothing is taken. */
  async #open(file: string): Promise<FileHandle> {
    const handle = await open(file, "wx", 0o600).catch(ignoreMissing);
    if (handle !== undefined) return handle;
    await mkdir(this.folder);
    return open(file, "wx", 0o600);
  }

  /** The content in a file of its own, behind its header block. */
  async rewrite(content: Content): Promise<Content> {
    const spool = await this.create();
    try {
      let toSkip = content.header.length;
      for await (const chunk of content.chunks()) {
        const skipped = Math.min(toSkip, chunk.length);
        toSkip -= skipped;
        if (skipped < chunk.length) await spool.write(chunk.subarray(skipped));
      }
      return await spool.finish(content.header);
    } catch (error) {
      await spool.discard();
      throw error;
    }
  }

  /**
   * At start: files that no message refers to were on their way in when the service stopped. With `keepIn` they are
   * moved there instead: a damaged record may have been the one that referred to them.
   */
  async removeOrphans(keepIn: string | undefined): Promise<number> {
    const orphans = (await readdir(this.folder)).filter((name) => !this.#references.has(name));
    for (const name of orphans) {
      const file = path.join(this.folder, name);
      await (keepIn === undefined ? unlink(file) : rename(file, path.join(keepIn, name)));
    }
    return orphans.length;
  }
}

/** What becomes of a file that is being written. */
interface FileFuture {
  isReferenced(): boolean;
  range(length: number): FileRange;
}

class OpenSpoolFile implements SpoolFile {
  #handle: FileHandle | undefined;
  #length = 0;
  readonly #path: string;
  readonly #future: FileFuture;

  constructor(handle: FileHandle, file: string, future: FileFuture) {
    this.#handle = handle;
    this.#path = file;
    this.#future = future;
  }

  async write(chunk: Buffer): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await this.#opened().write(chunk, done, chunk.length - done, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  /** Synchronised here, through the handle that wrote: a handle opened later may miss the error of an earlier write. */
  async finish(start: Buffer): Promise<Content> {
    const handle = this.#opened();
    await handle.sync();
    this.#handle = undefined;
    await handle.close();
    await syncFolder(path.dirname(this.#path));
    return Content.fromFile(start, this.#future.range(this.#length));
  }

  async discard(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    if (!this.#future.isReferenced()) await unlink(this.#path).catch(ignoreMissing);
  }

  #opened(): FileHandle {
    if (this.#handle === undefined) throw new Error(`${this.#path} is finished`);
    return this.#handle;
  }
}
