// Pickup when the machine lets it down: no descriptors, no space, folders that vanish, files that cannot be read.
import { appendFile, mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { LogFields, Logger } from "../../../src/core/logger.ts";
import type { SpoolFile } from "../../../src/store/store-driver.ts";
import { mail, openPickup, until } from "./pickup-samples.ts";
import { createStore, temporaryFolder } from "./store-samples.ts";

/** A clock that counts the rounds, and a log that is kept. */
function watched() {
  const lines: string[] = [];
  const note = (_fields: LogFields, line: string): void => void lines.push(line);
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
  let rounds = 0;
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, wake) => {
      rounds += 1;
      return systemClock.after(delayMs, wake);
    },
  };
  const moreRounds = (count: number): Promise<void> => {
    const wanted = rounds + count;
    return until(() => rounds >= wanted);
  };
  return { lines, moreRounds, options: { logger, clock } };
}

/** Moved in from beside. */
async function put(pickup: string, name: string): Promise<void> {
  const beside = path.join(path.dirname(pickup), name);
  await writeFile(beside, mail);
  await rename(beside, path.join(pickup, name));
}

test("C17 a folder that vanishes is told once, and what lies in it is taken when it is back", async () => {
  await using folder = await temporaryFolder();
  const { lines, moreRounds, options } = watched();
  await using pickup = await openPickup(folder.path, options);
  await rename(pickup.folder, path.join(folder.path, "away"));
  await until(() => lines.length > 0);
  await moreRounds(5);
  await writeFile(path.join(folder.path, "away", "waits.eml"), mail);
  await rename(path.join(folder.path, "away"), pickup.folder);
  await until(() => pickup.taken.length > 0);
  expect(lines).toEqual([
    "Pickup cannot be read; its files are taken when it can",
    "Pickup can be read again",
  ]);
});

test("C17 a claim folder that is removed is made again", async () => {
  await using folder = await temporaryFolder();
  const claims = path.join(folder.path, "Queue", "pickup");
  const { lines, options } = watched();
  await using pickup = await openPickup(folder.path, options);
  await rm(claims, { recursive: true });
  await put(pickup.folder, "a.eml");
  await until(() => pickup.taken.length > 0);
  expect((await stat(claims)).mode & 0o777).toBe(0o700);
  expect(lines).toEqual([]);
});

test("C17 a claim folder in Pickup is made again with it", async () => {
  await using folder = await temporaryFolder();
  const { lines, options } = watched();
  const claimFolder = path.join(folder.path, "Pickup", ".claimed");
  await using pickup = await openPickup(folder.path, { ...options, claimFolder });
  await rm(pickup.folder, { recursive: true });
  await until(() => lines.length > 0);
  await mkdir(pickup.folder);
  await put(pickup.folder, "a.eml");
  await until(() => pickup.taken.length > 0);
});

test("C17 without the queue folder nothing is claimed, which is told once, and no folder is made in its place", async () => {
  await using folder = await temporaryFolder();
  const queue = path.join(folder.path, "Queue");
  const { lines, moreRounds, options } = watched();
  await using pickup = await openPickup(folder.path, options);
  await rename(queue, path.join(folder.path, "away"));
  await put(pickup.folder, "a.eml");
  await put(pickup.folder, "b.eml");
  await until(() => lines.length > 0);
  await moreRounds(5);
  expect((await readdir(folder.path)).sort()).toEqual(["Pickup", "away"]);
  expect((await readdir(pickup.folder)).sort()).toEqual(["a.eml", "b.eml"]);
  await rename(path.join(folder.path, "away"), queue);
  await until(() => pickup.taken.length === 2 && lines.length === 2);
  expect(lines).toEqual(["Pickup stands still; its files are submitted when that is over", "Pickup goes on"]);
});

test("C13 without descriptors Pickup stands still, which is told once, and each file is submitted when there are some", async () => {
  await using folder = await temporaryFolder();
  const { lines, moreRounds, options } = watched();
  const names: (string | undefined)[] = [];
  let free = 5;
  await using pickup = await openPickup(folder.path, {
    ...options,
    submit: async (_id, { pickupFileName }) => {
      free -= 1;
      if (free < 0) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
      names.push(pickupFileName);
    },
  });
  const wanted = Array.from({ length: 40 }, (_, index) => `${index}.eml`);
  for (const name of wanted) await put(pickup.folder, name);
  await until(() => lines.length > 0);
  await moreRounds(5);
  expect(names).toHaveLength(5);
  free = Infinity;
  await until(() => names.length === wanted.length && lines.length === 2);
  expect(new Set(names)).toEqual(new Set(wanted));
  expect(lines).toEqual(["Pickup stands still; its files are submitted when that is over", "Pickup goes on"]);
});

