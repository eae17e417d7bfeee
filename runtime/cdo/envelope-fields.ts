// EnvelopeFields: what the transport knows of the message. Update() commits it; DataSource.Save has no part in that.
import { FieldsBase, type FieldSource } from "./fields.ts";
import type { Host } from "../host.ts";
import { toText } from "./member-names.ts";

const NAMESPACE = "http://schemas.microsoft.com/cdo/smtpenvelope/";

const NOTHING: FieldSource = { read: () => undefined };

function sources(host: Host): ReadonlyMap<string, FieldSource> {
  return new Map<string, FieldSource>([
    ["arrivaltime", { read: () => new Date(host.envelopeNumber("arrivalTime")) }],
    ["clientipaddress", { read: () => host.envelope("clientAddress") }],
    ["pickupfilename", { read: () => host.envelope("pickupFileName") }],
    [
      "messagestatus",
      {
        read: () => host.envelopeNumber("status"),
        write: (value) => host.stageEnvelope("status", value === undefined ? "0" : toText(value)),
      },
    ],
    [
      "recipientlist",
      {
        read: () => host.envelope("recipients"),
        write: (value) => host.stageEnvelope("recipients", toText(value)),
      },
    ],
    [
      "senderemailaddress",
      { read: () => host.envelope("sender"), write: (value) => host.stageEnvelope("sender", toText(value)) },
    ],
  ]);
}

export class EnvelopeFields extends FieldsBase {
  readonly #host: Host;
  readonly #hasEnvelope: boolean;
  readonly #sources: ReadonlyMap<string, FieldSource>;

  /** A message that did not arrive has no envelope: its fields are there, empty, and cannot be set. */
  constructor(host: Host, hasEnvelope: boolean) {
    super(host, "EnvelopeFields", NAMESPACE);
    this.#host = host;
    this.#hasEnvelope = hasEnvelope;
    this.#sources = sources(host);
  }

  protected override sourceOf(name: string): FieldSource | undefined {
    const lower = name.toLowerCase();
    const source = lower.startsWith(NAMESPACE) ? this.#sources.get(lower.slice(NAMESPACE.length)) : undefined;
    return source === undefined || this.#hasEnvelope ? source : NOTHING;
  }

  protected override presentNames(): string[] {
    return this.#hasEnvelope ? [...this.#sources.keys()].map((name) => NAMESPACE + name) : [];
  }

  protected override commit(): void {
    this.#host.commitEnvelope();
  }
}
