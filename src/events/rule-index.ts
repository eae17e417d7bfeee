// Which of many bindings match a message, without asking each: patterns that are open at one end at most are found by hash.
import { localPartOf } from "../core/address.ts";
import { type Condition, type Rule, type RuleSubject, type Wildcard, matchesCondition } from "./rule.ts";

type Positions = Map<string, number[]>;

function append(to: Positions, key: string, position: number): void {
  const list = to.get(key);
  if (list === undefined) to.set(key, [position]);
  else list.push(position);
}

function find(from: Positions, key: string, found: number[]): void {
  const positions = from.size === 0 ? undefined : from.get(key);
  if (positions !== undefined) found.push(...positions);
}

/** The text of a pattern without `*`. */
const exactText = (wildcard: Wildcard | undefined): string | undefined =>
  wildcard?.open === "none" ? wildcard.text : undefined;

/** Conditions on one address. */
class AddressIndex {
  /** name@domain */
  readonly #addresses: Positions = new Map();
  /** *@domain */
  readonly #domains: Positions = new Map();
  /** *@*.domain, with the dot */
  readonly #domainEnds: Positions = new Map();
  /** name@* */
  readonly #localParts: Positions = new Map();
  /** name, which may be the local part or the whole address */
  readonly #names: Positions = new Map();
  #isEmpty = true;

  /** False: it has to be tried on each address. */
  add({ name, domain, whole }: Condition, position: number): boolean {
    const exactName = exactText(name);
    const exactDomain = exactText(domain);
    if (name !== undefined && exactName === undefined) return false;
    if (whole) {
      if (exactName === undefined) return false;
      append(this.#names, exactName, position);
    } else if (exactDomain !== undefined) {
      if (exactName === undefined) append(this.#domains, exactDomain, position);
      else append(this.#addresses, `${exactName}@${exactDomain}`, position);
    } else if (domain === undefined && exactName !== undefined) {
      append(this.#localParts, exactName, position);
    } else if (name === undefined && domain?.open === "start" && domain.text.startsWith(".")) {
      append(this.#domainEnds, domain.text, position);
    } else return false;
    this.#isEmpty = false;
    return true;
  }

  look(address: string, found: number[]): void {
    if (this.#isEmpty) return;
    const lower = address.toLowerCase();
    const at = lower.lastIndexOf("@");
    const domain = at < 0 ? "" : lower.slice(at + 1);
    find(this.#addresses, lower, found);
    find(this.#domains, domain, found);
    if (this.#localParts.size + this.#names.size > 0) {
      const localPart = localPartOf(lower);
      find(this.#localParts, localPart, found);
      find(this.#names, localPart, found);
      find(this.#names, lower, found);
    }
    if (this.#domainEnds.size === 0) return;
    for (let dot = domain.indexOf("."); dot >= 0; dot = domain.indexOf(".", dot + 1))
      find(this.#domainEnds, domain.slice(dot), found);
  }
}

export class RuleIndex {
  /** Positions without a rule: always. */
  readonly #always: number[] = [];
  readonly #senders = new AddressIndex();
  readonly #recipients = new AddressIndex();
  readonly #hosts: Positions = new Map();
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
    } else if (!this.#isIndexed(condition, position)) this.#others.push({ condition, position });
  }

  #isIndexed(condition: Condition, position: number): boolean {
    if (condition.field === "sender") return this.#senders.add(condition, position);
    if (condition.field === "recipient") return this.#recipients.add(condition, position);
    const host = exactText(condition.name);
    if (host !== undefined) append(this.#hosts, host, position);
    return host !== undefined;
  }

  /** Positions that match, ascending, each once. */
  matches(subject: RuleSubject): number[] {
    const found = this.#always.slice();
    this.#senders.look(subject.sender, found);
    for (const recipient of subject.recipients) this.#recipients.look(recipient.address, found);
    if (this.#hosts.size > 0 && subject.heloDomain !== undefined)
      find(this.#hosts, subject.heloDomain.toLowerCase(), found);
    for (const { condition, position } of this.#others) {
      if (matchesCondition(condition, subject)) found.push(position);
    }
    if (found.length < 2 || found.length === this.#always.length) return found;
    return [...new Set(found)].toSorted((a, b) => a - b);
  }
}
