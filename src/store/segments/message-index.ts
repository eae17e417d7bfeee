// What the store knows of each living message: in which segments its records lie. Built by recovery, kept by the store.

import type { Content } from "../../message/content.ts";

/** One segment file and how much of it still counts. */
export class Segment {
  readonly sequence: number;
  readonly path: string;
  readonly salt: Buffer;
  /** Of the file that this run writes to: a copy of it that somebody puts in its place has another. */
  readonly inode: number | undefined;
  /** Bytes that are written and synchronised. */
  size: number;
  /** Records that a living message still needs. */
  liveRecords = 0;
  liveBytes = 0;
  /** No more is written to it. */
  sealed = false;

  constructor(sequence: number, path: string, salt: Buffer, size: number, inode?: number) {
    this.sequence = sequence;
    this.path = path;
    this.salt = salt;
    this.size = size;
    this.inode = inode;
  }
}

/** Where a record lies. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
}

export class Entry {
  readonly id: string;
  /** The message record: origin, envelope, and at first the content. */
  message: Place | undefined;
  /** The last state record. */
  state: Place | undefined;
  /** The record with the content as it is now: `message`, or a state record. */
  content: Place | undefined;
  /** The content file that the content refers to. */
  file: string | undefined;
  /** The content in memory: always while a record is on its way, after that as long as the budget lasts. */
  fresh: Content | undefined;
  /** How many times the content was replaced. */
  revision = 0;
  /** Counts the records made for this message: a reader sees that it was overtaken. */
  version = 0;
  /** Records on their way to disk. */
  unlanded = 0;
  /** The last state, while it is among them. */
  unlandedState: string | undefined;
  removed = false;
  /** Nobody works with the message: it needs no object once all is on disk. */
  resting = false;

  constructor(id: string) {
    this.id = id;
  }
}

export const touches = ({ message, state, content }: Entry, segment: Segment): boolean =>
  message?.segment === segment || state?.segment === segment || content?.segment === segment;

function hold(place: Place): void {
  place.segment.liveRecords += 1;
  place.segment.liveBytes += place.bytes;
}

function drop(place: Place): void {
  place.segment.liveRecords -= 1;
  place.segment.liveBytes -= place.bytes;
}

/** A message record stands for everything: it carries the content, and the state when it is a copy. */
export function placeMessage(entry: Entry, place: Place): void {
  dropPlaces(entry);
  hold(place);
  entry.message = place;
  entry.content = place;
}

export function placeState(entry: Entry, place: Place, withContent: boolean): void {
  const { message, state, content } = entry;
  hold(place);
  if (state !== undefined && (withContent || state !== content)) drop(state);
  if (withContent && content !== undefined && content !== message && content !== state) drop(content);
  if (withContent) entry.content = place;
  entry.state = place;
}

/** The same of a state without content, where the state before had none either. */
export function replaceState(before: Place | undefined, place: Place): void {
  hold(place);
  if (before !== undefined) drop(before);
}

export function dropPlaces(entry: Entry): void {
  const { message, state, content } = entry;
  if (message !== undefined) drop(message);
  if (state !== undefined) drop(state);
  if (content !== undefined && content !== message && content !== state) drop(content);
  entry.message = undefined;
  entry.state = undefined;
  entry.content = undefined;
}

/** Back to the message as it was committed: the content that its state belongs to is lost. */
export function forgetStates(entry: Entry): void {
  const { message, state, content } = entry;
  if (state !== undefined) drop(state);
  if (content !== undefined && content !== message && content !== state) drop(content);
  entry.state = undefined;
  entry.content = message;
}
