/**
 * A target's answer to a starter that it cannot reach: the outcome of an order, sealed to the starter's key and signed with the target's.
 * Anybody may carry it, but nobody else can read or make one.
 */
import { z } from 'zod';
import { executionId } from './order.ts';
import { part } from './outcome.ts';

/** Maximum bytes of output in one answer. The rest stays at the target, where it can be read once there is a connection. */
export const MAX_ANSWER_OUTPUT_BYTES = 256 * 1024;
/** Maximum bytes of a sealed answer: the output, the outcome, and the overhead of the box. */
export const MAX_ANSWER_BYTES = MAX_ANSWER_OUTPUT_BYTES + 16 * 1024;
/** Bytes of answers that a member keeps for others: per target, and in total. */
export const ANSWERS_PER_TARGET_BYTES = 8 * 1024 * 1024;
export const ANSWERS_BYTES = 64 * 1024 * 1024;

const key = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

/**
 * Identifies an answer. `starter` and `target` are keys in the domain. After `until` (milliseconds since the epoch) nobody needs to keep
 * it.
 */
const answerName = {
  starter: key,
  target: key,
  id: executionId,
  index: z.number().int().nonnegative(),
  until: z.number().int(),
  /** False if the outcome is unknown and may still be found out. */
  final: z.boolean(),
};

/** An answer on the wire. `signature` is the target's (context `answer`) over the CBOR of `AnswerSeal`. */
export const answerFrame = z.object({
  type: z.literal('answer'),
  ...answerName,
  sealed: bytes.refine((value) => value.length <= MAX_ANSWER_BYTES, 'is too large'),
  signature: bytes.refine((value) => value.length === 64, 'must be 64 bytes'),
});
export type AnswerFrame = z.infer<typeof answerFrame>;

/** The signed part: the identification, and the SHA-256 of the box. */
export interface AnswerSeal {
  answer: true;
  domain: string;
  starter: string;
  target: string;
  id: string;
  index: number;
  until: number;
  final: boolean;
  /** 64 hex digits. */
  sealed: string;
}

/** The sealed part. The output starts at its beginning and consists of whole records. */
export const answerBody = z.object({
  part,
  records: bytes.refine((value) => value.length <= MAX_ANSWER_OUTPUT_BYTES, 'is too large'),
});
export type AnswerBody = z.infer<typeof answerBody>;
