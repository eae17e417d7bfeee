// The durable key-value store of each script: entries in memory while the script is at work, a log of its own on disk.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { type KeyValueEntry, KeyValueLog, RECORD_BYTES } from "./key-value-log.ts";
import { contentHash } from "../versions/script-file.ts";

export interface KeyValueSettings {
  readonly maxKeys: number;
  readonly maxValueBytes: number;
  /** Keys and values of one script. */
  readonly maxTotalBytes: number;
}

export interface KeyValueParts {
  readonly folder: string;
  readonly settings: KeyValueSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Operations of one script take effect in the order of their calls. All reject when the disk fails. */
export interface KeyValueStores {
  get(script: string, key: string): Promise<Buffer | undefined>;
  /** Resolves when it is on the disk, with what is in the way if it is not done. */
  set(script: string, key: string, value: Buffer, ttlMs?: number): Promise<string | undefined>;
  /** Whether there was one. */
  delete(script: string, key: string): Promise<boolean>;
  close(): Promise<void>;
}

export const MAX_KEY_BYTES = 1024;
/** A store that nobody used for so long leaves the memory. */
const IDLE_MS = 60_000;

export function createKeyValueStores(parts: KeyValueParts): KeyValueStores {
  return new FolderStores(parts);
}

interface OpenStore {
  readonly ready: Promise<ScriptStore>;
  users: number;
  usedAt: number;
}

class FolderStores implements KeyValueStores {
  #parts: KeyValueParts;
  #open = new Map<string, OpenStore>();
  #cancelSweep: (() => void) | undefined;

  constructor(parts: KeyValueParts) {
    this.#parts = parts;
  }

  get(script: string, key: string): Promise<Buffer | undefined> {
    return this.#use(script, (store) => Promise.resolve(store.get(key)));
  }

  set(script: string, key: string, value: Buffer, ttlMs?: number): Promise<string | undefined> {
    return this.#use(script, (store) => store.set(key, value, ttlMs));
  }

  delete(script: string, key: string): Promise<boolean> {
    return this.#use(script, (store) => store.delete(key));
  }

  async close(): Promise<void> {
    this.#cancelSweep?.();
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(all.map(async ({ ready }) => (await ready).close()));
  }

  async #use<T>(script: string, work: (store: ScriptStore) => Promise<T>): Promise<T> {
    const { clock } = this.#parts;
    const store = this.#open.get(script) ?? { ready: this.#openStore(script), users: 0, usedAt: 0 };
    this.#open.set(script, store);
    store.usedAt = clock.now();
    store.users += 1;
    this.#cancelSweep ??= clock.after(IDLE_MS, () => this.#sweep());
    try {
      return await work(await store.ready);
    } catch (error) {
      // What is in memory may be ahead of the disk: the next use reads it anew.
      if (this.#open.get(script) === store) this.#open.delete(script);
      store.ready.then((opened) => opened.close()).catch(() => undefined);
      throw error;
    } finally {
      store.users -= 1;
    }
  }

  async #openStore(script: string): Promise<ScriptStore> {
    const { folder, settings, clock, log } = this.#parts;
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, fileNameOf(script));
    return ScriptStore.open(file, settings, clock, (droppedBytes) =>
      log.error(
        { script, file, droppedBytes },
        "the key-value store of a script was damaged: what followed the damage is gone, a copy of the file is beside it",
      ),
    );
  }

  #sweep(): void {
    const { clock } = this.#parts;
    for (const [script, store] of this.#open) {
      if (store.users > 0 || clock.now() - store.usedAt < IDLE_MS) continue;
      this.#open.delete(script);
      store.ready.then((opened) => opened.close()).catch(() => undefined);
    }
    this.#cancelSweep = this.#open.size === 0 ? undefined : clock.after(IDLE_MS, () => this.#sweep());
  }
}

/** A script's name may hold anything; a file's name may not, and must not grow too long. */
const fileNameOf = (script: string): string =>
  `${script.replaceAll(/[^\w.-]/g, "_").slice(0, 80)}-${contentHash(script)}.kv`;

