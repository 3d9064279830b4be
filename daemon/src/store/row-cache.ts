import { rowName } from './keys.ts';
import { type Kv, type KvOp, prefixEnd } from './kv.ts';
import type { KnownRow, Rows } from './overlay.ts';

/** Bytes of cached rows: the few thousand objects that are written again and again. Each database read costs a thread hop. */
const CACHE_BYTES = 2 * 1024 * 1024;

interface KeptRow extends KnownRow {
  used: boolean;
}

/**
 * Reads rows through a bounded cache of those used recently. Caches absence, too, since creating an object looks it up several times
 * before. Holds only rows under one prefix, which nobody else writes. Shows a batch once it is told that the batch is durable, never
 * earlier.
 */
export class RowCache implements Rows {
  readonly #kv: Kv;
  readonly #prefix: string;
  readonly #limit: number;
  readonly #rows = new Map<string, KeptRow>();
  #bytes = 0;
  /** Reads in progress. A batch that writes the row removes the entry, and the result is then not cached. */
  readonly #reading = new Map<string, Promise<Uint8Array | undefined>>();

  constructor(kv: Kv, prefix: string, limit = CACHE_BYTES) {
    this.#kv = kv;
    this.#prefix = prefix;
    this.#limit = limit;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const known = this.known(key);
    if (known !== undefined) return known.row;
    if (!key.startsWith(this.#prefix)) return this.#kv.get(key);
    const reading = this.#reading.get(key) ?? this.#kv.get(key);
    this.#reading.set(key, reading);
    try {
      const row = await reading;
      if (this.#reading.get(key) === reading) this.#keep(key, row);
      return row;
    } finally {
      if (this.#reading.get(key) === reading) this.#reading.delete(key);
    }
  }

  known(key: string): KnownRow | undefined {
    const known = this.#rows.get(key);
    if (known !== undefined) known.used = true;
    return known;
  }

  async named(bucket: string, namespace: string, limit: number): Promise<string[]> {
    const gte = bucket + rowName(namespace, '');
    const rows = await this.#kv.page({ gte, lt: prefixEnd(gte), limit, keysOnly: true });
    return rows.map(([key]) => key.slice(bucket.length));
  }

  /** To be called when these operations are durable. */
  committed(ops: readonly KvOp[]): void {
    for (const op of ops) {
      if (op.type === 'clear' || !op.key.startsWith(this.#prefix)) continue;
      this.#reading.delete(op.key);
      this.#drop(op.key);
      if (op.type === 'put') this.#keep(op.key, op.value);
    }
  }

  #keep(key: string, row: Uint8Array | undefined): void {
    this.#drop(key);
    this.#rows.set(key, { row, used: false });
    this.#bytes += sizeOf(key, row);
    for (const [oldest, kept] of this.#rows) {
      if (this.#bytes <= this.#limit) break;
      if (kept.used) this.#spare(oldest, kept);
      else this.#drop(oldest);
    }
  }

  /**
   * Gives a row that was used since its last turn another round, at the end of the queue (second chance). Marking a use is cheaper than
   * moving the row each time.
   */
  #spare(key: string, kept: KeptRow): void {
    kept.used = false;
    this.#rows.delete(key);
    this.#rows.set(key, kept);
  }

  #drop(key: string): void {
    const known = this.#rows.get(key);
    if (known === undefined) return;
    this.#bytes -= sizeOf(key, known.row);
    this.#rows.delete(key);
  }
}

function sizeOf(key: string, row: Uint8Array | undefined): number {
  return key.length + (row?.length ?? 0);
}
