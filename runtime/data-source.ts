// IDataSource of the arriving message: bound to the transport's content from the start; Save() writes the message there.
import type { Host } from "./host.ts";
import { defineUnavailable } from "./member-names.ts";

export class DataSource {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Whether something was changed since the message came or was last saved. */
  get IsDirty(): boolean {
    return this.#host.isDirty();
  }

  // The documentation calls it read-only, the type library has a setter: accepted, without effect.
  set IsDirty(_value: unknown) {}

  get SourceClass(): string {
    return "_Stream";
  }

  Save(): void {
    this.#host.save();
  }
}
defineUnavailable(DataSource, [
  "ActiveConnection",
  "Open",
  "OpenObject",
  "SaveTo",
  "SaveToContainer",
  "SaveToObject",
  "Source",
  "SourceURL",
]);
