// What scripts find in their global scope beside the language: constants, console, text coding. No timers, no I/O.
import { BodyPart, BodyParts } from "./cdo/body-parts.ts";
import { narrowBuiltIns } from "./built-ins.ts";
import type { CapabilityName } from "./web/capabilities.ts";
import { Collection, Dictionary, Enumerator } from "./cdo/collections.ts";
import { Configuration, ConfigurationFields } from "./cdo/configuration.ts";
import * as constants from "./cdo/constants.ts";
import { DataSource } from "./cdo/data-source.ts";
import { DropDirectory, Messages } from "./cdo/drop-directory.ts";
import { EnvelopeFields } from "./cdo/envelope-fields.ts";
import { CdoError } from "./cdo/errors.ts";
import { EventStatus } from "./cdo/event-status.ts";
import { Field, Fields, FieldsBase } from "./cdo/fields.ts";
import type { Host } from "./host.ts";
import { resolveAnyCase, toText } from "./cdo/member-names.ts";
import { Message } from "./cdo/message.ts";
import { Headers, Response } from "./web/responses.ts";
import { Stream } from "./cdo/stream.ts";
import { structuredClone } from "./web/structured-clone.ts";
import { atob, btoa, TextEncoder } from "./web/text-coding.ts";
import { createTextDecoder } from "./web/text-decoder.ts";
import { createUrl } from "./web/url.ts";
import { URLSearchParams } from "./web/url-search-params.ts";
import type { WebHost } from "./web/web-host.ts";
import { cut } from "./contract.ts";

/** The host of the message that is being processed; undefined while the script is being loaded. */
export type CurrentHost = () => Host | undefined;

type HostOfCall = () => Host;

const hostOfCall =
  (currentHost: CurrentHost): HostOfCall =>
  () => {
    const present = currentHost();
    if (present === undefined)
      throw new CdoError("CDO_E_NOT_AVAILABLE", "outside of a message (make the object inside onArrival)");
    return present;
  };

/** `new CDO.Message()`: functions, so that `new` can answer with an object that knows its host. */
function createCdo(host: HostOfCall): object {
  return Object.freeze({
    Message: function NewMessage(): object {
      return new Message(host(), host().newMessage());
    },
    Configuration: function NewConfiguration(): object {
      return new Configuration(host());
    },
    DropDirectory: function NewDropDirectory(): object {
      return new DropDirectory(host());
    },
  });
}

/** JScript's constructor of COM objects. A function, so that `new` can answer with another class. */
function createActiveXObject(host: HostOfCall): (progId: unknown) => object {
  return function ActiveXObject(progId: unknown): object {
    const name = cut(toText(progId), 100);
    switch (name.toLowerCase()) {
      case "cdo.message":
        return new Message(host(), host().newMessage());
      case "adodb.stream":
        return new Stream(host);
      case "scripting.dictionary":
        return new Dictionary();
      case "cdo.configuration":
        return new Configuration(host());
      case "cdo.dropdirectory":
        return new DropDirectory(host());
      default:
        throw new Error(`new ActiveXObject("${name}"): OnArrival does not serve this ProgID`);
    }
  };
}

/** Escapes and attack surface: shared memory and native code. */
function removeDangers(): void {
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics"])
    Reflect.deleteProperty(globalThis, name);
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
}

/** Not in a function: what is in one stays, and the bundle's namespace is a getter for each constant, in every context. */
for (const [name, value] of Object.entries(constants)) define(name, value);

export function installGlobals(
  console: object,
  randomUuid: () => string,
  currentHost: CurrentHost,
  webHost: WebHost,
  capabilities: Readonly<Record<CapabilityName, unknown>>,
): void {
  removeDangers();
  const web = { TextDecoder: createTextDecoder(webHost), URL: createUrl(webHost) };
  narrowBuiltIns();
  // Subclasses first: a class is frozen here together with the names of the classes that it extends.
  for (const type of [
    Message,
    BodyPart,
    BodyParts,
    DataSource,
    Stream,
    Configuration,
    ConfigurationFields,
    EnvelopeFields,
    Fields,
    Field,
    EventStatus,
    DropDirectory,
    Messages,
    Dictionary,
    Enumerator,
  ])
    resolveAnyCase(type);
  for (const type of [FieldsBase, Collection, CdoError]) {
    Object.freeze(type.prototype);
    Object.freeze(type);
  }
  for (const type of [TextEncoder, URLSearchParams, Headers, Response]) Object.freeze(type.prototype);
  for (const { prototype } of Object.values(web)) {
    Object.freeze(Reflect.getPrototypeOf(prototype));
    Object.freeze(prototype);
  }
  const host = hostOfCall(currentHost);
  const values = {
    console,
    Enumerator,
    ActiveXObject: createActiveXObject(host),
    CDO: createCdo(host),
    TextEncoder,
    URLSearchParams,
    ...web,
    atob,
    btoa,
    structuredClone,
    ...capabilities,
  };
  for (const [name, value] of Object.entries(values)) define(name, value);
  define("crypto", Object.freeze({ randomUUID: randomUuid }));
  define("global", undefined);
  Reflect.deleteProperty(globalThis, "global");
}
