// The first sub-event of OnCategorize: once for each set of bindings, before the first message that it sees (REFERENCE 4.3).
import { EVENTS } from "../../events/catalog.ts";
import type { CategorizeSubject } from "../../events/contexts/categorize-contexts.ts";
import { SystemChain, type SystemOutcome, type SystemSinks } from "../../events/system-chain.ts";

type Registered =
  | { readonly kind: "registered"; readonly attributes: readonly string[] }
  | Extract<SystemOutcome, { kind: "fault" }>;

const NO_ATTRIBUTES: Registered = { kind: "registered", attributes: [] };
/** More is a mistake, and would be asked for with every address. */
const MAX_ATTRIBUTES = 100;

export class Registration {
  #chain: SystemChain<CategorizeSubject> | undefined;
  #registered: Promise<Registered> | Registered = NO_ATTRIBUTES;

  /** What the sinks of the chain asked for. */
  async attributes(
    chain: SystemChain<CategorizeSubject>,
    sinks: SystemSinks,
    server: string,
  ): Promise<Registered> {
    if (this.#chain !== chain) {
      this.#chain = chain;
      this.#registered = chain.isEmpty ? NO_ATTRIBUTES : register(chain, sinks, server);
    }
    const registered = await this.#registered;
    // The next message tries again.
    if (registered.kind === "fault" && this.#chain === chain) this.#chain = undefined;
    return registered;
  }
}

async function register(
  chain: SystemChain<CategorizeSubject>,
  sinks: SystemSinks,
  server: string,
): Promise<Registered> {
  const attributes = new Set<string>();
  const subject: CategorizeSubject = {
    kind: "register",
    requestAttribute(name) {
      if (attributes.size >= MAX_ATTRIBUTES || !/^[\w.;-]{1,100}$/.test(name))
        throw new RangeError(`${JSON.stringify(name)} is no attribute, or one too many`);
      attributes.add(name.toLowerCase());
    },
  };
  const concerned = chain.sinks.filter(({ binding }) => (binding.server ?? server) === server);
  const outcome = await sinks.run(new SystemChain(concerned), {
    subject,
    server,
    onFault: EVENTS.OnCategorize.onFault,
    remember: () => {
      const before = [...attributes];
      return () => {
        attributes.clear();
        for (const name of before) attributes.add(name);
      };
    },
    // A call of its own, which maxFirings does not mean.
    isAdmitted: true,
  });
  return outcome.kind === "fault" ? outcome : { kind: "registered", attributes: [...attributes] };
}
