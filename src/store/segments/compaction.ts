// Keeps the disk use bounded: removes segments that nobody needs, oldest first, and copies the few living messages of
// an old segment forward.
import { unlink } from "node:fs/promises";
import { syncFolder } from "../../message/sync-folder.ts";
import type { Entry, Segment } from "./message-index.ts";
import type { LivingMessages } from "./living-messages.ts";
import { type MessageJson, parseMessageJson, parseStateJson } from "./record-json.ts";
import type { RecordReader } from "./record-reader.ts";
import { ignoreMissing } from "../../core/system-error.ts";

export interface CompactionOwner {
  /** Oldest first. */
  readonly segments: Segment[];
  readonly living: LivingMessages;
  readonly reader: RecordReader;
  /** Writes a message record that replaces all others of this message. Resolves when it is durable. */
  copyMessage(entry: Entry, json: MessageJson, content: Buffer): Promise<void>;
}

/** So many copies are on their way at a time: arriving mail shares its barriers with them. */
const COPIES_AT_ONCE = 32;

/**
 * Oldest first and never out of order: the end of a message lies in a later segment than its beginning, and the end
 * must outlive the beginning, or the message would come back at the next start.
 */
export async function tidySegments(
  owner: CompactionOwner,
  folder: string,
  segmentBytes: number,
): Promise<void> {
  await removeFinished(owner, folder);
  for (let rounds = owner.segments.length; rounds > 0 && isWasteful(owner, segmentBytes); rounds -= 1) {
    const oldest = owner.segments[0];
    if (oldest === undefined || !oldest.sealed) return;
    await copyForward(owner, oldest);
    // Something in it is still on its way: the next round finds it landed.
    if (oldest.liveRecords > 0) return;
    await removeFinished(owner, folder);
  }
}

async function removeFinished(owner: CompactionOwner, folder: string): Promise<void> {
  const { segments, living, reader } = owner;
  let removed = 0;
  for (let first = segments[0]; first?.sealed === true && first.liveRecords === 0; first = segments[0]) {
    segments.shift();
    living.segmentRemoved(first);
    reader.forget(first);
    await unlink(first.path).catch(ignoreMissing);
    removed += 1;
  }
  if (removed > 0) await syncFolder(folder);
}

/** More than two segments and twice what lives: so each copied byte frees at least two. */
function isWasteful({ segments }: CompactionOwner, segmentBytes: number): boolean {
  let total = 0;
  let live = 0;
  for (const segment of segments) {
    if (segment.sealed) total += segment.size;
    live += segment.liveBytes;
  }
  return total > 2 * segmentBytes + 2 * live;
}

/** What can be read of it is copied; throws the first failure when it has gone through all. */
export async function copyForward(owner: CompactionOwner, segment: Segment): Promise<void> {
  const failures: unknown[] = [];
  let copies: Promise<void>[] = [];
  for (const entry of owner.living.touching(segment)) {
    copies.push(copyEntry(owner, entry).catch((error: unknown) => void failures.push(error)));
    if (copies.length < COPIES_AT_ONCE) continue;
    await Promise.all(copies);
    copies = [];
  }
  await Promise.all(copies);
  if (failures.length > 0) throw failures[0];
}

async function copyEntry(owner: CompactionOwner, entry: Entry): Promise<void> {
  try {
    await copyRecords(owner, entry);
  } finally {
    owner.living.settle(entry);
  }
}

async function copyRecords(owner: CompactionOwner, entry: Entry): Promise<void> {
  const { reader } = owner;
  const { message, state, content, version } = entry;
  if (message === undefined || content === undefined || entry.unlanded > 0) return;
  const first = await reader.read(message);
  const last = state === undefined ? undefined : await reader.read(state);
  const body = content === message ? first : content === state ? last : await reader.read(content);
  // Overtaken by a state or an end while reading: what was read is not the message as it is now.
  if (body === undefined || entry.version !== version || entry.removed) return;
  const { origin, envelope, state: copied } = parseMessageJson(first.json);
  const { layout } = content === message ? parseMessageJson(body.json) : parseStateJson(body.json);
  const json = {
    origin,
    envelope,
    state: last === undefined ? copied : parseStateJson(last.json).state,
    layout,
  };
  await owner.copyMessage(entry, json, body.content);
}
