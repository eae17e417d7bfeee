// What the content headers of a part say (RFC 2045 §5 and §6, RFC 2183), read once per revision of its header block.
import type { Headers } from "./headers.ts";
import type { PartContext } from "./part-context.ts";
import { parseParameters, type ParameterizedValue } from "./parameters.ts";

const TRANSFER_ENCODING = /^\s*([^\s;(]+)/;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;
const ABSENT: ParameterizedValue = { value: "", parameters: new Map() };

export function requireMediaType(mediaType: string): string {
  const value = mediaType.trim().toLowerCase();
  if (MEDIA_TYPE.test(value)) return value;
  throw new RangeError(`"${value.slice(0, 40)}" is no media type`);
}

export class ContentFields {
  readonly #context: PartContext;
  #headers: Headers | undefined;
  #revision = -1;
  #type: ParameterizedValue | undefined;
  #transferEncoding: string | undefined;
  #disposition: ParameterizedValue | undefined;

  constructor(context: PartContext) {
    this.#context = context;
  }

  type(headers: Headers): ParameterizedValue {
    this.#refresh(headers);
    return (this.#type ??= this.#parse(headers, "Content-Type"));
  }

  /** Lower case; comments and parameters behind the token are left out. */
  transferEncoding(headers: Headers): string {
    this.#refresh(headers);
    this.#transferEncoding ??=
      TRANSFER_ENCODING.exec(this.#only(headers, "Content-Transfer-Encoding") ?? "")?.[1]?.toLowerCase() ??
      "7bit";
    return this.#transferEncoding;
  }

  disposition(headers: Headers): ParameterizedValue {
    this.#refresh(headers);
    return (this.#disposition ??= this.#parse(headers, "Content-Disposition"));
  }

  #parse(headers: Headers, name: string): ParameterizedValue {
    const raw = this.#only(headers, name);
    return raw === undefined
      ? ABSENT
      : parseParameters(raw, this.#context.limits.maxParameters, this.#context);
  }

  /** The first field of the name; readers differ over a second one, so that is told. */
  #only(headers: Headers, name: string): string | undefined {
    const value = headers.get(name);
    if (value !== undefined && headers.count(name) > 1)
      this.#context.note(`There are several ${name} fields: the first was taken`);
    return value;
  }

  #refresh(headers: Headers): void {
    if (this.#headers === headers && this.#revision === headers.revision) return;
    this.#headers = headers;
    this.#revision = headers.revision;
    this.#type = this.#disposition = undefined;
    this.#transferEncoding = undefined;
  }
}
