// The jobs of this process: each frame about one gives one answer. Those that wait are kept until their next turn.
import type {
  AbandonFrame,
  CallFrame,
  JobFrame,
  ResumeFrame,
  ScriptCall,
} from "../../../runtime/contract.ts";
import type { ContentChannel } from "./content-channel.ts";
import { type JobAnswer, JobRun } from "./run-job.ts";
import type { ScriptStore } from "./isolates/script-store.ts";
import type { WorkerSettings } from "./settings.ts";

export class Jobs {
  readonly #scripts: ScriptStore;
  readonly #settings: WorkerSettings;
  readonly #content: ContentChannel;
  readonly #calls: ScriptCall[] = [];
  readonly #waiting = new Map<number, JobRun>();

  constructor(scripts: ScriptStore, settings: WorkerSettings, content: ContentChannel) {
    this.#scripts = scripts;
    this.#settings = settings;
    this.#content = content;
  }

  /** What jobs mean by a number from now on. */
  know({ number, call }: CallFrame): void {
    if (number === 0) this.#calls.length = 0;
    this.#calls[number] = call;
  }

  #callsOf(numbers: readonly number[]): ScriptCall[] {
    return numbers.map((number) => {
      const call = this.#calls[number];
      if (call === undefined) throw new Error(`call ${number} was never told`);
      return call;
    });
  }

  answer(frame: JobFrame | ResumeFrame | AbandonFrame, bytes: Buffer): JobAnswer {
    if (frame.type === "job") {
      const asks = this.#content.asksOf(frame.job);
      const run = new JobRun(frame, this.#callsOf(frame.calls), bytes, this.#scripts, this.#settings, asks);
      const answer = run.start();
      if (answer.head.type === "waiting") this.#waiting.set(frame.job, run);
      return answer;
    }
    const run = this.#waiting.get(frame.job);
    if (run === undefined) throw new Error(`job ${frame.job} does not wait`);
    const answer = frame.type === "resume" ? run.resume(frame.request, frame.answer, bytes) : run.abandon();
    if (answer.head.type === "done") this.#waiting.delete(frame.job);
    return answer;
  }
}
