// Sample: sends a copy of every message to a journal mailbox, unseen by the others. Runs for mail to journaled@localhost only.
import { type Binding, cdoRecipientList, type Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=journaled@localhost", priority: 32000 };

const JOURNAL = "SMTP:journal@localhost;";

export default function onArrival(msg: Message): void {
  const recipients = msg.EnvelopeFields(cdoRecipientList);
  const list = String(recipients.Value);
  if (list.toLowerCase().includes(JOURNAL.toLowerCase())) return;
  recipients.Value = list + JOURNAL;
  msg.EnvelopeFields.Update();
}
