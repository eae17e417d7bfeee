// The table of ARCHITECTURE.md: which folder may import which, and the one folder or file that may import a third-party package, its door.
import path from "node:path";
import { describe, expect, test } from "vitest";
import { listSources, readModule, type SourceModule } from "./source-files.ts";

/** Longest prefix wins. "everything" is the composition root. */
const ROOMS: Readonly<Record<string, readonly string[] | "everything">> = {
  "src/core/": [],
  "src/mime/": ["src/core/"],
  "src/message/": ["src/core/", "src/mime/"],
  "src/events/": ["src/core/", "src/message/"],
  "src/smtp/server/": ["src/core/", "src/message/", "src/events/"],
  "src/smtp/client/": ["src/core/", "src/message/", "src/events/"],
  "src/store/": ["src/core/", "src/message/"],
  "src/transport/": [
    "src/core/",
    "src/mime/",
    "src/message/",
    "src/events/",
    "src/store/",
    "src/smtp/client/",
  ],
  "src/sandbox/": ["src/core/", "src/message/", "src/events/", "runtime/contract.ts"],
  "src/sandbox/worker/": ["src/core/", "src/mime/", "src/message/", "runtime/contract.ts"],
  "src/authentication/": ["src/core/", "src/mime/", "src/message/"],
  "src/sinks/": ["src/core/", "src/mime/", "src/message/", "src/events/", "src/authentication/"],
  "src/config/": ["src/core/", "src/events/"],
  "src/observe/": ["src/core/"],
  "src/admin/": ["src/core/", "src/config/", "src/transport/queues/queue-view.ts"],
  "src/cli/": "everything",
  "src/composition/": "everything",
  "src/relay.ts": "everything",
  "src/main.ts": "everything",
  "src/index.ts": "everything",
  "src/testing.ts": "everything",
  "runtime/": [],
};

/** What only people and the composition root may import. */
const OUTER_ROOMS = ["src/cli/", "src/composition/", "src/relay.ts", "src/main.ts", "src/testing.ts"];

const DOORS: Readonly<Record<string, readonly string[]>> = {
  "isolated-vm": ["src/sandbox/worker/"],
  esbuild: ["src/sandbox/"],
  chokidar: ["src/sandbox/"],
  "smtp-server": ["src/smtp/server/"],
  libmime: ["src/mime/"],
  libbase64: ["src/mime/"],
  "iconv-lite": ["src/mime/"],
  pino: ["src/observe/"],
  "prom-client": ["src/observe/"],
  yaml: ["src/config/"],
  zod: ["src/config/"],
  commander: ["src/cli/"],
  mailauth: ["src/authentication/"],
  ldapts: ["src/transport/categorizer/ldap-connection.ts"],
};

/** Words and bytes: they must run anywhere, so no file, network or process. */
const PURE_ROOMS = ["src/core/", "src/mime/"];
const IMPURE = /^node:(?:fs|net|tls|dgram|dns|http|https|child_process|worker_threads|cluster)(?:\/|$)/;
const DEFAULT_EXPORT_ROOMS = ["src/sinks/", "scripts/"];
const BARRELS = ["src/index.ts", "runtime/cdo-module.ts"];

const roomOf = (file: string): string | undefined =>
  Object.keys(ROOMS)
    .filter((room) => file.startsWith(room))
    .toSorted((left, right) => right.length - left.length)[0];

function problemsOf(module: SourceModule): string[] {
  const { file } = module;
  const room = roomOf(file);
  if (room === undefined) return [`${file} is in no room of the table`];
  const problems = module.imports.flatMap((specifier) => importProblem(file, room, specifier) ?? []);
  if (module.hasDefaultExport && !DEFAULT_EXPORT_ROOMS.includes(room))
    problems.push(`${file} has a default export`);
  if (module.reexports.length > 0 && !BARRELS.includes(file))
    problems.push(`${file} re-exports ${module.reexports.join(", ")}`);
  return problems;
}

