// A message as the store has it, read from its records.
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Content } from "../../message/content.ts";
import type { ContentFiles } from "./content-files.ts";
import { laidOutSize, restoreContent } from "./content-layout.ts";
import type { Entry, Place } from "./message-index.ts";
import { parseMessageJson, parseStateJson } from "./record-json.ts";
import type { RecordReader } from "./record-reader.ts";
import type { RecoveredMessage } from "../store-driver.ts";

/** Envelope and last state. Undefined: it has ended. */
export async function readMessage(
  reader: RecordReader,
  { id, message, state, unlandedState }: Entry,
): Promise<RecoveredMessage | undefined> {
  if (message === undefined) return undefined;
  const { json, content } = await reader.read(message);
  const { origin, envelope, layout, state: copied } = parseMessageJson(json);
  const size = laidOutSize(content, layout);
  if (unlandedState !== undefined) return { id, origin, envelope, size, state: unlandedState };
  const saved = state === undefined ? copied : parseStateJson((await reader.read(state)).json).state;
  return { id, origin, envelope, size, state: saved };
}

/** The same of many that lie one behind the other, with no promise for records that were read along with others. */
export async function readInOrder(
  reader: RecordReader,
  entries: Iterable<Entry>,
  unreadable: (entry: Entry, error: unknown) => void,
): Promise<RecoveredMessage[]> {
  const messages: RecoveredMessage[] = [];
  for (const entry of entries) {
    const { id, message, state, unlandedState } = entry;
    if (message === undefined) continue;
    try {
      const { json, content } = reader.readKnown(message) ?? (await reader.readAhead(message));
      // Parsed now: reading ahead may take the place of these bytes.
      const { origin, envelope, layout, state: copied } = parseMessageJson(json);
      const size = laidOutSize(content, layout);
      let saved = unlandedState ?? copied;
      if (unlandedState === undefined && state !== undefined)
        saved = parseStateJson((reader.readKnown(state) ?? (await reader.readAhead(state))).json).state;
      messages.push({ id, origin, envelope, size, state: saved });
    } catch (error) {
      unreadable(entry, error);
    }
  }
  return messages;
}

/** Undefined: it has ended. */
export async function readContent(
  reader: RecordReader,
  { message, content: place }: Entry,
  files: ContentFiles,
): Promise<Content | undefined> {
  if (place === undefined) return undefined;
  const { json, content } = await reader.read(place);
  const { layout } = place === message ? parseMessageJson(json) : parseStateJson(json);
  return restoreContent(content, layout, (file, offset, length) => files.range(file, offset, length));
}

/** Reads again when compaction moved the records while they were read. */
export async function readBack<Found>(
  find: () => Entry,
  read: (entry: Entry) => Promise<Found | undefined>,
): Promise<Found> {
  for (;;) {
    const entry = find();
    const places = placesOf(entry);
    try {
      const found = await read(entry);
      if (found !== undefined) return found;
      throw new OnArrivalError("INTERNAL", `message ${entry.id} has ended`);
    } catch (error) {
      if (placesOf(find()) === places) throw storeFailed(error);
    }
  }
}

const placesOf = ({ message, state, content }: Entry): string =>
  [message, state, content].map((place) => nameOf(place)).join();

const nameOf = (place: Place | undefined): string =>
  place === undefined ? "" : `${place.segment.sequence}:${place.offset}`;

const storeFailed = (error: unknown): OnArrivalError =>
  error instanceof OnArrivalError
    ? error
    : new OnArrivalError("STORE_FAILED", describeError(error), { cause: error });

export function throwStoreFailed(error: unknown): never {
  throw storeFailed(error);
}
