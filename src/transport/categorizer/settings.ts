// Bounds of the categorizer, and what it does where the directory is silent.

export interface CategorizerSettings {
  /** An address of a domain of the directory that it has no entry for. */
  readonly unknown: "pass" | "fail";
  /** Groups in groups, and forwards of forwards. */
  readonly maxDepth: number;
  /** Addresses that one message may come to. */
  readonly maxRecipients: number;
  /** Addresses that the directory is asked about at a time. */
  readonly batchSize: number;
}

export const DEFAULT_CATEGORIZER_SETTINGS: CategorizerSettings = {
  unknown: "pass",
  maxDepth: 20,
  maxRecipients: 10_000,
  batchSize: 500,
};
