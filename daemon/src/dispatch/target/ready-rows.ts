/** An order that is ready to start, on disk: one row, `j/r/ID/INDEX`, CBOR. */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import { journalRow } from './journal-row.ts';

const READY = 'j/r/';
/** Rows per page: each may contain an order of 256 KiB. */
const PAGE = 32;

const readyRow = z.object({
  version: z.literal(1),
  /** The boot id when the order was made ready: within that boot its files tell whether it was started. */
  boot: z.string(),
  /** The row for the journal if it may have been started. */
  row: journalRow,
});
export type ReadyRow = z.infer<typeof readyRow>;

export function readyKey(id: ExecutionId, index: number): string {
  return `${READY}${id}/${index.toString(16).padStart(4, '0')}`;
}

export function encodeReadyRow(row: Omit<ReadyRow, 'version'>): Uint8Array {
  return encodeCbor({ version: 1, ...row });
}

/** All rows that an earlier daemon left. `onBad` is called with those that cannot be read, which stay. */
export async function* readyRows(kv: Kv, onBad: (key: string, error: unknown) => void): AsyncGenerator<ReadyRow> {
  for (let from = READY; ; ) {
    const page = await kv.page({ gte: from, lt: prefixEnd(READY), limit: PAGE });
    for (const [key, value] of page) {
      try {
        yield decodeCbor(value, readyRow, 'a row of an order that is ready');
      } catch (error) {
        onBad(key, error);
      }
    }
    const last = page.at(-1)?.[0];
    if (last === undefined) return;
    from = `${last}\u0000`;
  }
}
