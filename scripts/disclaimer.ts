// Sample: adds a disclaimer to both bodies. Runs for mail to disclaimer@localhost only; change the rule to put it to work.
import { type Binding, cdoRunNextSink, type Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=disclaimer@localhost" };

const TEXT = "This message is confidential and meant for its recipients only.";
const HTML = `<hr><p><small>${TEXT}</small></p>`;

export default function onArrival(msg: Message): number {
  const html = msg.HTMLBody;
  if (html !== "") {
    const end = html.toLowerCase().lastIndexOf("</body>");
    msg.HTMLBody = end < 0 ? html + HTML : html.slice(0, end) + HTML + html.slice(end);
  }
  if (msg.TextBodyPart !== null || html === "") msg.TextBody = `${msg.TextBody}\r\n-- \r\n${TEXT}\r\n`;
  msg.DataSource.Save();
  return cdoRunNextSink;
}
