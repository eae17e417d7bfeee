// Sample: moves mail that a spam filter has marked to Badmail. Runs for mail to spamtest@localhost only; change the rule.
import {
  type Binding,
  cdoMessageStatus,
  cdoRunNextSink,
  cdoSkipRemainingSinks,
  cdoStatBadMail,
  type Message,
} from "cdo";

export const binding: Binding = { rule: "RCPT TO=spamtest@localhost", priority: 10 };

export default function onArrival(msg: Message): number {
  const flag = String(msg.Fields("urn:schemas:mailheader:x-spam-flag").Value ?? "");
  if (flag.trim().toUpperCase() !== "YES") return cdoRunNextSink;
  msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatBadMail;
  msg.EnvelopeFields.Update();
  return cdoSkipRemainingSinks;
}
