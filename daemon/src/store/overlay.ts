import { rowName } from './keys.ts';
import type { KvOp } from './kv.ts';

/** Where rows are read that nobody has overwritten. */
export interface Rows {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Names of the rows of an index's bucket, below `namespace`, in order, `limit` at most. */
  named(bucket: string, namespace: string, limit: number): Promise<string[]>;
}

/** An index row says all in its key. */
const INDEX_VALUE = new Uint8Array(0);

/**
 * Rows written but not yet in the database, over the database or over another overlay. A transaction writes into its own, which is then
 * merged into the group's, or dropped. Index rows are kept by bucket, so that a bucket is read without looking at all that was written.
 */
export class Overlay implements Rows {
  readonly #below: Rows;
  readonly #rows = new Map<string, Uint8Array | undefined>();
  readonly #clears: { gte: string; lt: string }[] = [];
  /** For each bucket, the names that were put in (true) and taken out. */
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
    const before = this.#written(key);
    if (before !== undefined) return before.value;
    const value = await this.#below.get(key);
    // somebody may have written meanwhile
    const after = this.#written(key);
    return after === undefined ? value : after.value;
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

  put(key: string, value: Uint8Array): void {
    this.#rows.set(key, value);
    this.#bytes += value.length;
  }

  del(key: string): void {
    this.#rows.set(key, undefined);
  }

  /** Puts an object's row name into a bucket, or takes it out. */
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

  /** Takes over all that `other`, which lies over this one, has written. */
  merge(other: Overlay): void {
    for (const { gte, lt } of other.#clears) this.clear(gte, lt);
    for (const [key, value] of other.#rows) {
      if (value === undefined) this.del(key);
      else this.put(key, value);
    }
    for (const [bucket, names] of other.#buckets) for (const [name, present] of names) this.index(bucket, name, present);
  }

  /** The same as one batch: clears come before all else in a batch, as they do here. */
  ops(): KvOp[] {
    const ops: KvOp[] = this.#clears.map(({ gte, lt }) => ({ type: 'clear', gte, lt }));
    for (const [key, value] of this.#rows) ops.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value });
    for (const [bucket, names] of this.#buckets) {
      for (const [name, present] of names) {
        const key = bucket + name;
        ops.push(present ? { type: 'put', key, value: INDEX_VALUE } : { type: 'del', key });
      }
    }
    return ops;
  }

  #written(key: string): { value: Uint8Array | undefined } | undefined {
    if (this.#rows.has(key)) return { value: this.#rows.get(key) };
    return this.#clears.some(({ gte, lt }) => key >= gte && key < lt) ? { value: undefined } : undefined;
  }
}
