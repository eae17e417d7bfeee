// Sample: tags the subject of mail that speaks of invoices. Runs for mail to tag@localhost only; change the rule.
import type { Binding, Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=tag@localhost" };

const TAG = "[invoice]";

export default function onArrival(msg: Message): void {
  if (msg.Subject.startsWith(TAG) || !/\b(?:invoice|payment)\b/i.test(`${msg.Subject} ${msg.TextBody}`))
    return;
  msg.Subject = `${TAG} ${msg.Subject}`;
  msg.Fields("urn:schemas:mailheader:x-tagged-by").Value = "tag-subject";
  msg.Fields.Update();
  msg.DataSource.Save();
}