test("C13 a claimed file that cannot be read is told once and tried again, and does not hold others up", async () => {
  await using folder = await temporaryFolder();
  const claims = path.join(folder.path, "Queue", "pickup");
  await mkdir(claims, { recursive: true });
  const claim = path.join(claims, "00000000000CLAIMED~unreadable.eml");
  await symlink("elsewhere", claim);
  const { lines, moreRounds, options } = watched();
  await using pickup = await openPickup(folder.path, options);
  await until(() => lines.length > 0);
  await put(pickup.folder, "other.eml");
  await until(() => pickup.taken.length > 0);
  await moreRounds(5);
  await writeFile(path.join(folder.path, "whole"), mail);
  await rename(path.join(folder.path, "whole"), claim);
  await until(() => pickup.taken.length > 1);
  expect(pickup.taken.map(({ origin }) => origin.pickupFileName)).toEqual(["other.eml", "unreadable.eml"]);
  expect(lines).toEqual(["Pickup file not submitted; it is tried again"]);
});

test("Q02 a file that was submitted and cannot be removed is not submitted again", async () => {
  await using folder = await temporaryFolder();
  const claims = path.join(folder.path, "Queue", "pickup");
  const { lines, moreRounds, options } = watched();
  let submissions = 0;
  let claim = "";
  await using pickup = await openPickup(folder.path, {
    ...options,
    submit: async () => {
      submissions += 1;
      claim = path.join(claims, (await readdir(claims))[0] ?? "");
      await rm(claim);
      await mkdir(claim);
    },
  });
  await put(pickup.folder, "a.eml");
  await until(() => lines.length > 0);
  await moreRounds(5);
  await rm(claim, { recursive: true });
  await moreRounds(5);
  expect(submissions).toBe(1);
  expect(lines).toEqual(["submitted Pickup file not removed; it is tried again"]);
});

test("C07 keeps a file while the store takes nothing, tells it once, and submits it under the same id later", async () => {
  await using folder = await temporaryFolder();
  const { lines, options } = watched();
  const ids: string[] = [];
  await using pickup = await openPickup(folder.path, {
    ...options,
    submit: (id) => {
      ids.push(id);
      if (ids.length > 2) return Promise.resolve();
      return Promise.reject(new OnArrivalError("STORE_FAILED", "the disk is full"));
    },
  });
  await writeFile(path.join(pickup.folder, "a.eml"), mail);
  await until(() => ids.length === 3);
  await until(async () => (await readdir(path.join(folder.path, "Queue", "pickup"))).length === 0);
  await until(() => lines.length > 1);
  expect(new Set(ids).size).toBe(1);
  expect(lines).toEqual(["Pickup stands still; its files are submitted when that is over", "Pickup goes on"]);
});

/** Larger than what is read at once: the rest goes through a file of the store. */
const LARGE = mail + "a line of the body\r\n".repeat(80_000);

test("a large file that a program writes to while it is read is submitted once, as a whole", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(path.join(folder.path, "spools"));
  await store.open();
  const claims = path.join(folder.path, "Queue", "pickup");
  let reads = 0;
  const createSpool = async (): Promise<SpoolFile> => {
    reads += 1;
    const [claim = ""] = await readdir(claims);
    if (reads === 1) await appendFile(path.join(claims, claim), "the last line\r\n");
    return store.createSpoolFile();
  };
  await using pickup = await openPickup(folder.path, { createSpool });
  await writeFile(path.join(folder.path, "large.eml"), LARGE);
  await rename(path.join(folder.path, "large.eml"), path.join(pickup.folder, "large.eml"));
  await until(() => pickup.taken.length > 0);
  await until(async () => (await readdir(claims)).length === 0);
  expect(reads).toBe(2);
  expect(pickup.taken.map(({ text }) => text.slice(-15))).toEqual(["the last line\r\n"]);
  // The spool of the first reading is gone.
  await until(async () => (await readdir(path.join(folder.path, "spools/content"))).length === 1);
  expect(await readdir(path.join(folder.path, "Badmail")).catch(() => [])).toEqual([]);
  await pickup.close();
  await store.close();
});

test("C07 a large file for which there is no space half way leaves nothing in the store and is submitted later", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(path.join(folder.path, "spools"));
  await store.open();
  let isFull = true;
  const createSpool = async (): Promise<SpoolFile> => {
    const spool = await store.createSpoolFile();
    return {
      write: (chunk) => (isFull ? Promise.reject(new Error("ENOSPC: no space left")) : spool.write(chunk)),
      finish: (header) => spool.finish(header),
      discard: () => spool.discard(),
    };
  };
  const { lines, options } = watched();
  await using pickup = await openPickup(folder.path, { ...options, createSpool });
  await writeFile(path.join(folder.path, "large.eml"), LARGE);
  await rename(path.join(folder.path, "large.eml"), path.join(pickup.folder, "large.eml"));
  await until(() => lines.length > 0);
  expect(lines).toEqual(["Pickup file not submitted; it is tried again"]);
  expect(await readdir(path.join(folder.path, "spools/content"))).toEqual([]);
  isFull = false;
  await until(() => pickup.taken.length > 0);
  expect(pickup.taken[0]?.text).toHaveLength(
    LARGE.length - mail.length + "Subject: s\r\n\r\nbody\r\n".length,
  );
  await pickup.close();
  await store.close();
});
