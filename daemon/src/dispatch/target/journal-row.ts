/** A part in the journal: one row, `j/p/ID/INDEX`, CBOR. */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import { part } from '../../../../protocol/orders/outcome.ts';
import { subject } from '../../../../protocol/rights/principal.ts';

export const JOURNAL = 'j/p/';
export const JOURNAL_END = 'j/p0';

/** The subject of the rights to see or end a part, in the form in which access is asked. */
export const about = z.object({
  plural: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  resource: z.object({ uid: z.string(), model: z.string(), type: z.string(), name: z.string() }).optional(),
  lineage: z.array(z.string()).optional(),
});
export type About = z.infer<typeof about>;

export const journalRow = z.object({
  version: z.literal(1),
  /** CBOR of the order, as it came. */
  order: z.instanceof(Uint8Array),
  /** The member that brought it; absent: this node's own starter. */
  from: z.object({ domain: z.string(), key: z.string(), node: z.string() }).optional(),
  principal: z.discriminatedUnion('type', [
    z.object({ type: z.literal('operator'), name: z.literal('operator') }),
    subject.extend({ type: z.literal('user'), display: z.string() }),
    /** The operator of another node, who has no rights here. */
    z.object({ type: z.literal('nobody') }),
  ]),
  about,
  part,
  acceptedAt: z.number().int(),
  /** For a running part: when it has to end, in milliseconds since the epoch. */
  deadline: z.number().int().optional(),
  /** Its outcome is that of its one process: nothing was to run before or after. */
  plain: z.boolean().optional(),
  /** Secrets whose values must not appear in the output. */
  secrets: z.array(z.string()).optional(),
  /** Until when the id is remembered, whatever becomes of the rest; milliseconds since the epoch. */
  keepUntil: z.number().int(),
});
export type JournalRow = z.infer<typeof journalRow>;
/** A row without its order. */
export type RowFacts = Omit<JournalRow, 'order'>;

/**
 * The row about what was removed: the latest time of a removal by the clock, and of the creation of a removed order; milliseconds since
 * the epoch.
 */
export const FORGOTTEN = 'j/f';
export const forgotten = z.object({ at: z.number().int(), createdAt: z.number().int() });
export type Forgotten = z.infer<typeof forgotten>;

/** The prefix of the keys of all rows of an execution. */
export function rowKeysOf(id: ExecutionId): string {
  return `${JOURNAL}${id}/`;
}

export function rowKey(id: ExecutionId, index: number): string {
  return `${rowKeysOf(id)}${index.toString(16).padStart(4, '0')}`;
}

export function encodeRow(row: JournalRow): Uint8Array {
  return encodeCbor(row);
}

/** Errors: FRAME_INVALID. */
export function decodeRow(bytes: Uint8Array): JournalRow {
  return decodeCbor(bytes, journalRow, 'a row of the journal');
}
