// Where something of the directory's file stands, as "people.yaml:12:16 lists.staff.members[1]": for what is wrong with it as a whole.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { LineCounter, isMap, parseDocument } from "yaml";
import { type PlaceOf, type Source, describePlace } from "./problems.ts";

/** Of a file that was read without problems. Its entries are named by their complete addresses; `domain` completes the bare ones. */
export async function placesInDirectory(file: string, domain: string): Promise<PlaceOf> {
  const lines = new LineCounter();
  const document = parseDocument(await readFile(file, "utf8"), { lineCounter: lines });
  const source: Source = { name: path.basename(file), document, lines };
  return ([section, entry, ...rest]) =>
    describePlace(source, [
      section ?? "",
      asWritten(document.get(section), String(entry), domain) ?? "",
      ...rest,
    ]);
}

function asWritten(section: unknown, entry: string, domain: string): string | undefined {
  if (!isMap(section)) return undefined;
  const names = section.items.map(({ key }) => String(key));
  return names.find((name) => name === entry || `${name}@${domain}` === entry);
}
