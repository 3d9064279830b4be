/**
 * Keeps the output of targets until it is shown as a whole. Memory is bounded: the excess goes to files in a temporary directory, which is
 * removed at the end.
 */
import { appendFileSync, closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Screen } from './view.types.ts';

/** Bytes kept in memory, over all targets. */
export const HELD_BYTES = 32 * 1024 * 1024;
/** The header of each chunk: its stream and its length. */
const HEAD_BYTES = 5;
const ERR = 1;

interface Held {
  chunks: Buffer[];
  bytes: number;
  file: string | undefined;
}

export class HeldOutput {
  readonly #limit: number;
  readonly #held = new Map<number, Held>();
  #bytes = 0;
  #directory: string | undefined;

  constructor(limit = HELD_BYTES) {
    this.#limit = limit;
  }

  /** Where the lines of one target are written. */
  screen(index: number): Screen {
    return { out: (text) => this.#add(index, 0, text), err: (text) => this.#add(index, ERR, text) };
  }

  /** Writes the output of one target in the order in which it came, and forgets it. */
  release(index: number, to: Screen): void {
    const held = this.#held.get(index);
    if (held === undefined) return;
    this.#held.delete(index);
    this.#bytes -= held.bytes;
    if (held.file !== undefined) {
      for (const chunk of chunksOf(held.file)) write(chunk, to);
      rmSync(held.file, { force: true });
    }
    for (const chunk of held.chunks) write(chunk, to);
  }

  close(): void {
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
    this.#directory = undefined;
  }

  #add(index: number, stream: number, text: string | Uint8Array): void {
    const bytes = Buffer.from(text);
    const chunk = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
    chunk.writeUInt8(stream, 0);
    chunk.writeUInt32BE(bytes.length, 1);
    bytes.copy(chunk, HEAD_BYTES);
    let held = this.#held.get(index);
    if (held === undefined) {
      held = { chunks: [], bytes: 0, file: undefined };
      this.#held.set(index, held);
    }
    held.chunks.push(chunk);
    held.bytes += chunk.length;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limit) this.#spill();
  }

  /** Moves the output of the target that holds most memory to its file. */
  #spill(): void {
    const [index, held] = [...this.#held].reduce((most, one) => (one[1].bytes > most[1].bytes ? one : most));
    this.#directory ??= mkdtempSync(join(tmpdir(), 'dtkd-output-'));
    held.file ??= join(this.#directory, String(index));
    appendFileSync(held.file, Buffer.concat(held.chunks), { mode: 0o600 });
    this.#bytes -= held.bytes;
    held.chunks = [];
    held.bytes = 0;
  }
}

function* chunksOf(file: string): Generator<Buffer> {
  const descriptor = openSync(file, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    while (readSync(descriptor, head) === HEAD_BYTES) {
      const chunk = Buffer.alloc(HEAD_BYTES + head.readUInt32BE(1));
      head.copy(chunk);
      readSync(descriptor, chunk, HEAD_BYTES, chunk.length - HEAD_BYTES, null);
      yield chunk;
    }
  } finally {
    closeSync(descriptor);
  }
}

function write(chunk: Buffer, to: Screen): void {
  const bytes = chunk.subarray(HEAD_BYTES);
  if (chunk.readUInt8(0) === ERR) to.err(bytes);
  else to.out(bytes);
}
