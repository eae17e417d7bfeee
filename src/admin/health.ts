// Whether the service does its work, in words that a balancer, a probe and `onarrival status` share.

export interface HealthReport {
  readonly healthy: boolean;
  /** Why not; empty when healthy. */
  readonly reasons: readonly string[];
}

/** What the health depends on, as it is now. */
export interface HealthFacts {
  readonly isStopping: boolean;
  /** Why the store accepts nothing. */
  readonly storeRefusal: string | undefined;
  /** Its last write failed. */
  readonly storeFailing: boolean;
  /** Names of virtual servers of which not every address is listened on. */
  readonly silentServers: readonly string[];
  /** Scripts are bound and no sandbox process can be started. */
  readonly lacksSandbox: boolean;
}

export function judgeHealth(facts: HealthFacts): HealthReport {
  const reasons: string[] = [];
  if (facts.isStopping) reasons.push("the service is stopping");
  if (facts.storeRefusal !== undefined) reasons.push(`the store refuses mail: ${facts.storeRefusal}`);
  else if (facts.storeFailing) reasons.push("the last write of the store failed");
  for (const name of facts.silentServers) reasons.push(`virtual server ${name} does not listen`);
  if (facts.lacksSandbox)
    reasons.push("no sandbox process can be started: messages for scripts wait or are held");
  return { healthy: reasons.length === 0, reasons };
}
