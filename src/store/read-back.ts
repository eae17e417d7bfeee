// A message as the store has it, read from its records.
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Content } from "../message/content.ts";
import { restoreContent } from "./content-layout.ts";
import type { Entry, Place } from "./message-index.ts";
import { type StoredRecord, parseMessageJson, parseStateJson } from "./record-json.ts";
import type { RecordReader } from "./record-reader.ts";
import type { RecoveredMessage } from "./store-driver.ts";

/** Envelope and last state. Undefined: it has ended. `isInOrder`: the next one is asked for soon. */
export async function readMessage(
  reader: RecordReader,
  entry: Entry,
  isInOrder: boolean,
): Promise<RecoveredMessage | undefined> {
  const { id, message, state, unlandedState } = entry;
  if (message === undefined) return undefined;
  const read = (place: Place): Promise<StoredRecord> =>
    isInOrder ? reader.readAhead(place) : reader.read(place);
  const { origin, envelope, state: copied } = parseMessageJson((await read(message)).json);
  if (unlandedState !== undefined) return { id, origin, envelope, state: unlandedState };
  const saved = state === undefined ? copied : parseStateJson((await read(state)).json).state;
  return { id, origin, envelope, state: saved };
}

/** `folder` has the contents that are files of their own. Undefined: it has ended. */
export async function readContent(
  reader: RecordReader,
  { message, content: place }: Entry,
  folder: string,
): Promise<Content | undefined> {
  if (place === undefined) return undefined;
  const { json, content } = await reader.read(place);
  const { layout } = place === message ? parseMessageJson(json) : parseStateJson(json);
  return restoreContent(content, layout, folder);
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

export const storeFailed = (error: unknown): OnArrivalError =>
  error instanceof OnArrivalError
    ? error
    : new OnArrivalError("STORE_FAILED", describeError(error), { cause: error });
