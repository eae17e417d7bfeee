// The second argument of OnArrival: whether the remaining sinks run. In the original an out-parameter, here an object.
import { toText } from "./member-names.ts";

export class EventStatus {
  #value = 0;

  /** cdoRunNextSink (0) or cdoSkipRemainingSinks (1). */
  get Value(): number {
    return this.#value;
  }

  set Value(value: number) {
    this.#value = typeof value === "number" ? value : Number(toText(value));
  }

  valueOf(): number {
    return this.#value;
  }

  toString(): string {
    return String(this.#value);
  }
}
