// Moves mail with a program attached to Badmail.
import { cdoMessageStatus, cdoRunNextSink, cdoSkipRemainingSinks, cdoStatBadMail } from "cdo";
import type { Binding, Message } from "cdo";

// Which messages: conditions joined by ";" are alternatives, "*" stands for any text. Without a rule: every message.
// A filter comes before what changes messages: 0 is first, 32767 last.
export const binding: Binding = { rule: "RCPT TO=template@localhost", priority: 10 };

const PROGRAM = /\.(?:exe|com|scr|bat|cmd|js|vbs)$/i;

export default function onArrival(msg: Message): number {
  for (const attachment of msg.Attachments) {
    if (!PROGRAM.test(attachment.FileName)) continue;
    console.warn("program found:", attachment.FileName);
    // 0 go on, 2 delete without a report, 3 Badmail. Changes of the envelope are kept by Update().
    msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatBadMail;
    msg.EnvelopeFields.Update();
    return cdoSkipRemainingSinks;
  }
  return cdoRunNextSink;
}
