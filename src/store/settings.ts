// The settings of the segment store, each with its unit and default.

export interface StoreSettings {
  /** A segment is closed and a new one begun past this size. Bytes. */
  readonly segmentBytes: number;
  /** How long a state or an end may stay in memory when nothing commits. Milliseconds. */
  readonly syncIntervalMs: number;
  /** Under load a barrier waits for further messages to share it: half of what barriers take, at most this; 0 does not wait. Milliseconds. */
  readonly groupDelayMs: number;
  /** Contents of fresh messages kept in memory, oldest dropped. Bytes; stores that share a memory are asked what their part is now. */
  readonly memoryBudget: () => number;
  /** Below this much free space on the volume nothing is accepted. Bytes. */
  readonly minFreeBytes: number;
  /** How often free space and the health of the folder are sampled. Milliseconds. */
  readonly diskSampleMs: number;
  /** More bytes than this in the memory pieces of one content go to a file of their own. Bytes. */
  readonly inlineBytes: number;
  /** Of so many unfinished messages the start reads the state at once, oldest first; of the others when their turn comes. */
  readonly recoverAtOnce: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_STORE_SETTINGS: StoreSettings = {
  segmentBytes: 64 * MIB,
  syncIntervalMs: 200,
  groupDelayMs: 5,
  memoryBudget: () => 64 * MIB,
  minFreeBytes: 64 * MIB,
  diskSampleMs: 2000,
  inlineBytes: MIB,
  recoverAtOnce: 1000,
};
