// Mail of clients that have not authenticated fails, with a report that says why; a private property remembers who was let pass.
import { IMMPID, defineSink, recipientFlags } from "onarrival";

export default defineSink({
  event: "OnTransportSubmission",
  onEvent(msg, { allocPropertyIds, properties }) {
    const passed = allocPropertyIds("{7D1F8A52-0F0C-4B8E-9C55-3B0C1A0F3E11}", 1).id(0);
    const user = msg.properties.find(IMMPID.MP_CLIENT_AUTH_USER);
    if (user !== undefined) {
      msg.properties.put(passed, user);
      return;
    }
    for (const { address } of msg.recipients.items) {
      const recipient = msg.recipients.propertiesOf(address);
      recipient.put(IMMPID.RP_RECIPIENT_FLAGS, recipientFlags.failed);
      recipient.put(IMMPID.RP_SMTP_STATUS_STRING, properties.text("reply", "550 5.7.1 Authenticate first"));
    }
  },
});
