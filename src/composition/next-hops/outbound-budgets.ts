// The outgoing connections of each virtual server. A reload that leaves their limits alone goes on counting those that are open.
import type { VirtualServerSettings } from "../../config/schema.ts";
import { ConnectionBudget } from "../../smtp/client/connection-budget.ts";

type Outbound = Pick<VirtualServerSettings, "outbound">;

const limitsOf = ({ outbound }: Outbound) => ({
  sickPercent: outbound.slowSharePercent,
  singlePercent: outbound.singleSharePercent,
  scarcePercent: outbound.scarcePercent,
  slowMs: outbound.slowMs,
  slowFactor: outbound.slowFactor,
});

/** Undefined: there is no limit. */
function createBudget(server: Outbound): ConnectionBudget | undefined {
  const { maxConnections } = server.outbound;
  return maxConnections === 0 ? undefined : new ConnectionBudget(maxConnections, limitsOf(server));
}

/** By virtual server. */
type Budgets = ReadonlyMap<
  string,
  { readonly limits: string; readonly budget: ConnectionBudget | undefined }
>;

export class OutboundBudgets {
  #last: Budgets = new Map();
  #settled: Budgets = new Map();

  of(server: VirtualServerSettings): ConnectionBudget | undefined {
    const limits = JSON.stringify([server.outbound.maxConnections, limitsOf(server)]);
    const last = this.#last.get(server.name);
    if (last?.limits === limits) return last.budget;
    const budget = createBudget(server);
    this.#last = new Map([...this.#last, [server.name, { limits, budget }]]);
    return budget;
  }

  /** What was made until now is in use: a refusal of what comes does not concern it. */
  settled(): void {
    this.#settled = this.#last;
  }

  /** The configuration is not taken over: what was there goes on counting. */
  refused(): void {
    this.#last = this.#settled;
  }
}
