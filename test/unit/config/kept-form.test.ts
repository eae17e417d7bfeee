// Edits of a commented file in forms that people write: what is not edited stays byte for byte.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { BindingEditor } from "../../../src/config/edit.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const TOP = `# of the relay
mailroot: ./m      # aligned


virtualServers:
- name: one
  listen: ["127.0.0.1:4001",   "127.0.0.1:4002"]
  domains: {local: [a.example,b.example]}
  relay:
      networks: [
         10.0.0.0/8,   # lan
         127.0.0.0/8,
      ]
- name: two
  listen: [127.0.0.1:4003]

`;
const FLOW = `    # first
    - {displayName: flow, event: OnArrival, sinkClass: ./a.mjs, sinkProperties: {Tag: x}}

    # second
`;
const BLOCK = `    - displayName: block   # see above
      event: OnArrival
      sinkClass:   ./b.mjs
`;
const END = `
log: {level: info,   format: json} # end
# the last line
`;
const FILE = `${TOP}bindings:\n${FLOW}${BLOCK}${END}`;

async function edited(text: string, change: (editor: BindingEditor) => void): Promise<string> {
  await using folder = await tempFolder("kept-form");
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(file, text);
  await using editor = await BindingEditor.lock(file);
  change(editor);
  await editor.save();
  return await readFile(file, "utf8");
}

const EDITS: Readonly<Record<string, readonly [(editor: BindingEditor) => void, string]>> = {
  "a key of a binding in block form": [
    (editor) => editor.set("block", "binding", "enabled", false),
    `${TOP}bindings:\n${FLOW}${BLOCK}      enabled: false\n${END}`,
  ],
  "a key of a binding in flow form": [
    (editor) => editor.set("flow", "source", "priority", 3),
    `${TOP}bindings:\n${FLOW.replace("}}", "}, sourceProperties: {priority: 3}}")}${BLOCK}${END}`,
  ],
  "a binding that is removed, with its comment": [
    (editor) => editor.remove("block"),
    `${TOP}bindings:\n${FLOW.replace("    # second\n", "")}${END}`,
  ],
  "a binding that is added": [
    (editor) =>
      editor.add({ id: "{871736C0-FD85-11D0-869A-00C04FD65616}", event: "OnArrival", sinkClass: "./c.mjs" }),
    `${TOP}bindings:\n${FLOW}${BLOCK}    - id: "{871736C0-FD85-11D0-869A-00C04FD65616}"
      event: OnArrival
      sinkClass: ./c.mjs
      enabled: true
${END}`,
  ],
  nothing: [(editor) => editor.set("flow", "sink", "Tag", "x"), FILE],
};

describe("an edit of a file in forms of its own", () => {
  test.each(Object.entries(EDITS))("%s", async (_name, [change, expected]) => {
    expect(await edited(FILE, change)).toBe(expected);
  });

  test("keeps the line ends of Windows", async () => {
    const windows = (text: string): string => text.replaceAll("\n", "\r\n");
    for (const [change, expected] of Object.values(EDITS))
      expect(await edited(windows(FILE), change)).toBe(windows(expected));
  });

  test("leaves the other keys alone where the bindings are written in several forms and have to be written anew", async () => {
    const bindings = (enabled: string): string => `bindings:
    - {displayName: flow, event: OnArrival, sinkClass: ./a.mjs}
    -   displayName: "block"   # see above
        event: OnArrival
        sinkClass: './b.mjs'
${enabled}`;
    const text = await edited(`${TOP}${bindings("")}${END}`, (editor) =>
      editor.set("block", "binding", "enabled", false),
    );
    expect([text.slice(0, TOP.length), text.slice(-END.length)]).toEqual([TOP, END]);
    expect(text).toContain("# see above");
    expect(parse(text)).toEqual(parse(bindings("        enabled: false\n") + TOP + END));
  });

  test("takes a file without a last line end, and one in flow form", async () => {
    const disable = (editor: BindingEditor): void => editor.set("a", "binding", "enabled", false);
    const open = "bindings:\n- {event: OnArrival, displayName: a, sinkClass: ./a.mjs}";
    expect(await edited(open, disable)).toBe(`${open.slice(0, -1)}, enabled: false}\n`);
    const flow = "{ bindings: [ { event: OnArrival, displayName: a, sinkClass: ./a.mjs } ] }\n";
    expect(await edited(flow, disable)).toBe(flow.replace(".mjs", ".mjs, enabled: false"));
  });
});

const SHARED = `bindings:
  - { displayName: a, event: OnArrival, sinkClass: ./a.mjs, limits: &l { timeoutMs: 5 }, sinkProperties: &p { Tag: x } }
  - { displayName: b, event: OnArrival, sinkClass: ./b.mjs, limits: *l, sinkProperties: *p }
`;

describe("an edit of a binding that shares with others by anchor and alias", () => {
  test("is of this binding only", async () => {
    expect(await edited(SHARED, (editor) => editor.set("a", "sink", "Tag", "y"))).toBe(
      SHARED.replace("&p { Tag: x }", "&p { Tag: y }").replace("*p", "{ Tag: x }"),
    );
    expect(await edited(SHARED, (editor) => editor.set("b", "sink", "Tag", "y"))).toBe(
      SHARED.replace("*p", "{ Tag: y }"),
    );
    expect(await edited(SHARED, (editor) => void editor.unset("b", "binding", "limits.timeoutMs"))).toBe(
      SHARED.replace(", limits: *l", ""),
    );
  });

  test("leaves the others what was shared when it is removed", async () => {
    const [head = "", , other = ""] = SHARED.split("\n");
    expect(await edited(SHARED, (editor) => editor.remove("a"))).toBe(
      `${head}\n${other.replace("*l", "{ timeoutMs: 5 }").replace("*p", "{ Tag: x }")}\n`,
    );
  });

  test("keeps an alias that it has nothing to do with", async () => {
    expect(await edited(SHARED, (editor) => editor.set("b", "binding", "enabled", false))).toBe(
      SHARED.replace("*p }", "*p, enabled: false }"),
    );
  });
});
