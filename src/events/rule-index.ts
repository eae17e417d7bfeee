// Which of many bindings match a message, without asking each: rules with an exact address or domain are found by hash.
import { domainOf } from "../core/address.ts";
import { type Condition, type Rule, type RuleSubject, type Wildcard, matchesCondition } from "./rule.ts";

type Positions = Map<string, number[]>;

function append(to: Positions, key: string, position: number): void {
  const list = to.get(key);
  if (list === undefined) to.set(key, [position]);
  else list.push(position);
}

const textOf = (wildcard: Wildcard | undefined): string => wildcard?.text ?? "";

/** An exact domain with an exact or any name: what a hash can find. */
const isIndexable = ({ whole, name, domain }: Condition): boolean =>
  !whole && domain?.open === "none" && (name === undefined || name.open === "none");

export class RuleIndex {
  /** Positions without a rule: always. */
  readonly #always: number[] = [];
  readonly #senderAddress: Positions = new Map();
  readonly #senderDomain: Positions = new Map();
  readonly #recipientAddress: Positions = new Map();
  readonly #recipientDomain: Positions = new Map();
  /** Conditions that have to be tried one by one. */
  readonly #others: { condition: Condition; position: number }[] = [];

  /** One rule per position; undefined fires always. */
  constructor(rules: readonly (Rule | undefined)[]) {
    rules.forEach((rule, position) => {
      if (rule === undefined) this.#always.push(position);
      else for (const condition of rule.conditions) this.#add(condition, position);
    });
  }

  #add(condition: Condition, position: number): void {
    const { field, name, domain } = condition;
    if (field === "sender" && name === undefined && domain === undefined) {
      if (this.#always.at(-1) !== position) this.#always.push(position);
    } else if (field === "helo" || !isIndexable(condition)) {
      this.#others.push({ condition, position });
    } else if (name === undefined) {
      append(field === "sender" ? this.#senderDomain : this.#recipientDomain, textOf(domain), position);
    } else {
      const address = `${name.text}@${textOf(domain)}`;
      append(field === "sender" ? this.#senderAddress : this.#recipientAddress, address, position);
    }
  }

  /** Positions that match, ascending, each once. */
  matches(subject: RuleSubject): number[] {
    const found = this.#always.slice();
    this.#look(this.#senderAddress, this.#senderDomain, subject.sender, found);
    for (const recipient of subject.recipients) {
      this.#look(this.#recipientAddress, this.#recipientDomain, recipient.address, found);
    }
    for (const { condition, position } of this.#others) {
      if (matchesCondition(condition, subject)) found.push(position);
    }
    if (found.length < 2 || found.length === this.#always.length) return found;
    return [...new Set(found)].toSorted((a, b) => a - b);
  }

  #look(addresses: Positions, domains: Positions, address: string, found: number[]): void {
    if (addresses.size === 0 && domains.size === 0) return;
    const byAddress = addresses.get(address.toLowerCase());
    if (byAddress !== undefined) found.push(...byAddress);
    const byDomain = domains.get(domainOf(address));
    if (byDomain !== undefined) found.push(...byDomain);
  }
}
