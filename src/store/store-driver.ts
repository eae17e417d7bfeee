// The contract between the transport and its backing storage (the original's ISMTPStoreDriver, REFERENCE 4.1).
// Order: open() once, then anything in any order, then close(). A message lives from commit() to remove().
// After commit() has answered, the message survives any crash; saveState() and remove() are written at once and
// become durable with the next commit or within `syncIntervalMs`: a crash in between repeats work, never loses it.
import type { Envelope, Origin } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";

/** A message found by open(), unfinished when the service stopped. */
export interface RecoveredMessage {
  readonly id: string;
  readonly origin: Origin;
  /** The envelope as it was committed. */
  readonly envelope: Envelope;
  /** Bytes of the content as it was committed. */
  readonly size: number;
  /** The last saved state: JSON of the transport. Absent when it never got one. */
  readonly state?: string | undefined;
}

/** A damaged entry that was set aside; the rest of the store goes on. */
export interface CorruptEntry {
  /** Where the bytes were put. */
  readonly path: string;
  readonly reason: string;
}

export interface Recovery {
  /** The oldest ones. */
  readonly messages: readonly RecoveredMessage[];
  /** Ids of the others, in order: reload() has the rest of them. */
  readonly later: readonly string[];
  readonly corrupt: readonly CorruptEntry[];
}

/** A message too large for memory, on its way to disk. */
export interface SpoolFile {
  /** Resolves when more may be written. */
  write(chunk: Buffer): Promise<void>;
  /** The content, its first bytes (at least the header block) being `start`, which is not part of what was written. */
  finish(start: Buffer): Promise<Content>;
  discard(): Promise<void>;
}

export interface StoreDriver {
  /** Takes the lock of this mailroot, or throws MAILROOT_LOCKED; reads what is unfinished. */
  open(): Promise<Recovery>;
  /** An id that no other message of this mailroot has or had: printable ASCII, sortable by time, safe in file names. */
  nextId(): string;
  createSpoolFile(): Promise<SpoolFile>;
  /** Durable when it resolves. Throws STORE_FAILED: then the message is not accepted. */
  commit(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void>;
  /**
   * Replaces the state; with `content`, also the content (the edits of sinks, for a later attempt). `isAwaited`, without content:
   * durable when it resolves.
   */
  saveState(id: string, state: string, content?: Content, isAwaited?: boolean): Promise<void>;
  /** The content as of the last commit or saveState with content. */
  loadContent(id: string): Promise<Content>;
  /** The message as open() would answer it after a crash at this moment. */
  reload(id: string): Promise<RecoveredMessage>;
  /** The same of many that were stored one after the other, and rest on. What cannot be read in this way is left out. */
  reloadInOrder(ids: readonly string[]): Promise<readonly RecoveredMessage[]>;
  /** Nothing happens to the message for some time: the store may forget all but where it lies. */
  rest(id: string): void;
  /** Forgets the message. */
  remove(id: string): void;
  /** Writes and synchronises what is pending and gives the lock back. */
  close(): Promise<void>;
}
