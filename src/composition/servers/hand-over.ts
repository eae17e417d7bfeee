// At the start of the service: mail in the mailroot of one virtual server that came by another one goes into that one's (decision 27).
//
// Order for one message, before any of the servers does anything, so that a crash in between neither loses nor doubles it:
//   1. commit to the other store, under the same id, with the content that the sinks left;
//   2. save its state there: durable when it resolves;
//   3. remove it here. Where that is lost, the next start finds the id in the other store, makes up for step 2, and repeats step 3.
// As the end of any message, step 3 is durable a moment later: had the other server finished it by then, a crash would repeat it.
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Content } from "../../message/content.ts";
import type { RecoveredMessage, Recovery, StoreDriver } from "../../store/store-driver.ts";
import { DEFAULT_STORE_SETTINGS } from "../../store/settings.ts";
import { unfinishedCopies, withoutUnfinishedCopies } from "../../transport/unfinished-copies.ts";

/** A virtual server between its opening and its begin. */
export interface UnbegunServer {
  readonly name: string;
  readonly store: Pick<
    StoreDriver,
    "commit" | "saveState" | "loadContent" | "reload" | "reloadInOrder" | "rest" | "remove"
  >;
  /** What an earlier run left there. */
  readonly left: Recovery;
  /** `gone`: ids that were there and are no more. */
  leave(left: Recovery, gone: ReadonlySet<string>): void;
}

/** Messages of one other server that stay here for one reason. */
interface Stay {
  readonly cameBy: string;
  messages: number;
  /** Of the first one: a store that takes nothing takes none of a million. */
  readonly message: string;
  readonly error: string;
}

/** Why one message stays where it is. */
class Kept {
  readonly reason: "unreadable" | "refused";
  readonly error: string;

  constructor(reason: Kept["reason"], thrown: unknown) {
    this.reason = reason;
    this.error = describeError(thrown);
  }
}

/** Messages handed over at a time: they share the barriers of the stores. */
const AT_ONCE = 100;

export async function handOver(servers: readonly UnbegunServer[], log: Logger): Promise<void> {
  const names = new Set(servers.map(({ name }) => name));
  const isForeign = ({ name, left }: UnbegunServer): boolean =>
    left.messages.some(({ origin: { server } }) => server !== name && names.has(server));
  // Nothing is read beyond what the start has read for servers that have mail of their own only.
  const givers = servers.filter(isForeign);
  if (givers.length === 0) return;
  const parts = new Map(servers.map((server) => [server.name, new Part(server)]));
  for (const { name } of givers) {
    // oxlint-disable-next-line no-await-in-loop -- one store after the other
    await parts.get(name)?.give(parts, log);
  }
  for (const part of parts.values()) part.leave();
}

class Part {
  readonly #server: UnbegunServer;
  #messages: RecoveredMessage[];
  #later: string[];
  /** Ids that were here: other servers have them now, or they were copies that nobody stands behind. */
  readonly #gone = new Set<string>();
  /** Ids of all that is here; made when somebody asks. */
  #known: Set<string> | undefined;
  /** By their server and the reason. */
  readonly #stays = new Map<string, Stay>();

  constructor(server: UnbegunServer) {
    this.#server = server;
    // A message that was being split is split anew by its own server: its copies must not stay behind as messages.
    const { messages, later } = withoutUnfinishedCopies(server.left, (id) => server.store.remove(id));
    this.#messages = [...messages];
    this.#later = [...later];
  }

  leave(): void {
    const { left } = this.#server;
    this.#server.leave({ ...left, messages: this.#messages, later: this.#later }, this.#gone);
  }

