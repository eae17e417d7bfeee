// What the sinks that come with the service ask of their sink properties when the configuration is read. A mistake that shows with
// the first forged message only is found by the forger.
import type { PropertyBag } from "../events/sink.ts";
import { SinkPropertyError } from "../events/sink-property-error.ts";

/** Throws on a property that none of these is: a misspelt policy would silently be off. */
export function requireKnown({ names }: PropertyBag, known: readonly string[]): void {
  const unknown = names.find((name) => !known.some((one) => one.toLowerCase() === name.toLowerCase()));
  if (unknown !== undefined)
    throw new SinkPropertyError(
      unknown,
      `there is no sink property ${unknown}; it takes ${known.join(", ")}`,
    );
}

export function oneOf<Word extends string>(
  properties: PropertyBag,
  name: string,
  [first, ...others]: readonly [Word, ...Word[]],
): Word {
  const text = properties.text(name, first);
  const found = [first, ...others].find((word) => word === text);
  if (found !== undefined) return found;
  throw new SinkPropertyError(
    name,
    `sink property ${name} is "${text}"; it takes ${[first, ...others].join(", ")}`,
  );
}

/** Also as smtpreg writes it, which knows texts only. */
export function isOn(properties: PropertyBag, name: string): boolean {
  const text = properties.text(name, "false").toLowerCase();
  if (text === "true" || text === "false") return text === "true";
  throw new SinkPropertyError(name, `sink property ${name} is "${text}"; it takes true or false`);
}
