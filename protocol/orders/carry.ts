/**
 * `/dtkd/carry`: a member that is about to write a file asks another for what it has for members elsewhere. The request is one frame; the
 * answer is frames as in a parcel (parcel.ts), then `end`. In the other direction, a member delivers an answer that came in a file to its
 * starter, which replies `end` once the answer counts, or `refused`. What is carried is sealed to others.
 */
import { z } from 'zod';
import { bytesUpTo, signatureBytes } from '../encoding/fields.ts';
import { answerFrame } from './answer.ts';
import { held, MAX_SEALED_BYTES } from './hold.ts';

export const CARRY_PROTOCOL = '/dtkd/carry/1.0.0';

export const carryRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('carry'), what: z.enum(['orders', 'answers']) }),
  z.object({ type: z.literal('deliver'), answer: answerFrame }),
]);
export type CarryRequest = z.infer<typeof carryRequest>;

/** A sealed order, signed by its starter over `Deposit`. */
export const orderFrame = z.object({ type: z.literal('order'), ...held, sealed: bytesUpTo(MAX_SEALED_BYTES), signature: signatureBytes });
/** The cancellation of an order by its starter. */
export const cancelFrame = z.object({ type: z.literal('cancel'), ...held, signature: signatureBytes });
export type OrderFrame = z.output<typeof orderFrame>;
export type CancelFrame = z.output<typeof cancelFrame>;

export const carryAnswer = z.discriminatedUnion('type', [
  orderFrame,
  cancelFrame,
  answerFrame,
  z.object({ type: z.literal('end') }),
  z.object({ type: z.literal('refused'), code: z.string().max(64), message: z.string().max(1_024) }),
]);
export type CarryAnswer = z.output<typeof carryAnswer>;
