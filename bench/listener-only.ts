// The SMTP listener with an intake that forgets: what the protocol alone costs. Runs as a process of its own (fork).
import { silentLogger } from "../src/core/logger.ts";
import { systemClock } from "../src/core/clock.ts";
import type { Intake } from "../src/smtp/server/intake.ts";
import { defaultSmtpServerSettings } from "../src/smtp/server/settings.ts";
import { createSmtpListener } from "../src/smtp/server/smtp-listener.ts";

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
const listener = createSmtpListener({
  settings,
  intake: forgetfulIntake(),
  logger: silentLogger,
  clock: systemClock,
});
const [bound] = await listener.listen();
process.send?.({ port: bound?.port });
process.on("disconnect", () => process.exit(0));
