// Versions that are known to wait, and their tasks while every process holds as many that wait as it may.
import type { Entry } from "./entry.ts";
import { type Task, versionsOf } from "./tasks.ts";

export interface WaitingRoom {
  /** Jobs that may wait in one process, and their bytes. */
  readonly waitingJobs: number;
  readonly waitingBytes: number;
}

export class WaitingVersions {
  readonly #room: WaitingRoom;
  readonly #versions = new Set<string>();
  #parked: Entry[] = [];

  constructor(room: WaitingRoom) {
    this.#room = room;
  }

  add(version: string): void {
    this.#versions.add(version);
  }

  has(version: string): boolean {
    return this.#versions.has(version);
  }

  forget(version: string): void {
    this.#versions.delete(version);
  }

  mayWait(task: Task): boolean {
    return this.#versions.size > 0 && versionsOf(task).some(({ version }) => this.#versions.has(version));
  }

  fitsInto(process: WaitingRoom): boolean {
    return process.waitingJobs < this.#room.waitingJobs && process.waitingBytes < this.#room.waitingBytes;
  }

  get parked(): number {
    return this.#parked.length;
  }

  park(entry: Entry): void {
    this.#parked.push(entry);
  }

  /** As many as there is room for now: each may be parked again. */
  unpark(processes: readonly WaitingRoom[]): Entry[] {
    let room = 0;
    for (const process of processes)
      if (this.fitsInto(process)) room += this.#room.waitingJobs - process.waitingJobs;
    return this.#parked.splice(0, room);
  }

  drain(): Entry[] {
    return this.#parked.splice(0);
  }
}
