/**
 * `/dtkd/hold`: orders for members that are away, sealed to the target's key, held by other members and handed over when the target comes back.
 * Who holds one learns who it is for, who wants it, and until when; nothing else. One request frame, one answer frame, CBOR.
 */
import { z } from 'zod';
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

/**
 * What is sealed (X25519 with a fresh key and the Montgomery form of the target's ed25519 key, HKDF-SHA-256, AES-256-GCM): CBOR of this. `signature` is the
 * starter's (its key in the domain, context `order`) over `order`. No secrets. The target fetches the bundle itself where it is too large to go in.
 */
export const sealedOrder = z.object({
  user: z.object({ name: z.string().max(253), uid: z.string().max(64) }).optional(),
  order: z.instanceof(Uint8Array).refine((bytes) => bytes.length <= MAX_ORDER_BYTES, 'is too large'),
  bundle: z
    .instanceof(Uint8Array)
    .refine((bytes) => bytes.length <= MAX_BUNDLE_BYTES, 'is too large')
    .optional(),
  signature: z.instanceof(Uint8Array),
});
export type SealedOrder = z.infer<typeof sealedOrder>;

/** Names one held order. `starter` is the depositor's key in the domain. */
const held = { starter: key, target: key, id: executionId, index, notAfter: z.number().int() };

export const holdRequest = z.discriminatedUnion('type', [
  /** Keep this until then. From the starter itself. */
  z.object({ type: z.literal('deposit'), ...held, sealed: z.instanceof(Uint8Array) }),
  /** From a holder to the target: here it is. The answer `done` lets the holder forget it. */
  z.object({ type: z.literal('deliver'), ...held, sealed: z.instanceof(Uint8Array) }),
  /**
   * The order is taken back: signed by the starter (context `order`) over CBOR of {cancel: true, id, index, target}. A holder drops the order and keeps the
   * cancellation in its place until `notAfter`, and brings it to the target as well.
   */
  z.object({ type: z.literal('cancel'), ...held, signature: z.instanceof(Uint8Array) }),
]);
export type HoldRequest = z.infer<typeof holdRequest>;

export const holdAnswer = z.object({
  type: z.enum(['done', 'refused']),
  code: z.string().max(64).optional(),
  message: z.string().max(1_024).optional(),
});
export type HoldAnswer = z.infer<typeof holdAnswer>;
