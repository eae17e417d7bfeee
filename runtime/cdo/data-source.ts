// IDataSource: what a message or body part is bound to. Save() writes there; the arriving message is bound to the
// transport's content from the start.
import { CdoError } from "./errors.ts";
import type { Host } from "../host.ts";
import { PARTS_PER_MESSAGE } from "../read-texts.ts";
import { defineUnavailable, refuseWrite, toText } from "./member-names.ts";
import { Stream } from "./stream.ts";
import { cut } from "../contract.ts";

/** The object as the data source needs it; the classes that have a data source give it about themselves. */
export interface Bindable {
  readonly handle: number;
  readonly isMessage: boolean;
}

/** Tells what of a script's object is a message or a part; undefined when it is neither. */
export type Identify = (value: unknown) => Bindable | undefined;

type Binding =
  | { readonly kind: "none" }
  | { readonly kind: "transport" }
  | { readonly kind: "stream"; readonly source: Stream }
  | {
      readonly kind: "object";
      readonly source: object;
      readonly target: Bindable;
      readonly interfaceName: string;
    };

const INTERFACES: Readonly<Record<string, string>> = {
  _stream: "_Stream",
  istream: "IStream",
  ibodypart: "IBodyPart",
  imessage: "IMessage",
};

const missedTransport = (): string =>
  "DataSource.Save (the message is bound to another object by OpenObject or SaveToObject: not to the transport any more)";

export class DataSource {
  readonly #host: Host;
  readonly #self: Bindable;
  readonly #identify: Identify;
  readonly #opened: () => void;
  #binding: Binding;

  /** `opened` is told when other content was loaded. */
  constructor(host: Host, self: Bindable, identify: Identify, opened: () => void = () => {}) {
    this.#host = host;
    this.#self = self;
    this.#identify = identify;
    this.#opened = opened;
    this.#binding = { kind: self.isMessage && self.handle === 0 ? "transport" : "none" };
  }

  /** Whether something was changed since the message came or was last saved. */
  get IsDirty(): boolean {
    return this.#host.isDirty(this.#self.handle);
  }

  // The documentation calls it read-only, the type library has a setter: accepted, without effect.
  set IsDirty(_value: unknown) {}

  /** The object that OpenObject or SaveToObject bound; null for the transport's content. */
  get Source(): object | null {
    return "source" in this.#binding ? this.#binding.source : null;
  }

  set Source(_value: unknown) {
    refuseWrite("DataSource.Source (use OpenObject or SaveToObject)");
  }

  get SourceClass(): string {
    switch (this.#binding.kind) {
      case "none":
        return "";
      case "object":
        return this.#binding.interfaceName;
      case "transport":
      case "stream":
        return "_Stream";
    }
  }

  set SourceClass(_value: unknown) {
    refuseWrite("DataSource.SourceClass");
  }

  Save(): void {
    const binding = this.#binding;
    switch (binding.kind) {
      case "transport":
        this.#host.save();
        return;
      case "none":
        throw new CdoError(
          "CDO_E_NOT_OPENED",
          "DataSource.Save (bind it with OpenObject or SaveToObject first)",
        );
      case "stream":
      case "object":
        this.#write(binding);
        if (this.#self.isMessage && this.#self.handle === 0 && this.IsDirty)
          this.#host.expectUpdate(this, missedTransport);
    }
  }

  /** Loads the content of the object and binds to it. */
  OpenObject(source: unknown, interfaceName: unknown): void {
    const binding = this.#resolve(source, interfaceName, "OpenObject");
    const { handle } = this.#self;
    if (binding.kind === "stream") this.#host.setContent(handle, "whole", Stream.contentOf(binding.source));
    else this.#host.copyContent(binding.target.handle, handle, "open");
    this.#opened();
    this.#bind(binding);
  }

  /** Writes the content into the object and binds to it. */
  SaveToObject(target: unknown, interfaceName: unknown): void {
    const binding = this.#resolve(target, interfaceName, "SaveToObject");
    this.#write(binding);
    this.#bind(binding);
  }

  #write(binding: Extract<Binding, { source: object }>): void {
    const { handle, isMessage } = this.#self;
    if (binding.kind === "stream") Stream.fill(binding.source, this.#host.content(handle, "whole"));
    else this.#host.copyContent(handle, binding.target.handle, isMessage ? "embed" : "open");
    this.#markSaved();
  }

  #bind(binding: Binding): void {
    this.#binding = binding;
    this.#markSaved();
  }

  /** The arriving message is never clean before it is saved to the transport: what is lost then is named in the log. */
  #markSaved(): void {
    if (this.#self.isMessage && this.#self.handle !== 0) this.#host.markSaved(this.#self.handle);
  }

  #resolve(value: unknown, name: unknown, member: string): Extract<Binding, { source: object }> {
    const text = toText(name);
    const interfaceName = INTERFACES[text.toLowerCase()];
    if (interfaceName === undefined)
      throw new CdoError("CDO_E_UNSUPPORTED_DATASOURCE", `DataSource.${member} "${cut(text, 100)}"`);
    if (interfaceName.endsWith("Stream")) {
      if (value instanceof Stream) return { kind: "stream", source: value };
      throw new CdoError("CDO_E_ARGUMENT1", `DataSource.${member} needs an ADODB.Stream`);
    }
    const target = this.#identify(value);
    if (target === undefined || typeof value !== "object" || value === null)
      throw new CdoError("CDO_E_ARGUMENT1", `DataSource.${member} needs a message or a body part`);
    if (interfaceName === "IMessage" && !target.isMessage)
      throw new CdoError("CDO_E_ARGUMENT1", `DataSource.${member} as IMessage needs a message`);
    if (isSelf(this.#self, target)) throw new CdoError("CDO_E_SELF_BINDING", `DataSource.${member}`);
    return { kind: "object", source: value, target, interfaceName };
  }
}
defineUnavailable(DataSource, ["Open", "SaveTo", "SaveToContainer"]);

/** In the original these were never there: reading them says so. */
for (const member of ["ActiveConnection", "SourceURL"]) {
  const refuse = (): never => {
    throw new CdoError("CDO_E_NOT_AVAILABLE", `DataSource.${member}`);
  };
  Object.defineProperty(DataSource.prototype, member, { get: refuse, set: refuse, configurable: true });
}

/** A message holds its parts: binding it to one of them would make it its own content. */
const messageOf = (handle: number): number => Math.floor(handle / PARTS_PER_MESSAGE);

const isSelf = (self: Bindable, other: Bindable): boolean =>
  self.handle === other.handle || (self.isMessage && messageOf(self.handle) === messageOf(other.handle));
