// The SMTP listener with an intake that forgets: what the protocol alone costs. Runs as a process of its own (fork).
// Argument: how many native sinks that do nothing are bound to every command.
import { silentLogger } from "../src/core/logger.ts";
import { systemClock } from "../src/core/clock.ts";
import { collectAsForMail } from "../src/core/collection-flags.ts";
import { createBinding } from "../src/events/binding.ts";
import { ProtocolChain } from "../src/events/protocol-chain.ts";
import type { InboundCommandContext } from "../src/events/contexts/protocol-contexts.ts";
import { createPropertyBag } from "../src/events/sink.ts";
import type { Intake } from "../src/smtp/server/intake.ts";
import { defaultSmtpServerSettings } from "../src/smtp/server/settings.ts";
import { createSmtpListener } from "../src/smtp/server/smtp-listener.ts";
import { allocPropertyIds } from "../test/support/property-ids.ts";

collectAsForMail();

function forgetfulIntake(): Intake {
  let next = 0;
  return {
    nextId: () => {
      next += 1;
      return `m${next}`;
    },
    createSpool: () => Promise.reject(new Error("the messages of the measurement fit into memory")),
    submit: () => Promise.resolve(),
  };
}

const settings = {
  ...defaultSmtpServerSettings,
  listen: [{ host: "127.0.0.1", port: 0 }],
  relayNetworks: ["127.0.0.0/8"],
};
const binding = createBinding({ displayName: "idle", event: "OnInboundCommand", sinkClass: "idle" });
const context = {
  properties: createPropertyBag({}),
  log: silentLogger,
  binding,
  nextMessageId: () => "",
  allocPropertyIds,
};
const chain = new ProtocolChain<InboundCommandContext>(
  Array.from({ length: Number(process.argv[2] ?? 0) }, () => ({
    binding,
    rule: undefined,
    onEvent: () => undefined,
    context,
  })),
);
const listener = createSmtpListener({
  settings,
  intake: forgetfulIntake(),
  logger: silentLogger,
  clock: systemClock,
  protocol: {
    chain: () => chain,
    server: { name: "default", defaultDomain: "localhost", properties: new Map() },
    sinkDeadlineMs: 30_000,
    clock: systemClock,
    log: silentLogger,
  },
});
const [bound] = await listener.listen();
process.send?.({ port: bound?.port });
process.on("disconnect", () => process.exit(0));
