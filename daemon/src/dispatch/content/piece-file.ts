/**
 * A file that arrives in pieces, in any order. Each is written at its offset, and its hash is known beforehand. So no progress has to be
 * recorded: after an interruption, the pieces that are there are those with the right hash.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

export interface PiecePlan {
  size: number;
  pieceBytes: number;
  /** SHA-256 of each piece. */
  pieces: readonly Uint8Array[];
}

export class PieceFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #plan: PiecePlan;
  readonly #there: boolean[];
  #missing: number;

  constructor(path: string, handle: FileHandle, plan: PiecePlan) {
    this.path = path;
    this.#handle = handle;
    this.#plan = plan;
    this.#there = plan.pieces.map(() => false);
    this.#missing = plan.pieces.length;
  }

  /** Size of the complete file in bytes. */
  get size(): number {
    return this.#plan.size;
  }

  get count(): number {
    return this.#plan.pieces.length;
  }

  get missing(): number {
    return this.#missing;
  }

  /** Bytes that have arrived. */
  get done(): number {
    return this.#there.reduce((sum, there, at) => (there ? sum + this.lengthOf(at) : sum), 0);
  }

  has(piece: number): boolean {
    return this.#there[piece] === true;
  }

  offsetOf(piece: number): number {
    return piece * this.#plan.pieceBytes;
  }

  lengthOf(piece: number): number {
    return Math.min(this.#plan.pieceBytes, this.#plan.size - this.offsetOf(piece));
  }

  /** Finds the pieces that an earlier fetch left. */
  async look(): Promise<void> {
    const buffer = Buffer.alloc(this.#plan.pieceBytes);
    for (let piece = 0; piece < this.count; piece++) {
      const length = this.lengthOf(piece);
      const { bytesRead } = await this.#handle.read(buffer, 0, length, this.offsetOf(piece));
      if (bytesRead === 0) break;
      if (bytesRead === length && this.#isRight(piece, buffer.subarray(0, length))) this.#mark(piece);
    }
  }

  /** Writes a piece. False if its length or hash is wrong. */
  async take(piece: number, bytes: Uint8Array): Promise<boolean> {
    if (bytes.length !== this.lengthOf(piece) || !this.#isRight(piece, bytes)) return false;
    if (this.has(piece)) return true;
    const offset = this.offsetOf(piece);
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, offset + written);
      written += bytesWritten;
    }
    this.#mark(piece);
    return true;
  }

  /** SHA-256 of the complete file. */
  async digest(): Promise<string> {
    await this.#handle.truncate(this.#plan.size);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(this.path)) hash.update(chunk);
    return hash.digest('hex');
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  #mark(piece: number): void {
    if (!this.has(piece)) this.#missing -= 1;
    this.#there[piece] = true;
  }

  #isRight(piece: number, bytes: Uint8Array): boolean {
    const wanted = this.#plan.pieces[piece];
    return wanted !== undefined && createHash('sha256').update(bytes).digest().equals(wanted);
  }
}
