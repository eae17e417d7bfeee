// Tells one partner's server which account pays, with a command and a parameter that only it knows, and nobody else.
import { defineSink } from "onarrival";

export default defineSink({
  event: "OnPerRecipient",
  // The rule chooses the domain: `RCPT TO=*@partner.example`.
  binding: { rule: "RCPT TO=*@partner.example", priority: 1000 },
  onEvent(context, { properties }) {
    const account = properties.text("account", "");
    if (account === "") return;
    const { session } = context;
    // Once in each connection the account is opened; a command before the built-in one.
    if (session.properties.get("account") !== account) {
      session.properties.set("account", account);
      context.setCommand(`XACCOUNT ${account}`);
      context.repeat();
      return;
    }
    context.appendCommand(` XBILL=${account}`);
  },
});
