// A message as a MIME document: indexed where it is looked at, edited in place, written back as splices.
import type { Splice } from "../core/splice.ts";
import type { TokenSource } from "./boundaries.ts";
import type { MimeLimits } from "./limits.ts";
import { PartContext } from "./part-context.ts";
import { MimePart } from "./part.ts";
import { serialize } from "./serialize.ts";
import { headerEnd, type ByteSource } from "./source.ts";

export type Protection = "none" | "signed" | "encrypted";

/** How far into a plain text body the armour of inline OpenPGP is looked for. */
const ARMOUR_WINDOW_BYTES = 4096;
const PGP_SIGNED = /^-----BEGIN PGP SIGNED MESSAGE-----\s*$/m;
const PGP_ENCRYPTED = /^-----BEGIN PGP MESSAGE-----\s*$/m;

export class MimeDocument {
  readonly #source: ByteSource;
  readonly #context: PartContext;
  readonly #original: MimePart;

  constructor(source: ByteSource, limits: Partial<MimeLimits> = {}, token?: TokenSource) {
    this.#source = source;
    this.#context = new PartContext(limits, token);
    this.#context.source = source;
    const limit = Math.min(source.headerLength, this.#context.limits.maxHeaderBytes);
    // The source may know CRLF blank lines only; a bare LF one before it ends the block as well.
    const length = headerEnd(source.slice(0, limit));
    if (source.headerLength > limit && length === limit) {
      this.#context.note("A header block is too long: its rest was taken for the body");
    }
    const body = { source, start: length, end: source.size };
    this.#original = new MimePart(this.#context, 0, undefined, { source, start: 0, end: length }, body);
    this.#context.root = this.#original;
    this.#context.partCount = 1;
  }

  get root(): MimePart {
    return this.#context.root ?? this.#original;
  }

  get defects(): readonly string[] {
    return this.#context.defects;
  }

  /** Whether anything was edited; looks at what was indexed only. */
  get changed(): boolean {
    if (this.root !== this.#original) return true;
    const stack = [this.root];
    for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
      if (part.ownChange) return true;
      if (part.body.kind === "children") for (const child of part.body.children) stack.push(child);
    }
    return false;
  }

  /** What an edit of the body would break: looks at the root only. */
  get protection(): Protection {
    const { root } = this;
    switch (root.mediaType) {
      case "multipart/signed":
        return "signed";
      case "multipart/encrypted":
        return "encrypted";
      case "application/pkcs7-mime":
      case "application/x-pkcs7-mime":
        return /^(?:signed-data|certs-only)$/i.test(root.contentParameters.get("smime-type") ?? "")
          ? "signed"
          : "encrypted";
      case "text/plain":
        return inlineProtection(root);
      default:
        return "none";
    }
  }

  splices(): Splice[] {
    return this.changed ? serialize(this.root, "whole").splices(this.#source) : [];
  }

  toBuffer(): Buffer {
    return this.changed ? serialize(this.root, "whole").toBuffer() : this.#source.slice(0, this.#source.size);
  }
}

function inlineProtection(root: MimePart): Protection {
  if (root.body.kind !== "bytes") return "none";
  const { source, start, end } = root.body.range;
  const opening = source.slice(start, Math.min(end, start + ARMOUR_WINDOW_BYTES)).toString("latin1");
  if (PGP_SIGNED.test(opening)) return "signed";
  return PGP_ENCRYPTED.test(opening) ? "encrypted" : "none";
}
