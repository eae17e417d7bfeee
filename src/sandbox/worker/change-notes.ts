// The edits of one call, for the effect log: what was changed and where in the script, once it is committed.
import { oneLine } from "../../core/printable.ts";
import { type ChangeNote, MAX_CHANGE_CHARS, MAX_CHANGE_NOTES, cut } from "../../../runtime/contract.ts";
import { positionAt } from "./isolates/script-fault.ts";

type Target = "content" | "envelope";

/** Edits that wait for their commit: the first ones with a note, all of them counted. */
class Pending {
  notes: ChangeNote[] = [];
  count = 0;

  add(note: ChangeNote): void {
    this.count += 1;
    if (this.notes.length < MAX_CHANGE_NOTES) this.notes.push(note);
  }
}

export class ChangeNotes {
  readonly #pending = { content: new Pending(), envelope: new Pending() };
  readonly #committed: { readonly target: Target; readonly note: ChangeNote }[] = [];
  /** Edits that were committed. */
  count = 0;
  /** Of the script's statement that asked for the running operation; 0 when it is unknown. */
  place = 0;
  /** An edit of the message or its envelope that is made and not yet committed. */
  add(target: Target, what: string): void {
    this.#pending[target].add(noteOf(what, this.place));
  }

  /** Save() or Update(). */
  commit(target: Target): void {
    const { notes, count } = this.#pending[target];
    this.count += count;
    for (const note of notes)
      if (this.#committed.length < MAX_CHANGE_NOTES) this.#committed.push({ target, note });
    this.forget(target);
  }

  forget(target: Target): void {
    this.#pending[target] = new Pending();
  }

  /** In order. What was saved and is the same as before is no change of the content. */
  committed(isContentChanged: boolean): ChangeNote[] {
    return this.#committed
      .filter(({ target }) => target === "envelope" || isContentChanged)
      .map(({ note }) => note);
  }
}

const noteOf = (what: string, place: number): ChangeNote => ({
  what: cut(oneLine(what), MAX_CHANGE_CHARS),
  ...positionAt(place),
});
