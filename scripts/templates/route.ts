// Sends mail for one address to others.
import { cdoRecipientList } from "cdo";
import type { Binding, Message } from "cdo";

// Which messages: conditions joined by ";" are alternatives, "*" stands for any text. Without a rule: every message.
export const binding: Binding = { rule: "RCPT TO=template@localhost", priority: 1000 };

const FROM = "template@localhost";
const TO = ["first@localhost", "second@localhost"];

export default function onArrival(msg: Message): void {
  // The script sees all recipients, as "SMTP:a@example.com;SMTP:b@example.com;".
  const field = msg.EnvelopeFields(cdoRecipientList);
  const recipients = String(field.Value)
    .split(";")
    .map((entry) => entry.replace(/^SMTP:/i, ""))
    .filter((address) => address !== "" && address.toLowerCase() !== FROM);
  field.Value = `${[...new Set([...recipients, ...TO])].map((address) => `SMTP:${address}`).join(";")};`;
  // Nothing of the envelope is kept without it. The header fields stay as they are.
  msg.EnvelopeFields.Update();
}
