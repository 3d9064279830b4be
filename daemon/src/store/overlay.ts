import { rowName } from './keys.ts';
import type { KvOp } from './kv.ts';

/** The source of rows that an overlay has not overwritten. */
export interface Rows {
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * The row, or its absence, if that is known without asking the database. Undefined if it is not. Most reads of a transaction are known.
   */
  known(key: string): KnownRow | undefined;
  /** Names of the rows of an index bucket within `namespace`, in order, `limit` at most. */
  named(bucket: string, namespace: string, limit: number): Promise<string[]>;
}

export interface KnownRow {
  /** Undefined: there is no such row. */
  readonly row: Uint8Array | undefined;
}

const ABSENT: KnownRow = { row: undefined };
/** Index rows carry everything in their key. */
const INDEX_VALUE = new Uint8Array(0);

/**
 * Rows written but not yet in the database, layered over the database or over another overlay. A transaction writes into its own overlay,
 * which is then merged into the group's or dropped. Index rows are kept by bucket, so that reading one does not scan everything written.
 */
export class Overlay implements Rows {
  readonly #below: Rows;
  readonly #rows = new Map<string, KnownRow>();
  readonly #clears: { gte: string; lt: string }[] = [];
  /** For each bucket, the names added (true) and removed (false). */
  readonly #buckets = new Map<string, Map<string, boolean>>();
  #bytes = 0;

  constructor(below: Rows) {
    this.#below = below;
  }

  /** Bytes of values and of index keys written. */
  get bytes(): number {
    return this.#bytes;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const before = this.known(key);
    if (before !== undefined) return before.row;
    const row = await this.#below.get(key);
    // the row may have been written meanwhile
    const after = this.#written(key);
    return after === undefined ? row : after.row;
  }

  known(key: string): KnownRow | undefined {
    return this.#written(key) ?? this.#below.known(key);
  }

  async named(bucket: string, namespace: string, limit: number): Promise<string[]> {
    const prefix = rowName(namespace, '');
    const own = [...(this.#buckets.get(bucket) ?? [])].filter(([name]) => name.startsWith(prefix));
    if (own.length === 0) return this.#below.named(bucket, namespace, limit);
    const names = new Set(await this.#below.named(bucket, namespace, limit + own.length));
    for (const [name, present] of own) {
      if (present) names.add(name);
      else names.delete(name);
    }
    return [...names].sort().slice(0, limit);
  }

  put(key: string, row: Uint8Array): void {
    this.#rows.set(key, { row });
    this.#bytes += row.length;
  }

  del(key: string): void {
    this.#rows.set(key, ABSENT);
  }

  /** Adds an object's row name to a bucket, or removes it. */
  index(bucket: string, name: string, present: boolean): void {
    let names = this.#buckets.get(bucket);
    if (names === undefined) {
      names = new Map();
      this.#buckets.set(bucket, names);
    }
    names.set(name, present);
    this.#bytes += bucket.length + name.length;
  }

  clear(gte: string, lt: string): void {
    for (const key of this.#rows.keys()) if (key >= gte && key < lt) this.#rows.delete(key);
    this.#clears.push({ gte, lt });
  }

  /** Takes over everything written to `other`, an overlay over this one. */
  merge(other: Overlay): void {
    for (const { gte, lt } of other.#clears) this.clear(gte, lt);
    for (const [key, known] of other.#rows) {
      this.#rows.set(key, known);
      this.#bytes += known.row?.length ?? 0;
    }
    for (const [bucket, names] of other.#buckets) for (const [name, present] of names) this.index(bucket, name, present);
  }

  /** The writes as one batch. Clears come first in a batch, as they do here. */
  ops(): KvOp[] {
    const ops: KvOp[] = this.#clears.map(({ gte, lt }) => ({ type: 'clear', gte, lt }));
    for (const [key, { row }] of this.#rows) ops.push(row === undefined ? { type: 'del', key } : { type: 'put', key, value: row });
    for (const [bucket, names] of this.#buckets) {
      for (const [name, present] of names) {
        const key = bucket + name;
        ops.push(present ? { type: 'put', key, value: INDEX_VALUE } : { type: 'del', key });
      }
    }
    return ops;
  }

  #written(key: string): KnownRow | undefined {
    const written = this.#rows.get(key);
    if (written !== undefined || this.#clears.length === 0) return written;
    return this.#clears.some(({ gte, lt }) => key >= gte && key < lt) ? ABSENT : undefined;
  }
}
