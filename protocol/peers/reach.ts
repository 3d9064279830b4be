/**
 * Messages of `/dtkd/reach`, one frame each, between two connected members. A asks, B answers:
 *
 *     A → B  question   whether B should try to reach A, too
 *     B → A  clock      at once: B's clock
 *     B → A  tried      only if asked, and not busy with others: which addresses B tried, and at which of them A itself answered
 *
 * A cannot name an address. B tries those that A announced in the hello of this connection, and dials as it would to connect to A:
 * nothing results that hello alone does not allow. An address counts as reached only if A's own key answers there; all others are
 * reported alike and at the same time, so that nobody learns from B which ports of others are open.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';

export const REACH_PROTOCOL = '/dtkd/reach/1.0.0';
/** Room for a few addresses with long names. */
export const MAX_REACH_FRAME_BYTES = 2_048;
/** Maximum number of addresses tried: the first that were announced. */
export const MAX_REACH_ADDRESSES = 4;
const MAX_ADDRESS_LENGTH = 262;

const question = z.object({ reach: z.boolean() });
/** Milliseconds since the epoch. */
const clock = z.object({ now: z.number().int().nonnegative() });
const tried = z.object({
  tried: z.array(z.object({ address: z.string().max(MAX_ADDRESS_LENGTH), reached: z.boolean() })).max(MAX_REACH_ADDRESSES),
});

export type ReachQuestion = z.output<typeof question>;
export type ReachClock = z.output<typeof clock>;
export type ReachTried = z.output<typeof tried>;

export function encodeReachQuestion(value: ReachQuestion): Uint8Array {
  return encodeCbor(z.encode(question, value));
}

/** Throws FRAME_INVALID, as do the other two decoders. */
export function decodeReachQuestion(frame: Uint8Array): ReachQuestion {
  return decodeCbor(frame, question, 'a question whether a member can be reached');
}

export function encodeReachClock(value: ReachClock): Uint8Array {
  return encodeCbor(z.encode(clock, value));
}

export function decodeReachClock(frame: Uint8Array): ReachClock {
  return decodeCbor(frame, clock, "a member's clock");
}

export function encodeReachTried(value: ReachTried): Uint8Array {
  return encodeCbor(z.encode(tried, value));
}

export function decodeReachTried(frame: Uint8Array): ReachTried {
  return decodeCbor(frame, tried, 'the addresses that a member tried');
}
