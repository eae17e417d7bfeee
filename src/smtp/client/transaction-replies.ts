// Which reply each recipient of a transaction got: its own, or the one that speaks for all (RFC 5321 §3.3, RFC 2033 §4.2).
import { isPositive, ownReply, type Reply } from "../../core/reply.ts";
import { isUnknownCommand, judgeRcpt, plain } from "./sinks/judgement.ts";
import type { PeerReply } from "./reply-reader.ts";

const NO_REPLY = ownReply(451, "5.0", "No reply of the next host for this recipient");

export class TransactionReplies {
  mailRefusal: Reply | undefined;
  /** Recipients that the peer took. */
  accepted = 0;
  readonly #recipients: number;
  /** By place; these were never asked about. */
  readonly #refusedHere: ReadonlyMap<number, Reply>;
  readonly #rcpts: Reply[] = [];
  /** LMTP answers the end of data once for each accepted recipient, in order. */
  #finals: Reply[] | undefined;

  constructor(recipients: number, refusedHere: ReadonlyMap<number, Reply>) {
    this.#recipients = recipients;
    this.#refusedHere = refusedHere;
  }

  addRcpt(answer: PeerReply): void {
    this.#rcpts.push(judgeRcpt(answer));
    if (isPositive(answer)) this.accepted += 1;
  }

  /** Answers whether that was the last one. */
  addFinal(answer: PeerReply): boolean {
    this.#finals ??= [];
    this.#finals.push(plain(answer));
    return this.#finals.length >= this.accepted;
  }

  /** The sender, or every recipient. */
  get isRefused(): boolean {
    return this.mailRefusal !== undefined || this.accepted === 0;
  }

  /** Of all recipients, when none was taken. */
  get rcptRefusals(): readonly Reply[] {
    return this.accepted === 0 ? this.#rcpts : [];
  }

  get hasFinals(): boolean {
    return this.#finals !== undefined;
  }

  /** LMTP: nobody's answer, so far, says that the command of the content is known. */
  get knowsNothing(): boolean {
    return this.#finals?.every(isUnknownCommand) ?? true;
  }

  /** LMTP: the first answer is that of a host that does not know the command. */
  get beganUnknown(): boolean {
    const first = this.#finals?.[0];
    return first !== undefined && isUnknownCommand(first);
  }

  /** One per recipient; `rest` is for those that were accepted and have no answer of their own. */
  all(rest: Reply = NO_REPLY): Reply[] {
    const replies: Reply[] = [];
    let asked = 0;
    let taken = 0;
    for (let place = 0; place < this.#recipients; place += 1) {
      const local = this.#refusedHere.get(place);
      if (local !== undefined) {
        replies.push(local);
        continue;
      }
      const rcpt = this.#rcpts[asked];
      asked += 1;
      if (rcpt !== undefined && isPositive(rcpt)) {
        replies.push(this.mailRefusal ?? this.#finals?.[taken] ?? rest);
        taken += 1;
      } else replies.push(this.mailRefusal ?? rcpt ?? rest);
    }
    return replies;
  }
}
