// The part of a delivery report that people read: what happened, to whom, and what to do.

export type DsnKind = "failed" | "delayed" | "delivered" | "relayed" | "expanded";

export interface ExplainedRecipient {
  readonly address: string;
  readonly said: string;
  /** Undefined: nobody else was asked. */
  readonly remoteMta: string | undefined;
  /** The words are our own, about what happened at `remoteMta`. */
  readonly isOwn: boolean;
  readonly until: string | undefined;
}

interface KindText {
  readonly subject: string;
  readonly happened: string;
  readonly advice: string;
}

const TEXTS: Record<DsnKind, KindText> = {
  failed: {
    subject: "Delivery failed: your message was not delivered",
    happened: "Your message could not be delivered to these recipients:",
    advice:
      "No further attempt will be made. Check the address for mistakes, follow the hint of the\r\nreceiving system above if it gives one, and send the message again.",
  },
  delayed: {
    subject: "Delivery delayed: your message is still waiting",
    happened: "Your message has not been delivered yet to these recipients:",
    advice: "You do not have to send it again: attempts go on, and you will be told if they fail for good.",
  },
  delivered: {
    subject: "Delivered: your message has arrived",
    happened: "As you asked to be told: your message was delivered to these recipients:",
    advice: "There is nothing for you to do.",
  },
  relayed: {
    subject: "Relayed: your message was passed on",
    happened: "Your message was passed on for these recipients to a system that does not report deliveries:",
    advice: "You may get no further report, even when the message arrives.",
  },
  expanded: {
    subject: "Expanded: your message was sent to a list",
    happened: "Your message was delivered to these lists and is on its way to their members:",
    advice: "You will get no report of deliveries to single members.",
  },
};

export const subjectOf = (kind: DsnKind): string => TEXTS[kind].subject;

export function explain(
  kind: DsnKind,
  reportingMta: string,
  now: number,
  recipients: readonly ExplainedRecipient[],
): string[] {
  const { happened, advice } = TEXTS[kind];
  const lines = [
    `This is the mail system at ${reportingMta.replaceAll(/\p{Cc}/gu, " ")}, ${new Date(now).toISOString()}.`,
    "",
    happened,
    "",
  ];
  for (const { address, said, remoteMta, isOwn, until } of recipients) {
    const who = remoteMta === undefined ? "" : isOwn ? `at ${remoteMta}: ` : `${remoteMta} said: `;
    lines.push(`  <${address}>`, `      ${who}${said}`);
    if (until !== undefined) lines.push(`      attempts go on until ${until}`);
  }
  return [...lines, "", advice];
}
