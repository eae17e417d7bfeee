// esbuild runs beside us in a process that all builds share. A script may keep it busy for ever, or end it (nested so deeply that
// its stack is full), and the library starts no other: neither may keep another script from going live.
import {
  build,
  type BuildFailure,
  type BuildOptions,
  type BuildResult,
  type SameShape,
  stop,
  transform,
  type TransformOptions,
  type TransformResult,
} from "esbuild";
import { systemClock } from "../../core/clock.ts";
import { Turns, unlessAborted } from "../../core/turns.ts";

/** A build of many megabytes takes a second. */
const BUILD_MS = 10_000;

/** What is compiled is to blame. */
export class CompilerEnded extends Error {}

export class CompilerProcess {
  readonly #buildMs: number;
  /** Aborted when the process is given up. */
  #process = new AbortController();
  /** Who was at work when the process ended is tried again alone: then it is known whose fault it was. */
  readonly #alone = new Turns(1);
  #suspects = 0;
  #cleared = Promise.withResolvers<void>();

  constructor(buildMs: number = BUILD_MS) {
    this.#buildMs = buildMs;
    this.#cleared.resolve();
  }

  build<Options extends BuildOptions>(
    options: SameShape<BuildOptions, Options>,
  ): Promise<BuildResult<Options>> {
    return this.#run(() => build(options));
  }

  transform<Options extends TransformOptions>(
    text: string,
    options: SameShape<TransformOptions, Options>,
  ): Promise<TransformResult<Options>> {
    return this.#run(() => transform(text, options));
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    // oxlint-disable-next-line no-await-in-loop -- others may have come under suspicion meanwhile
    while (this.#suspects > 0) await this.#cleared.promise;
    try {
      return await this.#try(work);
    } catch (thrown) {
      if (!(thrown instanceof CompilerEnded)) throw thrown;
    }
    if (this.#suspects === 0) this.#cleared = Promise.withResolvers();
    this.#suspects += 1;
    try {
      return await this.#alone.take(() => this.#try(work));
    } finally {
      this.#suspects -= 1;
      if (this.#suspects === 0) this.#cleared.resolve();
    }
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#process;
    const seconds = this.#buildMs / 1000;
    const slow = new CompilerEnded(`the compiler comes to no end with it within ${seconds} s`);
    const cancel = systemClock.after(this.#buildMs, () => this.#giveUp(mine, slow));
    try {
      return await unlessAborted(mine.signal, work());
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
      const crashed = new CompilerEnded("the compiler breaks down over it: it may be nested too deeply");
      this.#giveUp(mine, crashed);
      throw crashed;
    } finally {
      cancel();
    }
  }

  #giveUp(mine: AbortController, reason: CompilerEnded): void {
    if (mine !== this.#process) return;
    this.#process = new AbortController();
    // The next build starts another.
    void stop();
    mine.abort(reason);
  }
}

/** What esbuild says when its process has ended: of errors in a text it knows the place. */
function isGone(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- esbuild throws BuildFailure; others have no errors
  const [first] = (thrown as Partial<BuildFailure>).errors ?? [{ text: thrown.message, location: null }];
  return first?.location === null && /^The service (?:is no longer running|was stopped)/.test(first.text);
}
