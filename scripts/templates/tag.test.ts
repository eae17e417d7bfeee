import type { ScriptTest } from "cdo";

// A version of the script goes live only when all of these pass.
export const cases: ScriptTest[] = [
  {
    name: "a message about an invoice is marked",
    eml: "samples/template.eml",
    envelope: { sender: "shop@example.com", recipients: ["template@localhost"] },
    expect: { verdict: 0, fields: { subject: "[invoice] Your invoice of May", "x-marked-by": "template" } },
  },
  {
    name: "other mail is left alone",
    message: "From: a@example.com\nTo: template@localhost\nSubject: lunch\n\nAt noon?\n",
    expect: { unchanged: true },
  },
];
