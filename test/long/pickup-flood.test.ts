// Ten thousand files in Pickup at once (FAULTS Q03).
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { tempFolder } from "../support/temp-folder.ts";

const FILES = 10_000;
const BODY = "x".repeat(4000);

const residentMb = (pid: number): number =>
  (Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * 4096) / 1024 / 1024;

test("Q03 ten thousand files are each taken once, while more arrive, with memory that does not grow by their number", async () => {
  await using folder = await tempFolder("flood");
  const mailroot = path.join(folder.path, "mailroot");
  const pickup = path.join(mailroot, "Pickup");
  await mkdir(pickup, { recursive: true });
  const write = (number: number): Promise<void> =>
    writeFile(
      path.join(pickup, `${String(number).padStart(5, "0")}.eml`),
      `x-sender: a@example.com\r\nx-receiver: b@localhost\r\nSubject: n${number}\r\n\r\n${BODY}\r\n`,
    );
  for (let number = 0; number < FILES - 100; number += 1) await write(number);
  await using service = await startService({ config: serviceConfig({}), mailroot });
  const before = residentMb(service.pid);
  for (let number = FILES - 100; number < FILES; number += 1) await write(number);
  const files = await service.dropped(FILES, 300_000);
  const subjects = files.map(({ content }) => /^Subject: (.*)\r$/m.exec(content.toString("latin1"))?.[1]);
  expect(new Set(subjects).size).toBe(FILES);
  expect(files).toHaveLength(FILES);
  expect(await service.pickup()).toEqual([]);
  const grown = residentMb(service.pid) - before;
  console.log(`${FILES} files, ${Math.round(grown)} MB more`);
  expect(grown).toBeLessThan(300);
});
