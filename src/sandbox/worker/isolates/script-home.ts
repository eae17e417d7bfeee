// One isolate of a script version with its contexts: each holds one call, from its start to its end, also while it waits.
import type { ScriptCall } from "../../../../runtime/contract.ts";
import type { CallState } from "../call-state.ts";
import { createHostFunction, type HostSide } from "../calls/host-calls.ts";
import { type ScriptContext, ScriptIsolate } from "./isolate.ts";
import type { RuntimeSource } from "./runtime-source.ts";
import { findSecret } from "../calls/request-calls.ts";

/** For whom a script is loaded: a call, or an inspection, which has no secrets and sees empty ones. */
export type LoadedFor = ScriptCall | "inspection";

/** A context and the call whose turn it is. Between turns what runs in it (a finalizer) reaches nothing. */
export class Room implements HostSide {
  readonly home: ScriptHome;
  readonly context: ScriptContext;
  state: CallState | undefined;
  #loadingFor: LoadedFor | undefined;
  /** What the top level of the script read: a call that would see other values needs another context. */
  #secrets: Map<string, string> | undefined;

  constructor(home: ScriptHome, loadingFor: LoadedFor) {
    this.home = home;
    this.#loadingFor = loadingFor;
    this.context = home.isolate.createContext(createHostFunction(this));
  }

  secretAtLoad(name: string): string | undefined {
    const value = this.#loadingFor === "inspection" ? "" : findSecret(this.#loadingFor?.secrets, name);
    if (value !== undefined) (this.#secrets ??= new Map()).set(name, value);
    return value;
  }

  loaded(): void {
    this.#loadingFor = undefined;
  }

  suits({ secrets }: ScriptCall): boolean {
    if (this.#secrets === undefined) return true;
    return [...this.#secrets].every(([name, value]) => findSecret(secrets, name) === value);
  }
}

export class ScriptHome {
  readonly isolate: ScriptIsolate;
  readonly memoryMb: number;
  /** For a call that must have no company: nobody else gets in. */
  readonly isPrivate: boolean;
  /** Calls that are in it, most of them waiting. */
  calls = 0;
  uses = 0;
  contexts = 0;
  #idle: Room[] = [];
  /** Made ahead, with nothing of any script in it. */
  #blank: Room | undefined;
  #isRetired = false;

  constructor(runtime: RuntimeSource, memoryMb: number, isPrivate: boolean) {
    this.isolate = new ScriptIsolate(runtime, memoryMb);
    this.memoryMb = memoryMb;
    this.isPrivate = isPrivate;
  }

  get isGone(): boolean {
    return this.#isRetired || this.isolate.isDisposed;
  }

  /** Makes the context of the next inspection ahead. */
  prepare(): void {
    this.#blank = new Room(this, "inspection");
  }

  /** A context to load the script in. */
  newRoom(loadingFor: LoadedFor): Room {
    const blank = loadingFor === "inspection" ? this.#blank : undefined;
    this.#blank = undefined;
    this.contexts += 1;
    return blank ?? new Room(this, loadingFor);
  }

  /** A loaded context for the call, if there is one. */
  take(call: ScriptCall): Room | undefined {
    const last = this.#idle.pop();
    if (last === undefined || last.suits(call)) return last;
    this.#idle.push(last);
    const index = this.#idle.findIndex((room) => room.suits(call));
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  /** A loaded context that no call was in yet. */
  keep(room: Room): void {
    this.#idle.push(room);
  }

  /** The call has left; its context serves the next one, if it can. */
  leave(room: Room, isReusable: boolean): void {
    this.calls -= 1;
    if (isReusable && !this.isGone) this.#idle.push(room);
    else room.context.release();
    if (this.#isRetired && this.calls === 0) this.isolate.dispose();
  }

  /** No new calls; those that wait in it end in it. */
  retire(): void {
    this.#isRetired = true;
    this.#idle = [];
    if (this.calls === 0) this.isolate.dispose();
  }

  /** With everything that is in it. */
  dispose(): void {
    this.#isRetired = true;
    this.#idle = [];
    this.isolate.dispose();
  }
}
