// Sample: removes dangerous attachments and leaves a note. Runs for mail to attachments@localhost only; change the rule.
import type { Binding, Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=attachments@localhost", priority: 100 };

// Windows ignores dots and spaces at the end of a name: "run.exe. " is run.exe.
const BLOCKED = /\.(?:exe|com|scr|pif|bat|cmd|js|vbs|hta|lnk|iso)[. ]*$/i;

export default function onArrival(msg: Message): void {
  const removed: string[] = [];
  for (const part of msg.Attachments) {
    if (!BLOCKED.test(part.FileName)) continue;
    removed.push(part.FileName);
    msg.Attachments.Delete(part);
  }
  if (removed.length === 0) return;
  const note = `[Removed attachments: ${removed.join(", ")}]`;
  // Into both bodies: a reader shows one of them.
  const html = msg.HTMLBody;
  if (html !== "") {
    const end = html.toLowerCase().lastIndexOf("</body>");
    const at = end < 0 ? html.length : end;
    const inHtml = `<p>${note.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</p>`;
    msg.HTMLBody = html.slice(0, at) + inHtml + html.slice(at);
  }
  if (html === "" || msg.TextBodyPart !== null) msg.TextBody = `${msg.TextBody}\r\n${note}\r\n`;
  msg.DataSource.Save();
}
