/**
 * `/dtkd/hold`: orders for members that are away, sealed to the target's key, held by other members and delivered when the target is
 * back. A holder learns whom an order is for, who sent it and when it expires, and nothing else. One request frame, one answer frame,
 * both CBOR.
 */
import { z } from 'zod';
import { digest } from '../definitions/code.ts';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { executionId, MAX_ORDER_BYTES } from './order.ts';

export const HOLD_PROTOCOL = '/dtkd/hold/1.0.0';
/** Maximum bytes of a sealed order: small, so that holding stays cheap. */
export const MAX_SEALED_BYTES = 64 * 1024;
export const MAX_HOLD_FRAME_BYTES = MAX_SEALED_BYTES + 4 * 1024;
/** Bytes that a member holds: per depositor, and in total. */
export const HELD_PER_DEPOSITOR_BYTES = 8 * 1024 * 1024;
export const HELD_BYTES = 64 * 1024 * 1024;

const key = z.string().regex(/^[0-9a-f]{64}$/);
const index = z.number().int().nonnegative();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

/** Refers to a bundle that is too large to be sealed: the starter serves it to the target (`/dtkd/content`) until the order expires. */
export const bundleAt = z.object({ digest, size: z.number().int().positive().max(MAX_BUNDLE_BYTES) });
export type BundleAt = z.infer<typeof bundleAt>;

/**
 * An order that waits for its target, and the user it was made for. Contains no secrets. Includes the bundle, or says where to fetch it.
 */
export const heldOrder = z.object({
  user: z.object({ name: z.string().max(253), uid: z.string().max(64) }).optional(),
  /** CBOR of `order`. */
  order: bytes.refine((value) => value.length <= MAX_ORDER_BYTES, 'is too large'),
  /** CBOR of `signedBundle`. */
  bundle: bytes.refine((value) => value.length <= MAX_BUNDLE_BYTES, 'is too large').optional(),
  bundleAt: bundleAt.optional(),
});
export type HeldOrder = z.infer<typeof heldOrder>;

/**
 * The sealed part (protocol/keys/sealing.ts): the CBOR of this. `body` is the CBOR of `heldOrder`. `signature` is the starter's over it
 * (with its key in the domain, context `order`), so it covers whom the order is for as well.
 */
export const sealedOrder = z.object({ body: bytes, signature: bytes });

/** Identifies a held order. `starter` is the depositor's key in the domain. */
export const held = { starter: key, target: key, id: executionId, index, notAfter: z.number().int() };

export const holdRequest = z.discriminatedUnion('type', [
  /**
   * Keep this until `notAfter`. Sent by the starter itself. With its signature (context `order`) over the CBOR of `Deposit`, the order
   * may be passed on in a parcel.
   */
  z.object({ type: z.literal('deposit'), ...held, sealed: bytes, signature: bytes.optional() }),
  /** A holder delivers the order to the target. The answer `done` lets the holder forget it. */
  z.object({ type: z.literal('deliver'), ...held, sealed: bytes }),
  /**
   * Cancels the order: `signature` is the starter's (context `order`) over the CBOR of `cancellation`. A holder drops the order, keeps
   * the cancellation in its place until `notAfter`, and brings it to the target.
   */
  z.object({ type: z.literal('cancel'), ...held, signature: bytes }),
]);
export type HoldRequest = z.infer<typeof holdRequest>;

/**
 * What a starter signs for an order that others may carry. So nobody can make one in its name, and the order counts against its own
 * quota.
 */
export interface Deposit {
  hold: true;
  domain: string;
  target: string;
  id: string;
  index: number;
  notAfter: number;
  /** SHA-256 of the box, 64 hex digits. */
  sealed: string;
}

/** What a starter signs to cancel an order. */
export const cancellation = z.object({ cancel: z.literal(true), id: executionId, index, target: key });
export type Cancellation = z.infer<typeof cancellation>;

export const holdAnswer = z.object({
  type: z.enum(['done', 'refused']),
  code: z.string().max(64).optional(),
  message: z.string().max(1_024).optional(),
});
export type HoldAnswer = z.infer<typeof holdAnswer>;
