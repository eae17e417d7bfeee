// A Pickup on a real mailroot with a store of its own.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "../../../src/core/clock.ts";
import type { Envelope, Origin } from "../../../src/core/envelope.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { LogFields } from "../../../src/core/logger.ts";
import { parseAddressList } from "../../../src/mime/addresses.ts";
import { createBadmail } from "../../../src/store/badmail.ts";
import { createPickup } from "../../../src/store/pickup.ts";
import type { PickupOptions } from "../../../src/store/pickup.ts";
import { createStore } from "./store-samples.ts";

export const parseAddresses = (raw: string): string[] => parseAddressList(raw).map(({ address }) => address);

interface Taken {
  readonly id: string;
  /** The Received field in front. */
  readonly trace: string;
  readonly origin: Origin;
  readonly envelope: Envelope;
  readonly text: string;
}

interface OpenPickup extends AsyncDisposable {
  readonly folder: string;
  readonly taken: Taken[];
  readonly warnings: LogFields[];
  close(): Promise<void>;
}

/** What it submits is committed to the store and noted. */
export async function openPickup(
  mailroot: string,
  options: Partial<PickupOptions> = {},
  isCommitted?: (id: string) => boolean,
): Promise<OpenPickup> {
  const store = createStore(path.join(mailroot, "Queue"));
  const { messages } = await store.open();
  const known = new Set(messages.map(({ id }) => id));
  const taken: Taken[] = [];
  const warnings: LogFields[] = [];
  const folder = path.join(mailroot, "Pickup");
  await mkdir(folder, { recursive: true });
  const pickup = createPickup({
    folder,
    pollMs: 20,
    settleMs: () => 20,
    hostName: () => "relay.example",
    maxHops: () => 3,
    nextId: store.nextId,
    createSpool: () => store.createSpoolFile(),
    submit: async (id, origin, envelope, content) => {
      await store.commit(id, origin, envelope, content);
      const [trace = "", ...rest] = (await content.toBuffer()).toString().split(/(?<=\r\n)(?![ \t])/);
      taken.push({ id, origin, envelope, trace, text: rest.join("") });
    },
    parseAddresses,
    badmail: createBadmail({ folder: path.join(mailroot, "Badmail") }),
    logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
    clock: systemClock,
    ...options,
  });
  await pickup.start(isCommitted ?? ((id) => known.has(id)));
  const close = async (): Promise<void> => {
    await pickup.close();
    await store.close();
  };
  return { folder, taken, warnings, close, [Symbol.asyncDispose]: close };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const mail =
  "x-sender: alice@example.com\r\nx-receiver: bob@example.net\r\nSubject: s\r\n\r\nbody\r\n";
