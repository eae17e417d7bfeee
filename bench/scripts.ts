// The scripts of the measurements, as an author would write them.

/** Reads two headers and sets one. */
export const HEADER_SCRIPT = `export default function onArrival(msg) {
  const subject = msg.Subject;
  const from = msg.From;
  if (/lottery/i.test(subject) || /lottery/i.test(from)) return;
  msg.Fields.Item("urn:schemas:mailheader:x-filtered").Value = "checked";
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;

/** Reads three headers and sets one. */
export const THREE_HEADERS_SCRIPT = `export default function onArrival(msg) {
  if (/lottery/i.test(msg.Subject) || /lottery/i.test(msg.From) || /lottery/i.test(msg.To)) return;
  msg.Fields.Item("urn:schemas:mailheader:x-filtered").Value = "checked";
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;

/** A disclaimer in the text body and in the HTML body. */
export const BOTH_BODIES_SCRIPT = `const TEXT = "\\r\\n-- \\r\\nThis message was checked by the gateway.\\r\\n";
const HTML = "<hr><p>This message was checked by the gateway.</p>";

export default function onArrival(msg) {
  if (msg.TextBody !== "") msg.TextBody += TEXT;
  const html = msg.HTMLBody;
  if (html !== "") {
    const end = html.toLowerCase().lastIndexOf("</body>");
    msg.HTMLBody = end < 0 ? html + HTML : html.slice(0, end) + HTML + html.slice(end);
  }
  msg.DataSource.Save();
}
`;

/** Bound to a recipient that never comes. */
export const idleScript = (number: number): string =>
  `export const binding = { rule: "RCPT TO=nobody${number}@nowhere.example" };\n${HEADER_SCRIPT}`;

/** Says its version in a header field; TypeScript with an import, so that the whole compiler is in the way. */
export const versionScript = (version: number): string => `import type { Message } from "cdo";
import { stamp } from "./lib/stamp.ts";

export default function onArrival(msg: Message): void {
  msg.Fields.Item("urn:schemas:mailheader:x-version").Value = stamp("${version}");
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;

export const STAMP_MODULE = `export const stamp = (version: string): string => \`v\${version}\`;\n`;
