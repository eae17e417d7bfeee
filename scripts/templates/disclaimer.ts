// Adds a disclaimer to both bodies of outgoing mail.
import type { Binding, Message } from "cdo";

// Which messages: conditions joined by ";" are alternatives, "*" stands for any text. Without a rule: every message.
// What changes bodies comes late: 0 is first, 32767 last.
export const binding: Binding = { rule: "RCPT TO=template@localhost", priority: 30_000 };

const TEXT = "This message is meant for its recipients only.";
const HTML = `<hr><p><small>${TEXT}</small></p>`;

export default function onArrival(msg: Message): void {
  const html = msg.HTMLBody;
  if (html.includes(TEXT) || msg.TextBody.includes(TEXT)) return;
  if (html !== "") {
    const end = html.toLowerCase().lastIndexOf("</body>");
    msg.HTMLBody = end < 0 ? html + HTML : html.slice(0, end) + HTML + html.slice(end);
  }
  if (msg.TextBodyPart !== null || html === "") msg.TextBody = `${msg.TextBody}\r\n-- \r\n${TEXT}\r\n`;
  // Nothing is kept without it.
  msg.DataSource.Save();
}
