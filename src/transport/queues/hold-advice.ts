// What to do about a message that is held, in one line: it depends on who holds it, and on what was wrong.
import type { QueuedMessage } from "../queued-message.ts";

/** What else than a corrected script helps, by the kind of the fault. */
const OR_ELSE: Readonly<Record<string, string>> = {
  timeout: ", or raise limits.timeoutMs or limits.cpuMs of its binding,",
  memory: ", or raise limits.memoryMb (or externalMb) of its binding,",
  limit: ", or raise that limit of its binding,",
};

/** Undefined: nobody holds it. */
export function adviceFor({ id, held }: QueuedMessage): string | undefined {
  if (held === undefined) return undefined;
  const release = `onarrival queue release ${id}`;
  if (held.by === "operator") return release;
  if (held.abandoned === true) return `it goes on when the service restarts, or now: ${release}`;
  if (held.scriptName === undefined) return `correct the sink; tried again by itself, or now: ${release}`;
  return adviceOnScript(held.scriptName, held.poison === true ? "crash" : (held.faultKind ?? ""), release);
}

function adviceOnScript(script: string, faultKind: string, release: string): string {
  const correct = `save a corrected ${script}${OR_ELSE[faultKind] ?? ""} and it goes on by itself`;
  switch (faultKind) {
    case "crash":
      return `${correct}; it ended two sandbox processes, so otherwise it waits for: ${release}`;
    case "suspended":
      return `${correct}; until then one message is tried each sandbox.probeMs`;
    case "missing":
      return `save a working ${script} (onarrival check says what is wrong), or remove its binding, and it goes on by itself`;
    case "unavailable":
      return `the log of the service says why no sandbox process runs; tried again by itself, or now: ${release}`;
    default:
      return `${correct}; tried again by itself, or now: ${release}`;
  }
}
