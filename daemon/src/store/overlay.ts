import type { KvOp } from './kv.ts';

/** Where rows are read that nobody has overwritten. */
interface Rows {
  get(key: string): Promise<Uint8Array | undefined>;
  scan(gte: string, lt: string): Promise<Map<string, Uint8Array>>;
}

/**
 * Rows written but not yet in the database, over the database or over another overlay. A transaction writes into its own, which is then
 * merged into the group's, or dropped.
 */
export class Overlay {
  readonly #below: Rows;
  readonly #rows = new Map<string, Uint8Array | undefined>();
  readonly #clears: { gte: string; lt: string }[] = [];
  #bytes = 0;

  constructor(below: Rows) {
    this.#below = below;
  }

  /** Bytes of values written. */
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

  async scan(gte: string, lt: string): Promise<Map<string, Uint8Array>> {
    const found = await this.#below.scan(gte, lt);
    for (const key of found.keys()) if (this.#clears.some((range) => key >= range.gte && key < range.lt)) found.delete(key);
    for (const [key, value] of this.#rows) {
      if (key < gte || key >= lt) continue;
      if (value === undefined) found.delete(key);
      else found.set(key, value);
    }
    return found;
  }

  put(key: string, value: Uint8Array): void {
    this.#rows.set(key, value);
    this.#bytes += value.length;
  }

  del(key: string): void {
    this.#rows.set(key, undefined);
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
  }

  /** The same as one batch: clears come before all else in a batch, as they do here. */
  ops(): KvOp[] {
    const ops: KvOp[] = this.#clears.map(({ gte, lt }) => ({ type: 'clear', gte, lt }));
    for (const [key, value] of this.#rows) ops.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value });
    return ops;
  }

  #written(key: string): { value: Uint8Array | undefined } | undefined {
    if (this.#rows.has(key)) return { value: this.#rows.get(key) };
    return this.#clears.some(({ gte, lt }) => key >= gte && key < lt) ? { value: undefined } : undefined;
  }
}
