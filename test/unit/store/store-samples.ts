// Sample messages and folders for the tests of the store.
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Envelope, Origin } from "../../../src/core/envelope.ts";
import { Content } from "../../../src/message/content.ts";
import { SegmentStore } from "../../../src/store/segments/segment-store.ts";
import type { StoreSettings } from "../../../src/store/settings.ts";

export const origin: Origin = { via: "smtp", arrivalTime: 1_700_000_000_000, server: "default" };

export const envelope: Envelope = {
  sender: "alice@example.com",
  recipients: [{ address: "bob@example.net" }, { address: "carol@example.org", notify: ["FAILURE"] }],
};

/** A message whose every byte depends on `seed`. */
export function messageBytes(seed: number, size: number): Buffer {
  const header = `Subject: message ${seed}\r\n\r\n`;
  const bytes = Buffer.alloc(Math.max(size, header.length), `${seed} line of text\r\n`);
  bytes.write(header, "latin1");
  return bytes;
}

export const message = (seed: number, size = 4096): Content => Content.fromBuffer(messageBytes(seed, size));

/** A state as long as those of messages with many recipients. */
export const stateOf = (seed: number): string => `state ${seed}`.padEnd(2000);

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "onarrival-store-"));
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export const createStore = (folder: string, settings: Partial<StoreSettings> = {}): SegmentStore =>
  new SegmentStore({ folder, settings: { minFreeBytes: 0, ...settings } });
