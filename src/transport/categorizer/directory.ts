// The contract between the categorizer and a directory, whatever it is made of: a file, LDAP (REFERENCE 4.3).
import type { DirectoryAnswer, DirectoryQuery } from "../../events/contexts/directory-entries.ts";

export interface Directory {
  /**
   * One answer for each query, in their order. `attributes` are names that sinks asked for beside those of DirectoryEntry.
   * Throws when the directory cannot tell now (down, slow, ambiguous and to be held): the message waits and is tried
   * again, nobody is bounced.
   */
  resolve(
    queries: readonly DirectoryQuery[],
    attributes: readonly string[],
  ): Promise<readonly DirectoryAnswer[]>;
  close(): Promise<void>;
}
