// Sample: delivers mail for unknown users to one mailbox. Runs for mail to *.catch-all@localhost only; change the rule.
import { type Binding, cdoRecipientList, type Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=*.catch-all@localhost" };

const MAILBOX = "SMTP:postmaster@localhost";

const isUnknown = (entry: string): boolean => /\.catch-all@localhost$/i.test(entry);

export default function onArrival(msg: Message): void {
  const field = msg.EnvelopeFields(cdoRecipientList);
  const list = String(field.Value)
    .split(";")
    .filter((entry) => entry !== "");
  // Keep the address that was meant: the envelope is the only place where it stands. The others are nobody's business.
  msg.Fields("urn:schemas:mailheader:x-original-recipients").Value = list.filter(isUnknown).join(", ");
  msg.Fields.Update();
  msg.DataSource.Save();
  field.Value = `${[...new Set([...list.filter((entry) => !isUnknown(entry)), MAILBOX])].join(";")};`;
  msg.EnvelopeFields.Update();
}
