// Marks the subject of mail that speaks of invoices.
import type { Binding, Message } from "cdo";

// Which messages: conditions joined by ";" are alternatives, "*" stands for any text. Without a rule: every message.
export const binding: Binding = { rule: "RCPT TO=template@localhost", priority: 100 };

const MARK = "[invoice]";

export default function onArrival(msg: Message): void {
  if (msg.Subject.startsWith(MARK) || !/\binvoice\b/i.test(`${msg.Subject} ${msg.TextBody}`)) return;
  msg.Subject = `${MARK} ${msg.Subject}`;
  msg.Fields("urn:schemas:mailheader:x-marked-by").Value = "template";
  // Header fields go into the message object by Update(), everything into the mail by Save(). Nothing else is kept.
  msg.Fields.Update();
  msg.DataSource.Save();
}