  async give(parts: ReadonlyMap<string, Part>, log: Logger): Promise<void> {
    const { name: server, store } = this.#server;
    const counts = new Map<string, number>();
    const giveSome = async (messages: readonly RecoveredMessage[]): Promise<void> => {
      const given = await Promise.all(messages.map((message) => this.#giveOne(message, parts)));
      // In their order: copies come behind their message, and the first that stays is the one that is told.
      for (const [index, message] of messages.entries()) {
        const owner = given[index];
        if (owner instanceof Kept) this.#keep(message, owner);
        if (!(owner instanceof Part)) continue;
        owner.#enlist(message);
        this.#gone.add(message.id);
        counts.set(message.origin.server, (counts.get(message.origin.server) ?? 0) + 1);
      }
    };
    for (let at = 0; at < this.#messages.length; at += AT_ONCE)
      await giveSome(this.#messages.slice(at, at + AT_ONCE));
    for (let at = 0; at < this.#later.length; at += AT_ONCE) {
      const found = await store.reloadInOrder(this.#later.slice(at, at + AT_ONCE));
      const copies = unfinishedCopies(found);
      for (const id of copies) {
        store.remove(id);
        this.#gone.add(id);
      }
      await giveSome(found.filter(({ id }) => !copies.has(id)));
    }
    this.#messages = this.#messages.filter(({ id }) => !this.#gone.has(id));
    this.#later = this.#later.filter((id) => !this.#gone.has(id));
    for (const [cameBy, messages] of counts)
      log.info({ server, cameBy, messages }, "messages of another virtual server were handed over to it");
    for (const stay of this.#stays.values())
      log.error({ server, ...stay }, "messages of another virtual server could not be handed over to it");
  }

  /** Who has it now. What cannot be handed over stays, and is held. Undefined: it is here at home. */
  async #giveOne(
    message: RecoveredMessage,
    parts: ReadonlyMap<string, Part>,
  ): Promise<Part | Kept | undefined> {
    const { name: server, store } = this.#server;
    const { id, origin } = message;
    const owner = origin.server === server ? undefined : parts.get(origin.server);
    if (owner === undefined) return undefined;
    // What cannot be read here is not refused there, and hides nothing that is.
    let reason: Kept["reason"] = "unreadable";
    try {
      if (owner.#has(id)) {
        await owner.#makeUpFor(message);
      } else {
        const content = await store.loadContent(id);
        reason = "refused";
        await owner.#take(message, content);
      }
    } catch (thrown) {
      return new Kept(reason, thrown);
    }
    store.remove(id);
    return owner;
  }

  #keep({ id, origin: { server: cameBy } }: RecoveredMessage, { reason, error }: Kept): void {
    const key = `${reason} ${cameBy}`;
    const stay = this.#stays.get(key) ?? { cameBy, messages: 0, message: id, error };
    stay.messages += 1;
    this.#stays.set(key, stay);
  }

  #has(id: string): boolean {
    this.#known ??= new Set([...this.#messages.map((one) => one.id), ...this.#later]);
    return this.#known.has(id);
  }

  async #take({ id, origin, envelope, state }: RecoveredMessage, content: Content): Promise<void> {
    const { store } = this.#server;
    await store.commit(id, origin, envelope, content);
    if (state === undefined) return;
    try {
      await store.saveState(id, state, undefined, true);
    } catch (thrown) {
      // Without its state it would begin anew, while the other one is held.
      store.remove(id);
      throw thrown;
    }
  }

  /** A crash came before the state was saved: what is here would begin anew, with what sinks have changed already. */
  async #makeUpFor(message: RecoveredMessage): Promise<void> {
    const { store } = this.#server;
    const { id, state } = message;
    if (state === undefined || (await store.reload(id)).state !== undefined) return;
    await store.saveState(id, state, undefined, true);
    this.#messages = this.#messages.map((known) => (known.id === id ? message : known));
  }

  #enlist(message: RecoveredMessage): void {
    if (this.#known?.has(message.id) === true) return;
    this.#known?.add(message.id);
    if (this.#messages.length < DEFAULT_STORE_SETTINGS.recoverAtOnce) {
      this.#messages.push(message);
      return;
    }
    this.#later.push(message.id);
    this.#server.store.rest(message.id);
  }
}
