import type { ScriptTest } from "cdo";

// A version of the script goes live only when all of these pass.
export const cases: ScriptTest[] = [
  {
    name: "the address is replaced, the others stay",
    eml: "samples/template.eml",
    envelope: { sender: "a@example.com", recipients: ["template@localhost", "other@localhost"] },
    expect: {
      recipients: ["other@localhost", "first@localhost", "second@localhost"],
      fields: { "x-tag": null },
    },
  },
];
