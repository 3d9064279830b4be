/**
 * Records the heads of the logs in each parcel that this node made or imported, so that a later parcel can begin there: rows
 * `q/m/DOMAIN/TIME`. Keeps the latest ones only.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { head } from '../../../protocol/log/sync.ts';
import { PARCEL_FORMAT, type ParcelHead } from '../../../protocol/parcel/parcel.ts';
import { type Kv, prefixEnd } from '../store/kv.ts';

const ROWS = 'q/m/';
/** Marks kept per domain: two a day for a month. */
const MAX_MARKS = 64;

const row = z.object({ v: z.literal(PARCEL_FORMAT), heads: z.array(head) });

const prefixOf = (domain: string): string => `${ROWS}${domain}/`;
const rowOf = (domain: string, time: number): string => `${prefixOf(domain)}${time.toString(16).padStart(12, '0')}`;

export class Marks {
  readonly #rows: Kv;

  constructor(rows: Kv) {
    this.#rows = rows;
  }

  async add(domain: string, time: number, heads: readonly ParcelHead[]): Promise<void> {
    await this.#rows.batch(
      [{ type: 'put', key: rowOf(domain, time), value: encodeCbor(z.encode(row, { v: PARCEL_FORMAT, heads: [...heads] })) }],
      {
        sync: false,
      },
    );
    const prefix = prefixOf(domain);
    const all = await this.#rows.page({ gte: prefix, lt: prefixEnd(prefix), keysOnly: true });
    const old = all.slice(0, Math.max(0, all.length - MAX_MARKS));
    if (old.length === 0) return;
    await this.#rows.batch(
      old.map(([key]) => ({ type: 'del', key })),
      { sync: false },
    );
  }

  /** The latest mark at or before a time. */
  async at(domain: string, time: number): Promise<{ time: number; heads: ParcelHead[] } | undefined> {
    const prefix = prefixOf(domain);
    const [last] = await this.#rows.page({ gte: prefix, lt: prefixEnd(rowOf(domain, time)), limit: 1, reverse: true });
    if (last === undefined) return undefined;
    return { time: Number.parseInt(last[0].slice(prefix.length), 16), heads: decodeCbor(last[1], row, 'a mark').heads };
  }
}
