/**
 * `/dtkd/hold`: orders for members that are away, sealed to the target's key, held by other members and handed over when the target comes back.
 * Who holds one learns who it is for, who wants it, and until when; nothing else. One request frame, one answer frame, CBOR.
 */
import { z } from 'zod';
import { digest } from '../definitions/code.ts';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { executionId, MAX_ORDER_BYTES } from './order.ts';

export const HOLD_PROTOCOL = '/dtkd/hold/1.0.0';
/** One sealed order: no larger than that, so that holding stays cheap. */
export const MAX_SEALED_BYTES = 64 * 1024;
export const MAX_HOLD_FRAME_BYTES = MAX_SEALED_BYTES + 4 * 1024;
/** Bytes that a member holds for one depositor, and for all. */
export const HELD_PER_DEPOSITOR_BYTES = 8 * 1024 * 1024;
export const HELD_BYTES = 64 * 1024 * 1024;

const key = z.string().regex(/^[0-9a-f]{64}$/);
const index = z.number().int().nonnegative();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

/** A bundle that is too large to be sealed: its starter has it for the target (`/dtkd/content`) until the time of the order is over. */
export const bundleAt = z.object({ digest, size: z.number().int().positive().max(MAX_BUNDLE_BYTES) });
export type BundleAt = z.infer<typeof bundleAt>;

/** An order that waits for its target, and for whom it was made. No secrets. With the bundle, or with where it is. */
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
 * What is sealed (protocol/keys/sealing.ts): CBOR of this. `body` is CBOR of `heldOrder`, `signature` the starter's over it (its key in the domain, context
 * `order`), so that it also says for whom.
 */
export const sealedOrder = z.object({ body: bytes, signature: bytes });

/** Names one held order. `starter` is the depositor's key in the domain. */
export const held = { starter: key, target: key, id: executionId, index, notAfter: z.number().int() };

export const holdRequest = z.discriminatedUnion('type', [
  /** Keep this until then. From the starter itself. With its signature (context `order`) over CBOR of `Deposit` it may be passed on in a parcel. */
  z.object({ type: z.literal('deposit'), ...held, sealed: bytes, signature: bytes.optional() }),
  /** From a holder to the target: here it is. The answer `done` lets the holder forget it. */
  z.object({ type: z.literal('deliver'), ...held, sealed: bytes }),
  /**
   * The order is taken back: `signature` is the starter's (context `order`) over CBOR of `cancellation`. A holder drops the order and keeps the cancellation in
   * its place until `notAfter`, and brings it to the target as well.
   */
  z.object({ type: z.literal('cancel'), ...held, signature: bytes }),
]);
export type HoldRequest = z.infer<typeof holdRequest>;

/** What a starter signs of an order that others may carry: so they cannot make one in its name, and it counts against its quota. */
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

/** What is signed to take an order back. */
export const cancellation = z.object({ cancel: z.literal(true), id: executionId, index, target: key });
export type Cancellation = z.infer<typeof cancellation>;

export const holdAnswer = z.object({
  type: z.enum(['done', 'refused']),
  code: z.string().max(64).optional(),
  message: z.string().max(1_024).optional(),
});
export type HoldAnswer = z.infer<typeof holdAnswer>;
