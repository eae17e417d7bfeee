// Scripts that stamp what they process with the number of the edit that wrote them, and edits that break them in every way.
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const SHARED = "lib/mark.ts";
/** Deleted and written again now and then; the others are always there. */
export const COMING_AND_GOING = "third.js";
const NAMES = ["first.ts", "second.ts", COMING_AND_GOING] as const;

const stemOf = (name: string): string => name.slice(0, name.indexOf("."));
const stampOf = (name: string): string => `x-stamp-${stemOf(name)}`;

/** Good marks are even: the cases of the scripts refuse odd ones. */
const marking = (mark: number): string => `export const mark = ${mark};\n`;

/** Stamps with its own mark and that of what it imports, twice: half of an edit would be seen. */
export function stamping(name: string, mark: number): string {
  const priority = NAMES.findIndex((one) => one === name) + 1;
  const isTyped = name.endsWith(".ts");
  return `${isTyped ? 'import { mark } from "./lib/mark.ts";' : "const mark = 0;"}
export const binding = { priority: ${priority} };
const stamp = "${mark}." + mark;
export default function onArrival(msg) {
  msg.Fields("urn:schemas:mailheader:${stampOf(name)}").Value = stamp;
  msg.Fields.Update();
  msg.Fields("urn:schemas:mailheader:${stampOf(name)}-again").Value = stamp;
  msg.Fields.Update();
  msg.DataSource.Save();
}
`;
}

const casesOf = (name: string): string => `export const cases = [
  { name: "the marks are even", message: "Subject: x\\n\\ny\\n",
    expect: { fields: { "${stampOf(name)}": /^\\d*[02468]\\.\\d*[02468]$/ } } },
];
`;

export const STAMPING: Record<string, string> = {
  [SHARED]: marking(0),
  ...Object.fromEntries(NAMES.map((name) => [name, stamping(name, 0)])),
  "first.test.ts": casesOf("first.ts"),
  "second.test.ts": casesOf("second.ts"),
};

/** The stamps in a message, by script; more than one of a kind, or halves of an edit, are an error. */
export function stampsOf(content: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of NAMES) {
    const values = (field: string): string[] =>
      [...content.matchAll(new RegExp(`^${field}: (.*)\\r$`, "gim"))].map(([, value]) => value ?? "");
    const stamps = values(stampOf(name));
    const again = values(`${stampOf(name)}-again`);
    if (stamps.length > 1 || again.join() !== stamps.join())
      throw new Error(`${name} left ${stamps.join()} and ${again.join()}`);
    if (stamps[0] !== undefined) found.set(name, stamps[0]);
  }
  return found;
}

/** The message without its stamps. */
export const withoutStamps = (content: Buffer): Buffer =>
  Buffer.from(content.toString("latin1").replaceAll(/^x-stamp-[^:]*: .*\r\n/gim, ""), "latin1");

interface Edit {
  /** Absent text: the file goes. */
  readonly files: readonly (readonly [name: string, text: string | undefined])[];
}

const pick = <T>(items: readonly T[], random: () => number): T => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
};

function goodEdit(mark: number, random: () => number): Edit {
  const shared = [SHARED, marking(mark)] as const;
  if (random() < 0.25) return { files: [shared] };
  const name = pick(NAMES, random);
  const script = [name, stamping(name, mark)] as const;
  // With what it imports, which may be broken: else few of the good edits would go live.
  return { files: random() < 0.5 ? [shared, script] : [script] };
}

function brokenEdit(mark: number, random: () => number): Edit {
  const name = pick(NAMES, random);
  const text = stamping(name, mark);
  const tested = pick(["first.ts", "second.ts"], random);
  return pick<Edit>(
    [
      // syntax
      { files: [[name, `${text}}`]] },
      // top-level throw
      { files: [[name, `${text}throw new Error("${mark}");\n`]] },
      // no entry point
      { files: [[name, `export const version = ${mark};\n`]] },
      // failing case
      { files: [[tested, stamping(tested, mark)]] },
      // half-written
      { files: [[name, text.slice(0, text.length * (0.3 + random() / 2))]] },
      // empty
      { files: [[name, ""]] },
      // missing import
      { files: [[name, `import "./lib/none-${mark}.ts";\n${text}`]] },
      // broken shared file
      { files: [[SHARED, `${marking(mark)}null.x;\n`]] },
      // odd shared file
      { files: [[SHARED, marking(mark)]] },
      // shared file gone
      { files: [[SHARED, undefined]] },
      // deletion
      { files: [[COMING_AND_GOING, undefined]] },
    ],
    random,
  );
}

/** Every other edit is broken. */
export const isGoodEdit = (mark: number): boolean => mark % 2 === 0;

export const editNumber = (mark: number, random: () => number): Edit =>
  isGoodEdit(mark) ? goodEdit(mark, random) : brokenEdit(mark, random);

/** In place and by a move, as editors do. */
export async function saveEdit(folder: string, edit: Edit, random: () => number): Promise<void> {
  for (const [name, text] of edit.files) {
    const path = join(folder, name);
    /* oxlint-disable no-await-in-loop -- one after the other, as an editor does */
    if (text === undefined) {
      await rm(path, { force: true });
    } else if (random() < 0.5) {
      await writeFile(path, text);
    } else {
      await writeFile(`${path}~`, text);
      await rename(`${path}~`, path);
    }
    /* oxlint-enable no-await-in-loop */
  }
}
