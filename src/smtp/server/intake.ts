// What the inbound protocol needs of the rest of the service. Called per message: nextId, [createSpool], submit.
import type { Envelope, Origin } from "../../core/envelope.ts";
import type { Content } from "../../message/content.ts";

export interface Spool {
  write(chunk: Buffer): Promise<void>;
  finish(start: Buffer): Promise<Content>;
  discard(): Promise<void>;
}

export interface Intake {
  nextId(): string;
  createSpool(): Promise<Spool>;
  /** Resolves when the message is durable: only then may `250` be sent. Rejects with STORE_FAILED (452 4.3.1). */
  submit(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void>;
}
