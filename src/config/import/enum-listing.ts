// Reads what `smtpreg /enum` printed (REFERENCE 5.5): boxed titles, labels, and bags of `name = value` lines.
import { OnArrivalError } from "../../core/errors.ts";
import type { OldBinding, OldMetabase } from "./old-metabase.ts";

interface Draft {
  readonly labels: Map<string, string>;
  readonly source: Map<string, string>;
  readonly sink: Map<string, string>;
}

interface Bag {
  readonly properties: Map<string, string>;
  /** Of its first line. */
  indent: number | undefined;
  /** Name of the property whose value may go on. */
  last: string;
}

const TITLE = /^\|\s*([A-Za-z ]{1,20}?)\s*\|$/;
const LABEL = /^(Event|ID|Name|SinkClass|Enabled):(.*)$/;
const BAG = /^(Source|Sink)Properties\s{0,20}:?\s{0,20}\{$/;

export function readEnumListing(text: string): OldMetabase {
  const listing = new Listing();
  for (const line of text.split(/\r?\n/)) listing.read(line);
  const bindings = listing.end();
  if (listing.sources === 0 && bindings.length === 0)
    throw new OnArrivalError("IMPORT_INVALID", "it is neither a MetaBase.xml nor a listing of smtpreg /enum");
  return { servers: [], bindings };
}

class Listing {
  sources = 0;
  readonly #bindings: OldBinding[] = [];
  #section = "";
  #instance = 0;
  #draft: Draft | undefined;
  #bag: Bag | undefined;

  read(text: string): void {
    const line = text.trim();
    const title = TITLE.exec(line)?.[1];
    if (title !== undefined) {
      this.#begin(title);
    } else if (this.#bag !== undefined) {
      if (!readProperty(this.#bag, text)) this.#bag = undefined;
    } else {
      this.#label(line);
    }
  }

  end(): OldBinding[] {
    if (this.#draft !== undefined) this.#bindings.push(toBinding(this.#draft, this.#instance));
    this.#draft = undefined;
    this.#bag = undefined;
    return this.#bindings;
  }

  #begin(section: string): void {
    this.end();
    this.#section = section;
    if (section === "Source") {
      this.sources += 1;
      this.#instance = this.sources;
    } else if (section === "Binding") {
      this.#draft = { labels: new Map(), source: new Map(), sink: new Map() };
    }
  }

  #label(line: string): void {
    const label = LABEL.exec(line);
    const opened = BAG.exec(line)?.[1];
    if (label !== null) {
      const [, name = "", value = ""] = label;
      this.#draft?.labels.set(name, value.trim());
      if (this.#section === "Source" && name === "Name") this.#instance = numberIn(value) ?? this.#instance;
    } else if (opened !== undefined && this.#draft !== undefined) {
      const { source, sink } = this.#draft;
      this.#bag = { properties: opened === "Source" ? source : sink, indent: undefined, last: "" };
    }
  }
}

/** "smtpsvc 2" is instance 2; without a number the order counts. */
const numberIn = (name: string): number | undefined => {
  const digits = /\d{1,6}$/.exec(name.trim())?.[0];
  return digits === undefined ? undefined : Number(digits);
};

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** Answers false at the end of the bag. */
function readProperty(bag: Bag, line: string): boolean {
  const text = line.trim();
  const indent = indentOf(line);
  bag.indent ??= indent;
  // A value was printed as it is: its further lines stand at the margin, unless the listing has lost its indent.
  if (text === "}" && (indent > 0 || bag.indent === 0)) return false;
  const at = text.indexOf("=");
  if (at > 0 && indent >= bag.indent) {
    bag.last = text.slice(0, at).trim();
    bag.properties.set(bag.last, text.slice(at + 1).trim());
  } else {
    const value = bag.properties.get(bag.last);
    if (value !== undefined) bag.properties.set(bag.last, `${value}\n${line.trimEnd()}`);
  }
  return true;
}

const trimmed = (properties: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...properties].map(([name, value]) => [name, value.trimEnd()]));

const toBinding = ({ labels, source, sink }: Draft, instance: number): OldBinding => ({
  instance: Math.max(1, instance),
  event: labels.get("Event") ?? "",
  id: labels.get("ID"),
  displayName: labels.get("Name") === "" ? undefined : labels.get("Name"),
  sinkClass: labels.get("SinkClass") ?? "",
  enabled: labels.get("Enabled")?.toLowerCase() !== "false",
  source: trimmed(source),
  sink: trimmed(sink),
});
