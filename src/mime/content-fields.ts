// What the content headers of a part say (RFC 2045 §5 and §6, RFC 2183), read once per revision of its header block.
import type { Headers } from "./headers.ts";
import { parseParameters, type ParameterizedValue } from "./parameters.ts";

const TRANSFER_ENCODING = /^\s*([^\s;(]+)/;
const ABSENT: ParameterizedValue = { value: "", parameters: new Map() };

export class ContentFields {
  readonly #maxParameters: number;
  #headers: Headers | undefined;
  #revision = -1;
  #type: ParameterizedValue | undefined;
  #transferEncoding: string | undefined;
  #disposition: ParameterizedValue | undefined;

  constructor(maxParameters: number) {
    this.#maxParameters = maxParameters;
  }

  type(headers: Headers): ParameterizedValue {
    this.#refresh(headers);
    return (this.#type ??= this.#parse(headers.get("Content-Type")));
  }

  /** Lower case; comments and parameters behind the token are left out. */
  transferEncoding(headers: Headers): string {
    this.#refresh(headers);
    this.#transferEncoding ??=
      TRANSFER_ENCODING.exec(headers.get("Content-Transfer-Encoding") ?? "")?.[1]?.toLowerCase() ?? "7bit";
    return this.#transferEncoding;
  }

  disposition(headers: Headers): ParameterizedValue {
    this.#refresh(headers);
    return (this.#disposition ??= this.#parse(headers.get("Content-Disposition")));
  }

  #parse(raw: string | undefined): ParameterizedValue {
    return raw === undefined ? ABSENT : parseParameters(raw, this.#maxParameters);
  }

  #refresh(headers: Headers): void {
    if (this.#headers === headers && this.#revision === headers.revision) return;
    this.#headers = headers;
    this.#revision = headers.revision;
    this.#type = this.#disposition = undefined;
    this.#transferEncoding = undefined;
  }
}
