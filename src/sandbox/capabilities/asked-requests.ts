// Takes down what waiting scripts asked for, for the record of the message. Stands before the broker that performs it.
import type { CapabilityRequest } from "../../../runtime/contract.ts";
import type { CapabilityBroker, CapabilityGrant, PerformedRequest } from "./broker-contract.ts";

/** Calls whose requests are kept until somebody takes them; some are never taken, as when the service records nothing. */
const MAX_CALLS = 1000;
const MAX_PER_CALL = 20;
const MAX_TEXT = 200;
const NONE: readonly string[] = [];

export class AskedRequests implements CapabilityBroker {
  readonly #broker: CapabilityBroker;
  readonly #redact: (text: string) => string;
  readonly #asked = new Map<string, string[]>();
  /** Requests by kind since the start of the service. */
  readonly counts: Record<CapabilityRequest["kind"], number> = { fetch: 0, kv: 0, dns: 0 };
  refused = 0;

  /** `redact` takes secrets out of what is kept. */
  constructor(broker: CapabilityBroker, redact: (text: string) => string) {
    this.#broker = broker;
    this.#redact = redact;
  }

  async perform(request: CapabilityRequest, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    this.counts[request.kind] += 1;
    const performed = await this.#broker.perform(request, body, grant);
    const { answer } = performed;
    if (answer.kind === "refused") this.refused += 1;
    const result =
      answer.kind === "refused" ? "refused" : answer.kind === "fetch" ? answer.status : "answered";
    this.#note(
      `${grant.messageId} ${grant.version}`,
      `${this.#redact(describe(request)).slice(0, MAX_TEXT)}: ${result}`,
    );
    return performed;
  }

  /** What a version asked for on a message, and forgets it. */
  take(messageId: string, version: string): readonly string[] {
    if (this.#asked.size === 0) return NONE;
    const key = `${messageId} ${version}`;
    const asked = this.#asked.get(key);
    if (asked === undefined) return NONE;
    this.#asked.delete(key);
    return asked;
  }

  #note(key: string, text: string): void {
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      if (asked.length < MAX_PER_CALL) asked.push(text);
      return;
    }
    this.#asked.set(key, [text]);
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MAX_CALLS && oldest !== undefined) this.#asked.delete(oldest);
  }
}

function describe(request: CapabilityRequest): string {
  switch (request.kind) {
    case "fetch":
      return `fetch ${request.method} ${withoutQuery(request.url)}`;
    case "kv":
      return `kv ${request.operation} ${request.key}`;
    case "dns":
      return `dns ${request.type} ${request.name}`;
  }
}

/** Keys and personal data stand in queries, and before the host. */
function withoutQuery(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "" : parsed.origin + parsed.pathname;
}
