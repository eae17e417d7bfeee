// Sample: removes dangerous attachments and leaves a note. Runs for mail to attachments@localhost only; change the rule.
import type { Binding, Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=attachments@localhost", priority: 100 };

const BLOCKED = new Set(["exe", "com", "scr", "pif", "bat", "cmd", "js", "vbs", "hta", "lnk", "iso"]);

export default function onArrival(msg: Message): void {
  const removed: string[] = [];
  for (const part of msg.Attachments) {
    const name = part.FileName;
    // Windows ignores dots and spaces at the end of a name: "run.exe. " is run.exe.
    const extension =
      name
        .replace(/[. ]+$/, "")
        .split(".")
        .pop()
        ?.toLowerCase() ?? "";
    if (!BLOCKED.has(extension)) continue;
    msg.Attachments.Delete(part);
    removed.push(name);
  }
  if (removed.length === 0) return;
  msg.TextBody = `${msg.TextBody}\r\n[Removed attachments: ${removed.join(", ")}]\r\n`;
  msg.DataSource.Save();
}