class ScriptStore {
  #settings: KeyValueSettings;
  #clock: Clock;
  #entries = new Map<string, KeyValueEntry & { readonly value: Buffer }>();
  #bytes = 0;
  #log: KeyValueLog | undefined;

  private constructor(settings: KeyValueSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  static async open(
    file: string,
    settings: KeyValueSettings,
    clock: Clock,
    damaged: (droppedBytes: number) => void,
  ): Promise<ScriptStore> {
    const store = new ScriptStore(settings, clock);
    store.#log = await KeyValueLog.open({
      file,
      live: () => store.#entries.values(),
      liveBytes: () => store.#bytes + store.#entries.size * RECORD_BYTES,
      recovered: (entry) => store.#apply(entry),
      damaged,
    });
    store.#forgetExpired();
    return store;
  }

  get(key: string): Buffer | undefined {
    return this.#live(key)?.value;
  }

  async set(key: string, value: Buffer, ttlMs: number | undefined): Promise<string | undefined> {
    const problem = this.#problemOf(key, value, ttlMs);
    if (problem !== undefined) return problem;
    const expiresAt = ttlMs === undefined ? Infinity : this.#clock.now() + ttlMs;
    await this.#commit({ key, value: inOwnMemory(value), expiresAt });
    return undefined;
  }

  async delete(key: string): Promise<boolean> {
    const wasThere = this.#live(key) !== undefined;
    if (wasThere) await this.#commit({ key, value: undefined, expiresAt: Infinity });
    return wasThere;
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #problemOf(key: string, value: Buffer, ttlMs: number | undefined): string | undefined {
    const { maxKeys, maxValueBytes, maxTotalBytes } = this.#settings;
    const keyBytes = Buffer.byteLength(key);
    if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES) return `a key has 1 to ${MAX_KEY_BYTES} bytes`;
    if (value.length > maxValueBytes)
      return `a value of ${value.length} bytes: sandbox.kvMaxValueBytes is ${maxValueBytes}`;
    if (ttlMs !== undefined && !(Number.isFinite(ttlMs) && ttlMs > 0))
      return "a TTL is a number of ms above 0";
    if (this.#fits(key, keyBytes + value.length)) return undefined;
    this.#forgetExpired();
    return this.#fits(key, keyBytes + value.length)
      ? undefined
      : `the store of the script is full: sandbox.kvMaxKeys is ${maxKeys}, sandbox.kvMaxTotalBytes ${maxTotalBytes}`;
  }

  #fits(key: string, bytes: number): boolean {
    const { maxKeys, maxTotalBytes } = this.#settings;
    const old = this.#entries.get(key);
    const keys = this.#entries.size + (old === undefined ? 1 : 0);
    return keys <= maxKeys && this.#bytes + bytes - (old === undefined ? 0 : sizeOf(old)) <= maxTotalBytes;
  }

  #live(key: string): (KeyValueEntry & { readonly value: Buffer }) | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry : undefined;
  }

  #commit(entry: KeyValueEntry): Promise<void> {
    this.#apply(entry);
    return this.#log?.append(entry) ?? Promise.reject(new Error("the store is not open"));
  }

  #apply(entry: KeyValueEntry): void {
    const { key, value } = entry;
    const old = this.#entries.get(key);
    if (old !== undefined) this.#bytes -= sizeOf(old);
    this.#entries.delete(key);
    if (value === undefined) return;
    this.#entries.set(key, { ...entry, value });
    this.#bytes += Buffer.byteLength(key) + value.length;
  }

  /** Nobody needs to be told on disk: at the next start they are as expired as now. */
  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const entry of this.#entries.values())
      if (entry.expiresAt <= now) this.#apply({ ...entry, value: undefined });
  }
}

/** It came out of 64 KB that were read together, which it would keep as long as it is kept itself. */
function inOwnMemory(value: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(value.length);
  value.copy(own);
  return own;
}

const sizeOf = ({ key, value }: KeyValueEntry): number => Buffer.byteLength(key) + (value?.length ?? 0);
