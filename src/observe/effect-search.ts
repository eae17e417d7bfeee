// Finds the records of a message in the files of the effect log. Needs no running service, and passes over what a crash tore.
import { createReadStream } from "node:fs";
import path from "node:path";
import {
  type BindingLine,
  type CategorizationLine,
  type ChainLine,
  type MessageLine,
  type ShadowLine,
  parseEffectLine,
} from "./effect-lines.ts";
import { effectFiles } from "./effect-log.ts";
import { ignoreMissing } from "../core/system-error.ts";

export interface RecordedRun {
  readonly line: MessageLine;
  /** Absent: the line of the chain is damaged. */
  readonly chain: ChainLine | undefined;
}

export interface RecordedCategorization {
  readonly line: CategorizationLine;
  /** So many of the runs ended before it. */
  readonly runsBefore: number;
}

export interface MessageEffects {
  readonly id: string;
  /** In the order in which they ended. */
  readonly runs: readonly RecordedRun[];
  readonly categorizations: readonly RecordedCategorization[];
  readonly shadows: readonly ShadowLine[];
}

export interface FoundEffects {
  /** By id, oldest first. */
  readonly messages: readonly MessageEffects[];
  /** When the oldest file that is still there was begun, ms since the epoch; undefined: there is none. */
  readonly since: number | undefined;
}

/** A queue id, its beginning, or a Message-ID with or without angle brackets. */
export async function findEffects(folder: string, wanted: string): Promise<FoundEffects> {
  const files = await effectFiles(folder);
  const first = files[0];
  const since = first === undefined ? undefined : Number(/\d+/.exec(first)?.[0]);
  const found = new Map<string, Found>();
  const isMessageId = /[<@>]/.test(wanted);
  const needles = isMessageId ? await idsOf(folder, files, wanted) : [wanted.toUpperCase()];
  for (const needle of needles) {
    const start = isMessageId ? `{"id":"${needle}"` : `{"id":"${needle}`;
    // oxlint-disable-next-line no-await-in-loop -- one file after the other, to hold one block in memory
    for (const file of files) await collect(path.join(folder, file), start, found);
  }
  const messages = [...found].map(([id, effects]) => ({ id, ...effects }));
  return { messages: messages.toSorted((a, b) => (a.id < b.id ? -1 : 1)), since };
}

/** The queue ids of a Message-ID: a message may come in more than once. */
async function idsOf(folder: string, files: readonly string[], wanted: string): Promise<string[]> {
  const messageId = wanted.startsWith("<") ? wanted : `<${wanted}>`;
  const ids = new Set<string>();
  for (const file of files) {
    const needle = `"messageId":${JSON.stringify(messageId)}`;
    // oxlint-disable-next-line no-await-in-loop
    for await (const text of linesWith(path.join(folder, file), needle)) {
      const parsed = parseEffectLine(text);
      if (parsed === undefined || !("messageId" in parsed.line)) continue;
      if (parsed.line.messageId === messageId) ids.add(parsed.line.id);
    }
  }
  return [...ids];
}

interface Found {
  readonly runs: RecordedRun[];
  readonly categorizations: RecordedCategorization[];
  readonly shadows: ShadowLine[];
}

async function collect(file: string, start: string, found: Map<string, Found>): Promise<void> {
  const chains = new Map<string, ChainLine | undefined>();
  for await (const text of linesWith(file, start)) {
    const parsed = text.startsWith(start) ? parseEffectLine(text) : undefined;
    if (parsed === undefined || parsed.kind === "chain") continue;
    const { id } = parsed.line;
    const effects: Found = found.get(id) ?? { runs: [], categorizations: [], shadows: [] };
    found.set(id, effects);
    if (parsed.kind === "shadow") {
      effects.shadows.push(parsed.line);
      continue;
    }
    if (parsed.kind === "categorization") {
      effects.categorizations.push({ line: parsed.line, runsBefore: effects.runs.length });
      continue;
    }
    const { chain } = parsed.line;
    if (!chains.has(chain)) chains.set(chain, await findChain(file, chain));
    effects.runs.push({ line: parsed.line, chain: chains.get(chain) });
  }
}

async function findChain(file: string, chain: string): Promise<ChainLine | undefined> {
  for await (const text of linesWith(file, `{"chain":"${chain}"`)) {
    const parsed = parseEffectLine(text);
    if (parsed?.kind === "chain" && parsed.line.chain === chain) return parsed.line;
  }
  return undefined;
}

/** Every shadow line of the folder, oldest first. */
export async function* shadowLines(folder: string): AsyncGenerator<ShadowLine> {
  for (const file of await effectFiles(folder)) {
    for await (const text of linesWith(path.join(folder, file), '"shadow":{')) {
      const parsed = parseEffectLine(text);
      if (parsed?.kind === "shadow") yield parsed.line;
    }
  }
}

/** The shadow bindings that were left out on a message because too many were running, once for each message. */
export async function* leftOutShadows(folder: string): AsyncGenerator<BindingLine> {
  for (const name of await effectFiles(folder)) {
    const file = path.join(folder, name);
    const chains = new Map<string, ChainLine | undefined>();
    for await (const text of linesWith(file, ',"busy"]')) {
      const parsed = parseEffectLine(text);
      if (parsed?.kind !== "message") continue;
      const { chain, passedOver = [] } = parsed.line;
      if (!chains.has(chain)) chains.set(chain, await findChain(file, chain));
      for (const [position, reason] of passedOver) {
        const binding = chains.get(chain)?.bindings[position];
        if (reason === "busy" && binding !== undefined) yield binding;
      }
    }
  }
}

const NEWLINE = 0x0a;
const BLOCK_BYTES = 1024 * 1024;

/** The complete lines that contain the text. Blocks without it are not cut into lines. */
async function* linesWith(file: string, needle: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: BLOCK_BYTES })) {
      if (!Buffer.isBuffer(chunk)) continue;
      const block = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = block.lastIndexOf(NEWLINE) + 1;
      yield* linesOf(block.subarray(0, end), needle);
      rest = block.subarray(end);
    }
  } catch (thrown) {
    // A service that runs may remove its oldest file while we read.
    ignoreMissing(thrown);
  }
}

function* linesOf(block: Buffer, needle: string): Generator<string> {
  for (let at = block.indexOf(needle); at >= 0;) {
    const start = block.lastIndexOf(NEWLINE, at) + 1;
    const end = block.indexOf(NEWLINE, at);
    yield block.toString("utf8", start, end);
    at = block.indexOf(needle, end);
  }
}
