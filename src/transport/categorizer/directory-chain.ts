// Several directories as one: the first that has an entry answers.
import type { DirectoryAnswer, DirectoryQuery } from "../../events/contexts/directory-entries.ts";
import type { Directory } from "./directory.ts";

const NOT_MINE: DirectoryAnswer = { kind: "not-mine" };

export class DirectoryChain implements Directory {
  readonly #directories: readonly Directory[];

  constructor(directories: readonly Directory[]) {
    this.#directories = directories;
  }

  async resolve(
    queries: readonly DirectoryQuery[],
    attributes: readonly string[],
  ): Promise<readonly DirectoryAnswer[]> {
    const answers = queries.map(() => NOT_MINE);
    let open = queries.map((query, index) => ({ query, index }));
    for (const directory of this.#directories) {
      if (open.length === 0) break;
      const asked = open.map(({ query }) => query);
      // oxlint-disable-next-line no-await-in-loop -- a later one is asked for what this one does not have
      const found = await directory.resolve(asked, attributes);
      open = open.filter(({ index }, at) => {
        const answer = found[at] ?? NOT_MINE;
        // One of them is the authority for the domain, and none has the address.
        if (answer.kind !== "not-mine") answers[index] = answer;
        return answer.kind === "not-mine" || answer.kind === "unknown";
      });
    }
    return answers;
  }

  async close(): Promise<void> {
    await Promise.all(this.#directories.map((directory) => directory.close()));
  }
}
