import type { ScriptTest } from "cdo";

// A version of the script goes live only when all of these pass.
export const cases: ScriptTest[] = [
  {
    name: "both bodies get the disclaimer",
    eml: "samples/template.eml",
    envelope: { sender: "me@localhost", recipients: ["template@localhost"] },
    expect: { text: /recipients only\.\s*$/, html: /recipients only\.<\/small><\/p><\/body>/ },
  },
  {
    name: "a message that has it is left alone",
    message:
      "From: a@example.com\nTo: template@localhost\n\nThis message is meant for its recipients only.\n",
    expect: { unchanged: true },
  },
];