function importProblem(file: string, room: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:")) {
    if (room === "runtime/") return `${file} imports ${specifier}: the runtime has no Node`;
    return PURE_ROOMS.includes(room) && IMPURE.test(specifier)
      ? `${file} imports ${specifier}: the room is pure`
      : undefined;
  }
  if (!specifier.startsWith(".")) return packageProblem(file, room, specifier);
  const target = path.posix.join(path.posix.dirname(file), specifier);
  const targetRoom = roomOf(target);
  if (targetRoom === undefined) return `${file} imports ${target}, which is in no room`;
  if (targetRoom === room) return undefined;
  const allowed = ROOMS[room] ?? [];
  if (allowed === "everything") return undefined;
  if (OUTER_ROOMS.includes(targetRoom)) return `${file} imports ${target}: only people's rooms do`;
  return allowed.includes(targetRoom) || allowed.includes(target)
    ? undefined
    : `${file} must not import ${target}`;
}

function packageProblem(file: string, room: string, specifier: string): string | undefined {
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
  const doors = DOORS[name];
  if (doors === undefined) return `${file} imports ${name}, which has no door`;
  return doors.includes(room) || doors.includes(file)
    ? undefined
    : `${file} imports ${name}, whose door is ${doors.join(", ")}`;
}

const check = (file: string, source: string): string[] => problemsOf(readModule(file, source));

describe("the house", () => {
  const sources = listSources("src/**/*.ts", "runtime/**/*.ts").filter((file) => !file.endsWith(".d.ts"));

  test("there are sources to look at", () => {
    expect(sources.length).toBeGreaterThan(20);
  });

  test("every import is allowed by the table", () => {
    expect(sources.flatMap((file) => problemsOf(readModule(file)))).toEqual([]);
  });
});

describe("the check itself finds", () => {
  test.each([
    [
      "a room that is not allowed",
      "src/core/a.ts",
      'import { x } from "../store/x.ts";',
      "must not import src/store/x.ts",
    ],
    [
      "one hidden in a type import",
      "src/observe/a.ts",
      'import type { X } from "../config/schema.ts";',
      "must not import",
    ],
    [
      "one hidden in a dynamic import",
      "src/store/a.ts",
      'const x = await import("../transport/x.ts");',
      "must not import",
    ],
    ["one hidden in a re-export", "src/core/a.ts", 'export { x } from "../mime/x.ts";', "must not import"],
    [
      "a file next to the only one that is allowed",
      "src/admin/a.ts",
      'import { x } from "../transport/router.ts";',
      "must not import",
    ],
    [
      "the composition root used from below",
      "src/transport/a.ts",
      'import { x } from "../relay.ts";',
      "only people's rooms do",
    ],
    [
      "a package outside its door",
      "src/transport/a.ts",
      'import { z } from "zod";',
      "whose door is src/config/",
    ],
    [
      "the sandbox's engine in the relay",
      "src/sandbox/a.ts",
      'import ivm from "isolated-vm";',
      "whose door is src/sandbox/worker/",
    ],
    [
      "a file beside the door",
      "src/transport/categorizer/a.ts",
      'import { Client } from "ldapts";',
      "whose door is src/transport/categorizer/ldap-connection.ts",
    ],
    ["a package without a door", "src/cli/a.ts", 'import x from "left-pad";', "has no door"],
    ["Node in the runtime", "runtime/a.ts", 'import { x } from "node:util";', "has no Node"],
    ["files in a pure room", "src/mime/a.ts", 'import { x } from "node:fs/promises";', "the room is pure"],
    ["a default export", "src/core/a.ts", "export default 1;", "has a default export"],
    ["a barrel", "src/core/a.ts", 'export * from "./b.ts";', "re-exports"],
    ["a folder nobody planned", "src/utils/a.ts", "export const x = 1;", "in no room"],
  ])("%s", (_name, file, source, expected) => {
    expect(check(file, source).join("\n")).toContain(expected);
  });

  test("nothing in what is allowed", () => {
    expect(
      check(
        "src/transport/a.ts",
        'import { x } from "../smtp/client/x.ts"; import "node:fs"; import { y } from "./y.ts";',
      ),
    ).toEqual([]);
    expect(
      check(
        "src/sandbox/worker/a.ts",
        'import ivm from "isolated-vm"; import type { X } from "../../../runtime/contract.ts";',
      ),
    ).toEqual([]);
  });
});
