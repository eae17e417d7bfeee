// The frame that starts a job: what the sandbox process gets of the message at once.
import type { JobFrame } from "../../../runtime/contract.ts";
import type { JobTask } from "./tasks.ts";

export interface ContentSending {
  /** Whether the whole content goes with a job of this version, and up to which size. */
  readonly readsBody: (version: string) => boolean;
  readonly wholeContentBytes: number;
}

export function jobFrame(
  { content, messageId, envelope, measureHeap }: JobTask,
  job: number,
  calls: readonly number[],
): JobFrame {
  return {
    type: "job",
    job,
    messageId,
    envelope,
    contentSize: content.size,
    headerBytes: content.header.length,
    calls,
    ...(measureHeap === true ? { measureHeap: true } : {}),
  };
}

/** The header block is what most scripts look at; the rest is fetched by those that want it. */
export function bytesToSend(
  { content, calls }: JobTask,
  { readsBody, wholeContentBytes }: ContentSending,
): readonly Buffer[] {
  const isSmall = content.size <= wholeContentBytes && content.inMemory;
  if (!isSmall || !calls.some((call) => readsBody(call.version))) return [content.header];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- content.inMemory says so
  return content.pieces as readonly Buffer[];
}
