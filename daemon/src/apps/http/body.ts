import { ChunkScanner } from './chunks.ts';

/** How a message's body ends. */
export type Framing = { kind: 'none' } | { kind: 'length'; bytes: number } | { kind: 'chunked' } | { kind: 'close' };

/** Follows one message body over the wire: says which bytes to pass on, and when the body is complete. */
export class BodyReader {
  readonly kind: Framing['kind'];
  private remaining: number;
  private readonly scanner: ChunkScanner | undefined;
  done: boolean;

  /** `framed`: pass on a chunked body with its framing, except for the last chunk. */
  constructor(framing: Framing, framed: boolean) {
    this.kind = framing.kind;
    this.remaining = framing.kind === 'length' ? framing.bytes : 0;
    this.scanner = framing.kind === 'chunked' ? new ChunkScanner(framed) : undefined;
    this.done = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
  }

  /** The trailer block of a complete chunked body. */
  get trailers(): string {
    return this.scanner?.trailers ?? '';
  }

  /** Emits the part of `bytes`, from `from` on, that belongs to the body; returns where it ends. Throws ChunkError. */
  read(bytes: Buffer, from: number, emit: (piece: Buffer) => void): number {
    if (this.done) return from;
    if (this.scanner !== undefined) {
      const at = this.scanner.scan(bytes, from, emit);
      this.done = this.scanner.done;
      return at;
    }
    const size = this.kind === 'close' ? bytes.length - from : Math.min(this.remaining, bytes.length - from);
    this.remaining -= size;
    if (size > 0) emit(from === 0 && size === bytes.length ? bytes : bytes.subarray(from, from + size));
    if (this.kind === 'length' && this.remaining === 0) this.done = true;
    return from + size;
  }
}
