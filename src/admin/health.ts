// Whether the service does its work, in words that a balancer, a probe and `onarrival status` share.

export interface HealthReport {
  readonly healthy: boolean;
  /** Why not; empty when healthy. */
  readonly reasons: readonly string[];
  /** Every virtual server by its name. */
  readonly servers: Readonly<Record<string, ServerState>>;
}

export type ServerState = "running" | "paused" | "stopped" | "starting" | "stopping";

export interface ServerFacts {
  readonly name: string;
  readonly state: ServerState;
  /** Why its store accepts nothing. */
  readonly storeRefusal: string | undefined;
  /** The last write of its store failed. */
  readonly storeFailing: boolean;
  /** Every address of it is listened on. */
  readonly isListening: boolean;
}

/** What the health depends on, as it is now. */
export interface HealthFacts {
  readonly isStopping: boolean;
  readonly servers: readonly ServerFacts[];
  /** Scripts are bound and no sandbox process can be started. */
  readonly lacksSandbox: boolean;
}

export function judgeHealth(facts: HealthFacts): HealthReport {
  const reasons: string[] = [];
  if (facts.isStopping) reasons.push("the service is stopping");
  for (const { name, state, storeRefusal, storeFailing, isListening } of facts.servers) {
    // One that an operator stopped is as it should be.
    if (state !== "running" && state !== "paused") continue;
    const store = facts.servers.length === 1 ? "the store" : `the store of virtual server ${name}`;
    if (storeRefusal !== undefined) reasons.push(`${store} refuses mail: ${storeRefusal}`);
    else if (storeFailing) reasons.push(`the last write of ${store} failed`);
    if (!isListening) reasons.push(`virtual server ${name} does not listen`);
  }
  if (facts.lacksSandbox)
    reasons.push("no sandbox process can be started: messages for scripts wait or are held");
  const servers = Object.fromEntries(facts.servers.map(({ name, state }) => [name, state]));
  return { healthy: reasons.length === 0, reasons, servers };
}
