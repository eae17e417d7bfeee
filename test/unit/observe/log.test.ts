import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createServiceLogger, type LogSettings, type ServiceLogger } from "../../../src/observe/log.ts";
import { prettyLine } from "../../../src/observe/pretty.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "onarrival-log-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function written(settings: LogSettings, write: (log: ServiceLogger, soFar: () => string) => void): string {
  const file = path.join(folder, "log");
  const fd = openSync(file, "w");
  const log = createServiceLogger(settings, fd);
  write(log, () => readFileSync(file, "utf8"));
  void log.close();
  closeSync(fd);
  return readFileSync(file, "utf8");
}

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => parseLine(line));

function parseLine(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  return typeof value === "object" && value !== null ? { ...value } : {};
}

const program = (body: string): string =>
  `import { createServiceLogger } from ${JSON.stringify(path.resolve("src/observe/log.ts"))};
   const log = createServiceLogger({ level: "info", format: "json" });${body}`;

test.each(["json", "pretty"] as const)("H08 a line as %s speaks to no terminal", (format) => {
  const file = "a\u009b31m\u202e\u2028\u007f.eml";
  const text = written({ level: "info", format }, (log) => log.info({ file }, "left"));
  // oxlint-disable-next-line no-control-regex -- control characters are what is meant
  expect(text).toMatch(/^[ -~]*\n$/);
  if (format === "json") expect(lines(text)).toMatchObject([{ file }]);
});

test("a line is one JSON object with time, level, fields and message", () => {
  const text = written({ level: "info", format: "json" }, (log) => {
    log.debug({}, "not shown");
    log.child({ session: "s1" }).info({ event: "OnArrival", message: "m1", text: "a\r\nb" }, "sink finished");
  });
  expect(lines(text)).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      session: "s1",
      event: "OnArrival",
      text: "a\r\nb",
      message: "m1",
      msg: "sink finished",
    },
  ]);
});

test("passwords are not written, also one level down and in a child", () => {
  const text = written({ level: "info", format: "json" }, (log) => {
    log
      .child({ password: "hunter2" })
      .warn({ auth: { user: "u", password: "hunter2" }, token: "hunter2" }, "refused");
  });
  expect(text).not.toContain("hunter2");
  expect(lines(text)[0]).toMatchObject({ auth: { user: "u", password: "[redacted]" } });
});

test("lines are gathered, an error is written at once with all before it", () => {
  const text = written({ level: "info", format: "json" }, (log, soFar) => {
    log.info({}, "one");
    expect(soFar()).toBe("");
    log.error({}, "two");
    expect(lines(soFar())).toHaveLength(2);
    log.info({}, "three");
  });
  expect(lines(text).map((line) => line["msg"])).toEqual(["one", "two", "three"]);
});

test("the pretty format keeps one line per event and lets no control character through", () => {
  const text = written({ level: "debug", format: "pretty" }, (log) =>
    log.info({ helo: "x\u001b[2J\r\ny", bytes: 7 }, "greeted"),
  );
  expect(text).toMatch(/^\S+ INFO {2}greeted helo=".*" bytes=7\n$/);
  expect(text.trimEnd()).not.toContain("\u001b");
  expect(prettyLine("7")).toBe("7");
});

test("C21 a reader that goes away does not end the process, and what is buffered is written at exit", async () => {
  const gone = spawn(process.execPath, [
    "--input-type=module",
    "-e",
    program(
      `let n = 0; const t = setInterval(() => { log.info({ pad: "x".repeat(20000) }, "line"); log.error({}, "e"); if (++n > 20) { clearInterval(t); process.stderr.write("alive"); } }, 5);`,
    ),
  ]);
  gone.stdout.destroy();
  let said = "";
  gone.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => gone.once("close", resolve));
  expect([code, said]).toEqual([0, "alive"]);

  const brief = spawn(process.execPath, [
    "--input-type=module",
    "-e",
    program(`log.info({}, "last words"); process.exit(0);`),
  ]);
  let out = "";
  brief.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  await new Promise((resolve) => brief.once("close", resolve));
  expect(out).toContain("last words");
});
