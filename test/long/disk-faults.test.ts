// The whole service on a disk that fails, is slow, read-only, full or gone (FAULTS group C). What needs strace or the right to mount is skipped without.
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { coverReadOnly, failing, mountTmpfs } from "../support/volumes.ts";
import { Talk } from "../unit/smtp/server/support.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] } };
const QUICK_LOOKS = { store: { minFreeBytes: 0, diskSampleMs: 50 } };
const SMALL_SEGMENTS = { store: { ...QUICK_LOOKS.store, segmentSize: "1MiB" } };
const CONFIG = serviceConfig({ server: QUICK_RETRY, file: QUICK_LOOKS });
/** strace counts the calls of each thread. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: "1" };

/** The reply to the whole message, or the first refusal on the way there. */
async function offer(port: number, subject: string, body = "x"): Promise<string> {
  const talk = await Talk.open(port);
  try {
    await talk.greet();
    return await offerIn(talk, subject, body);
  } finally {
    talk.socket.destroy();
  }
}

async function offerIn(talk: Talk, subject: string, body = "x"): Promise<string> {
  let answer = "";
  for (const line of ["MAIL FROM:<a@example.net>", "RCPT TO:<b@localhost>", "DATA"]) {
    answer = await talk.say(line);
    if (/^[45]/.test(answer)) return answer;
  }
  talk.write(`Subject: ${subject}\r\n\r\n${body}\r\n`);
  return await talk.say(".");
}

/** Offers so many messages one after the other. Answers the subjects that were accepted, and the replies of the others. */
async function offerMany(
  service: Service,
  prefix: string,
  count: number,
  pauseMs: number,
): Promise<{ accepted: string[]; refused: string[] }> {
  const accepted: string[] = [];
  const refused: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const subject = `${prefix}${String(number).padStart(3, "0")}`;
    const answer = await offer(service.port, subject);
    if (answer.startsWith("250")) accepted.push(subject);
    else refused.push(answer);
    await sleep(pauseMs);
  }
  return { accepted, refused };
}

async function subjectsIn(service: Service): Promise<string[]> {
  const subjects = (await service.drop()).map(
    ({ content }) => /^Subject: (.*)\r$/m.exec(content.toString("latin1"))?.[1] ?? "",
  );
  return subjects.toSorted();
}

const untilTaken = (service: Service, subject: string): Promise<unknown> =>
  eventually(async () => (await offer(service.port, subject)).startsWith("250"), {
    what: "a message taken again",
    intervalMs: 100,
  });

/** The end of a message is written before the next one comes, and owes its barrier, which is an fdatasync then. */
const PAUSE_MS = 80;
/** The two ways in which a batch becomes durable. */
const BARRIERS = ["fdatasync", "pwritev"] as const;

test.for(BARRIERS)(
  "C10 a barrier by %s that fails is not tried again on the same file: 452, and what was accepted before and after is there",
  async (call, { skip }) => {
    const through = failing([`${call}:error=EIO:when=4..9`]);
    skip(through === undefined, "no strace");
    await using service = await startService({ config: CONFIG, through: through ?? [], env: ONE_THREAD });
    const { accepted, refused } = await offerMany(service, "eio", 30, PAUSE_MS);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expect(answer).toMatch(/^452 4\.3\.1/);
    expect(accepted.length).toBeGreaterThan(15);
    await service.dropped(accepted.length);
    expect(await subjectsIn(service)).toEqual(accepted);
    expect(service.log.join("\n")).toContain("STORE_FAILED");
    // Nothing that was refused comes back from the disk.
    await service.restart("SIGKILL");
    // Calls of the new process are counted anew.
    await untilTaken(service, "last");
    await service.dropped(accepted.length + 1);
    expect(await subjectsIn(service)).toEqual([...accepted, "last"].toSorted());
  },
);

test("C15 a disk that takes a second for each barrier holds nobody up but those who wait for it, and they share it", async ({
  skip,
}) => {
  const through = failing(BARRIERS.map((call) => `${call}:delay_enter=1000000`));
  skip(through === undefined, "no strace");
  await using service = await startService({ config: CONFIG, through: through ?? [], env: ONE_THREAD });
  const bystander = await Talk.open(service.port);
  await bystander.greet();
  const begun = performance.now();
  const offers = Promise.all(Array.from({ length: 20 }, (_, index) => offer(service.port, `slow${index}`)));
  let slowest = 0;
  for (let number = 0; number < 10; number += 1) {
    const asked = performance.now();
    expect(await bystander.say("NOOP")).toMatch(/^250/);
    slowest = Math.max(slowest, performance.now() - asked);
  }
  expect((await offers).map((answer) => answer.slice(0, 3))).toEqual(Array.from({ length: 20 }, () => "250"));
  // One after the other they would take twenty.
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(slowest).toBeLessThan(900);
  bystander.socket.destroy();
  await service.dropped(20, 60_000);
});

/** How many of 200 messages of 20 sessions share a barrier of 60 ms. */
async function sharedBarriers(through: readonly string[], groupDelayMs: number): Promise<number> {
  const file = { admin: { listen: "127.0.0.1:0" }, store: { ...QUICK_LOOKS.store, groupDelayMs } };
  await using service = await startService({ config: serviceConfig({ file }), through });
  const barriers = await barriersOf(service);
  await Promise.all(
    Array.from({ length: 20 }, async (_, session) => {
      const talk = await Talk.open(service.port);
      await talk.greet();
      for (let number = 0; number < 10; number += 1)
        expect(await offerIn(talk, `shared${session}-${number}`)).toMatch(/^250/);
      talk.socket.destroy();
    }),
  );
  return 200 / ((await barriersOf(service)) - barriers);
}

