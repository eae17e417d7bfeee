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

export class OutboundBudgets {
  /** By virtual server. */
  readonly #last = new Map<
    string,
    { readonly limits: string; readonly budget: ConnectionBudget | undefined }
  >();

  of(server: VirtualServerSettings): ConnectionBudget | undefined {
    const limits = JSON.stringify([server.outbound.maxConnections, limitsOf(server)]);
    const last = this.#last.get(server.name);
    if (last?.limits === limits) return last.budget;
    const budget = createBudget(server);
    this.#last.set(server.name, { limits, budget });
    return budget;
  }
}
