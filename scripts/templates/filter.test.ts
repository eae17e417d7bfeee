import type { ScriptTest } from "cdo";

// A version of the script goes live only when all of these pass.
export const cases: ScriptTest[] = [
  {
    name: "a message with a program is moved to Badmail",
    eml: "samples/template.eml",
    envelope: { sender: "a@example.com", recipients: ["template@localhost"] },
    expect: { verdict: 1, status: 3, log: /setup\.exe/ },
  },
  {
    name: "other mail is left alone",
    message: "From: a@example.com\nTo: template@localhost\nSubject: lunch\n\nAt noon?\n",
    expect: { verdict: 0, status: 0, unchanged: true },
  },
];