async function barriersOf(service: Service): Promise<number> {
  const line = await service.logged(/admin listener ready/);
  const address = /"address":"([^"]+)"/.exec(line)?.[1] ?? "";
  const text = await (await fetch(`http://${address}/metrics`)).text();
  return Number(/^onarrival_store_barriers_total\{[^}]*\} (\d+)$/m.exec(text)?.[1]);
}

test("on a slow disk a barrier waits for company, so that more messages share it than would by themselves", async ({
  skip,
}) => {
  const through = failing(BARRIERS.map((call) => `${call}:delay_enter=60000`));
  skip(through === undefined, "no strace");
  const byThemselves = await sharedBarriers(through ?? [], 0);
  expect(await sharedBarriers(through ?? [], 30)).toBeGreaterThan(1.3 * byThemselves);
});

test("C12 when folders become read-only mail is refused as soon as a new segment is needed, and taken again when they may be written", async ({
  skip,
}) => {
  await using service = await startService({
    config: serviceConfig({ server: QUICK_RETRY, file: SMALL_SEGMENTS }),
  });
  const large = "y".repeat(70).concat("\r\n").repeat(8000);
  expect(await offer(service.port, "before", large)).toMatch(/^250/);
  await service.dropped(1);
  let answer = "";
  {
    await using cover = coverReadOnly(service.mailroot);
    skip(cover === undefined, "no right to mount");
    // The segment that is open may still be written.
    for (let number = 0; number < 5 && !answer.startsWith("4"); number += 1)
      answer = await offer(service.port, `meanwhile${number}`, large);
    expect(answer).toMatch(/^452 4\.3\.1/);
    expect(await subjectsIn(service)).toEqual(["before"]);
  }
  await untilTaken(service, "after");
  await eventually(async () => (await service.queue()).length === 0, { what: "an empty queue" });
  expect(await subjectsIn(service)).toContain("meanwhile0");
});

test("C12 a service that starts on a read-only volume says so and ends", async ({ skip }) => {
  await using folder = await tempFolder("readonly");
  await using volume = await mountTmpfs(folder.path, "size=64m");
  skip(volume === undefined, "no right to mount");
  if (volume === undefined) return;
  await mkdir(path.join(volume.path, "mailroot"));
  volume.remount("remount,ro");
  await using service = await startService({
    config: CONFIG,
    mailroot: path.join(volume.path, "mailroot"),
    waitForReady: false,
  });
  expect(await service.exited).toBe(1);
  expect(service.log.join("\n")).toMatch(/write permission/);
});

test("C17 a mailroot that is moved away stops the intake, and its return is noticed", async () => {
  await using service = await startService({ config: CONFIG });
  const elsewhere = path.join(service.folder, "elsewhere");
  expect(await offer(service.port, "before")).toMatch(/^250/);
  await service.dropped(1);
  await rename(service.mailroot, elsewhere);
  await eventually(async () => (await offer(service.port, "meanwhile")).startsWith("452"), {
    what: "a refusal",
    intervalMs: 100,
  });
  expect(service.log.join("\n")).toMatch(/ENOENT/);
  await rename(elsewhere, service.mailroot);
  await untilTaken(service, "after");
  await eventually(async () => (await subjectsIn(service)).includes("after"), {
    what: "the message in Drop",
  });
});

test("C17 Q04 without its Drop folder mail waits and is delivered when the folder is back", async () => {
  await using service = await startService({ config: CONFIG });
  const drop = path.join(service.mailroot, "Drop");
  await rm(drop, { recursive: true });
  // A file in its place: nobody can make a folder there.
  await writeFile(drop, "");
  expect(await offer(service.port, "waits")).toMatch(/^250/);
  await eventually(async () => (await service.queue())[0]?.state === "retry", { what: "a failed attempt" });
  await rm(drop);
  await mkdir(drop);
  expect((await service.dropped(1)).length).toBe(1);
  await eventually(async () => (await service.queue()).length === 0, { what: "an empty queue" });
});

test("C07 Q05 with a full volume Badmail keeps nothing and loses nothing: the message waits and is moved when there is room", async ({
  skip,
}) => {
  await using folder = await tempFolder("full");
  await using volume = await mountTmpfs(folder.path, "size=1m");
  skip(volume === undefined, "no right to mount");
  if (volume === undefined) return;
  const filler = path.join(volume.path, "filler");
  await using service = await startService({
    config: serviceConfig({
      server: QUICK_RETRY,
      file: QUICK_LOOKS,
      bindings: [
        {
          displayName: "to Badmail",
          event: "OnArrival",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "bad.js" },
        },
      ],
    }),
    scripts: {
      "bad.js": `export default function onArrival(msg) { const f = msg.EnvelopeFields; f("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = 3; f.Update(); }`,
    },
  });
  const badmail = path.join(service.mailroot, "Badmail");
  await rm(badmail, { recursive: true, force: true });
  await symlink(volume.path, badmail);
  await writeFile(filler, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined);
  expect(await offer(service.port, "bad", "y".repeat(50_000))).toMatch(/^250/);
  await service.logged(/Badmail/);
  expect((await service.queue()).length).toBe(1);
  expect((await service.badmail()).filter(({ name }) => name.endsWith(".BAD"))).toEqual([]);
  await rm(filler);
  const files = await eventually(
    async () => {
      const found = (await service.badmail()).filter(({ name }) => name.endsWith(".BAD"));
      return found.length === 1 && found;
    },
    { what: "the message in Badmail" },
  );
  expect(files[0]?.content.toString("latin1")).toContain("y".repeat(50_000));
  await eventually(async () => (await service.queue()).length === 0, { what: "an empty queue" });
});
