// Sandboxes that many short trials share: one per script, opened when it is needed, closed when it was not used for a moment.
import { statSync } from "node:fs";
import { OnArrivalError } from "../../core/errors.ts";
import { type TrialBench, openTrialBench } from "./script-trial.ts";

/** A test run must not be kept alive by its sandbox, and must not wait for a new one between two tests. */
const IDLE_MS = 750;

interface Shared {
  readonly bench: Promise<TrialBench>;
  /** Of the script and, since it was compiled, of what it imports: when one of them changed there is a new bench. */
  readonly signatures: Map<string, string>;
  /** It does not compile or load, which may rest on files that are not among these, as an import that is not there. */
  isBroken: boolean;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

export class SharedBenches {
  readonly #open = new Map<string, Shared>();
  readonly #closing = new Set<Promise<void>>();

  async use<T>(script: string, run: (bench: TrialBench) => Promise<T>): Promise<T> {
    const shared = this.#benchOf(script);
    clearTimeout(shared.idle);
    shared.users += 1;
    try {
      return await run(await shared.bench);
    } finally {
      shared.users -= 1;
      if (this.#open.get(script) !== shared) this.#closeUnused(shared);
      else if (shared.users === 0) shared.idle = setTimeout(() => this.#drop(script, shared), IDLE_MS);
    }
  }

  async close(): Promise<void> {
    for (const [script, shared] of this.#open) this.#drop(script, shared);
    await Promise.all(this.#closing);
  }

  #benchOf(script: string): Shared {
    const signature = signatureOf(script);
    if (signature === "") throw new OnArrivalError("SCRIPT_INVALID", `${script}: no such script`);
    const known = this.#open.get(script);
    if (known !== undefined && isCurrent(known)) return known;
    if (known !== undefined) this.#drop(script, known);
    const signatures = new Map([[script, signature]]);
    const bench = openTrialBench(script).then((opened) => {
      for (const file of opened.files) if (!signatures.has(file)) signatures.set(file, signatureOf(file));
      shared.isBroken = opened.problem !== undefined;
      return opened;
    });
    const shared: Shared = { bench, signatures, isBroken: false, users: 0, idle: undefined };
    this.#open.set(script, shared);
    return shared;
  }

  #drop(script: string, shared: Shared): void {
    clearTimeout(shared.idle);
    this.#open.delete(script);
    this.#closeUnused(shared);
  }

  #closeUnused(shared: Shared): void {
    if (shared.users > 0) return;
    // A bench that could not be opened was told to its user and has nothing to close.
    const closing = shared.bench.then(
      (bench) => bench.close(),
      () => undefined,
    );
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}

/** "" of a file that is not there. */
function signatureOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}

const isCurrent = ({ signatures, isBroken }: Shared): boolean =>
  !isBroken && [...signatures].every(([file, signature]) => signatureOf(file) === signature);
