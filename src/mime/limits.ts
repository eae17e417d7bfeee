// Bounds of the index. Past a bound a part stays opaque and the document notes a defect; nothing is refused.

export interface MimeLimits {
  /** Multipart levels below the root. */
  readonly maxDepth: number;
  /** Parts of one document. */
  readonly maxParts: number;
  /** Fields of one header block; further fields are kept as bytes but cannot be looked up. */
  readonly maxHeaders: number;
  /** Bytes of one header block; what follows is body. */
  readonly maxHeaderBytes: number;
  /** Parameters of one Content-Type or Content-Disposition, RFC 2231 sections counted one by one. */
  readonly maxParameters: number;
  /** Characters of a boundary. RFC 2046 allows 70; longer ones exist. */
  readonly maxBoundaryLength: number;
  /** Defects remembered per document. */
  readonly maxDefects: number;
}

export const DEFAULT_MIME_LIMITS: MimeLimits = {
  maxDepth: 100,
  maxParts: 10_000,
  maxHeaders: 20_000,
  maxHeaderBytes: 1024 * 1024,
  maxParameters: 1000,
  maxBoundaryLength: 2048,
  maxDefects: 100,
};
