/**
 * Checks that bytes are an order, and one for this node from that starter. Pure. An order that passes is proved to belong to the plan
 * whose hash is its id.
 */
import { decodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import {
  type ExecutionId,
  MAX_ORDER_BYTES,
  MAX_ORDER_LIFETIME_MS,
  order,
  type PlanEntry,
  type PlanHeader,
  planEntry,
  planHeader,
} from '../../../../protocol/orders/order.ts';
import { executionIdOf, verifyProof } from '../../../../protocol/orders/plan-tree.ts';
import { CLOCK_TOLERANCE_MS } from './limits.ts';

export interface CheckedOrder {
  id: ExecutionId;
  index: number;
  header: PlanHeader;
  /** CBOR of the header: its hash is the id. */
  headerBytes: Uint8Array;
  entry: PlanEntry;
  /** CBOR of the order, as it came. The other fields may be views of it. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** The parties of an order: the domain (empty: this node itself), this node's key there, and the starter's. */
export interface OrderParties {
  domain: string;
  self: string;
  starter: string;
}

/** Reads an order. Errors: FRAME_INVALID, ORDER_INVALID. */
export function readOrder(bytes: Uint8Array<ArrayBuffer>): CheckedOrder {
  if (bytes.length > MAX_ORDER_BYTES) throw new DtkdError('ORDER_INVALID', `an order has at most ${MAX_ORDER_BYTES} bytes`);
  const { header: headerBytes, entry: entryBytes, index, proof } = decodeCbor(bytes, order, 'an order');
  const header = decodeCbor(headerBytes, planHeader, 'the header of a plan');
  const entry = decodeCbor(entryBytes, planEntry, 'the entry of a plan');
  if (!verifyProof(header.root, { count: header.count, index, entry: entryBytes, proof })) {
    throw new DtkdError('ORDER_INVALID', 'the order does not belong to the plan that it names');
  }
  return { id: executionIdOf(headerBytes), index, header, headerBytes, entry, bytes };
}

/** Errors: ORDER_INVALID if the order is not from that starter to this node, or has impossible times. */
export function assertForUs({ header, entry }: CheckedOrder, { domain, self, starter }: OrderParties, now: number): void {
  if (entry.domain !== domain || entry.starter !== starter) {
    throw new DtkdError('ORDER_INVALID', 'the order is not from the node that sends it');
  }
  if (entry.key !== self) throw new DtkdError('ORDER_INVALID', 'the order is for another node');
  const { createdAt, notBefore, notAfter } = header;
  if (notBefore < createdAt)
    throw new DtkdError('ORDER_INVALID', 'the times of the order are not valid: it cannot start before it was made');
  if (notAfter < notBefore) throw new DtkdError('ORDER_INVALID', 'the times of the order are not valid: it expires before it may start');
  if (notAfter - createdAt > MAX_ORDER_LIFETIME_MS) {
    throw new DtkdError('ORDER_INVALID', 'the times of the order are not valid: it may wait for 7 days at most');
  }
  if (createdAt > now + CLOCK_TOLERANCE_MS) {
    throw new DtkdError(
      'ORDER_INVALID',
      `the order was made at ${new Date(createdAt).toISOString()}, which is in the future: here it is ${new Date(now).toISOString()}`,
      {
        next: 'Correct the clocks of both nodes.',
        details: { theirs: createdAt, ours: now },
      },
    );
  }
}

/** The earliest start by this node's clock. "At once" means at once, even if the starter's clock differs. */
export function startableFrom({ createdAt, notBefore }: PlanHeader): number {
  return notBefore <= createdAt ? Number.NEGATIVE_INFINITY : notBefore;
}
