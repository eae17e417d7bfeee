// A transport whose categorizer has a directory made from a few lines, and what came of the messages that it took.
import type { EventSubject } from "../../../../src/events/catalog.ts";
import type { CategorizerItem } from "../../../../src/events/contexts/categorize-contexts.ts";
import {
  type FileDirectoryContent,
  FileDirectory,
  type FileList,
  type FileUser,
} from "../../../../src/transport/categorizer/file-directory.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import {
  type CategorizerSettings,
  DEFAULT_CATEGORIZER_SETTINGS,
} from "../../../../src/transport/categorizer/settings.ts";
import { type House, type HouseChoices, openHouse } from "../transport-house.ts";

export const SENDER = "sender@client.example";

export interface Lines {
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  readonly users?: Readonly<Record<string, Partial<FileUser>>>;
  readonly lists?: Readonly<Record<string, Partial<FileList>>>;
}

export function content({ aliases = {}, users = {}, lists = {} }: Lines): FileDirectoryContent {
  const user: FileUser = { aliases: [], forwardTo: [], keepCopy: false };
  const list: FileList = { aliases: [], members: [] };
  return {
    aliases,
    users: Object.fromEntries(
      Object.entries(users).map(([address, more]) => [address, { ...user, ...more }]),
    ),
    lists: Object.fromEntries(
      Object.entries(lists).map(([address, more]) => [address, { ...list, ...more }]),
    ),
  };
}

/** Everything of corp.example is in the directory. */
export const directoryOf = (lines: Lines): Directory => new FileDirectory(content(lines), ["corp.example"]);

export function openCategorizer(
  directory: Directory,
  settings: Partial<CategorizerSettings> = {},
  choices: HouseChoices = {},
): Promise<House> {
  return openHouse({
    categorizer: { directory, settings: { ...DEFAULT_CATEGORIZER_SETTINGS, ...settings } },
    ...choices,
  });
}

/** Addresses that got the message, sorted; reports apart. */
export const delivered = (house: House): string[] =>
  house.world.sent
    .filter(({ sender }) => sender !== "")
    .flatMap(({ to }) => to)
    .toSorted(byText);

/** Reports as "to: text", all fields of theirs in it. */
export const reports = (house: House): { to: string; text: string }[] =>
  house.world.sent.filter(({ sender }) => sender === "").map(({ to, text }) => ({ to: to.join(), text }));

export const byText = (one: string, other: string): number => (one < other ? -1 : 1);

/** The item of a sub-event about one; undefined of others. */
export const itemOf = (
  subject: EventSubject<"OnCategorize">,
  kind: "buildQuery" | "processItem" | "expandItem" | "completeItem",
): CategorizerItem | undefined => (subject.kind === kind ? subject.item : undefined);
