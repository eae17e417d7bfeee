// The arguments of BDAT (RFC 3030 §2).

export interface Chunk {
  /** Octets that follow the command line. */
  readonly size: number;
  readonly isLast: boolean;
}

/** Undefined for what is no chunk: where the next command begins is then not known either. */
export function parseChunk(argument: string): Chunk | undefined {
  const match = /^(\d{1,20})(?: +(LAST))?$/i.exec(argument);
  const size = Number(match?.[1]);
  return match !== null && Number.isSafeInteger(size) ? { size, isLast: match[2] !== undefined } : undefined;
}
