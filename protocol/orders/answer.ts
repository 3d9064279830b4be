/**
 * What became of an order, as its target tells a starter that it cannot reach: sealed to the starter's key, signed by the target's, so that anybody may carry it
 * and nobody else can read or make one.
 */
import { z } from 'zod';
import { executionId } from './order.ts';
import { part } from './outcome.ts';

/** Bytes of output that go into one answer. The rest stays at the target, where it can be read once there is a connection. */
export const MAX_ANSWER_OUTPUT_BYTES = 256 * 1024;
/** One sealed answer: the output, how it ended, and the box. */
export const MAX_ANSWER_BYTES = MAX_ANSWER_OUTPUT_BYTES + 16 * 1024;
/** Bytes of answers that a member keeps for others: of one target, and of all. */
export const ANSWERS_PER_TARGET_BYTES = 8 * 1024 * 1024;
export const ANSWERS_BYTES = 64 * 1024 * 1024;

const key = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

/** Names one answer. `starter` and `target` are keys in the domain; nobody needs to keep it after `until` (milliseconds since the epoch). */
const answerName = {
  starter: key,
  target: key,
  id: executionId,
  index: z.number().int().nonnegative(),
  until: z.number().int(),
  /** False if its outcome is unknown, and may yet be found out. */
  final: z.boolean(),
};

/** As it travels. `signature` is the target's (context `answer`) over CBOR of `AnswerSeal`. */
export const answerFrame = z.object({
  type: z.literal('answer'),
  ...answerName,
  sealed: bytes.refine((value) => value.length <= MAX_ANSWER_BYTES, 'is too large'),
  signature: bytes.refine((value) => value.length === 64, 'must be 64 bytes'),
});
export type AnswerFrame = z.infer<typeof answerFrame>;

/** What is signed: the name, and the SHA-256 of the box. */
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

/** What is sealed. The output is from its beginning, in whole records. */
export const answerBody = z.object({
  part,
  records: bytes.refine((value) => value.length <= MAX_ANSWER_OUTPUT_BYTES, 'is too large'),
});
export type AnswerBody = z.infer<typeof answerBody>;
