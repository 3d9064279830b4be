/**
 * Messages of `/dtkd/where`, one frame each: the asker names a member, the other answers with the addresses at which it last reached it,
 * and the conversation ends. For domains in which not everybody is connected with everybody. Answers are hints: dialling checks the key.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { peerKey } from '../encoding/fields.ts';
import { MAX_PEER_ADDRESSES } from './hello.ts';

export const WHERE_PROTOCOL = '/dtkd/where/1.0.0';
/** Room for some addresses with long names. */
export const MAX_WHERE_FRAME_BYTES = 2_048;
const MAX_ADDRESS_LENGTH = 262;

const question = z.object({ key: peerKey });
const answer = z.object({ addresses: z.array(z.string().max(MAX_ADDRESS_LENGTH)).max(MAX_PEER_ADDRESSES) });

export type WhereQuestion = z.output<typeof question>;
export type WhereAnswer = z.output<typeof answer>;

export function encodeWhereQuestion(value: WhereQuestion): Uint8Array {
  return encodeCbor(z.encode(question, value));
}

/** Throws FRAME_INVALID. */
export function decodeWhereQuestion(frame: Uint8Array): WhereQuestion {
  return decodeCbor(frame, question, 'a question where a member is');
}

export function encodeWhereAnswer(value: WhereAnswer): Uint8Array {
  return encodeCbor(z.encode(answer, value));
}

/** Throws FRAME_INVALID. */
export function decodeWhereAnswer(frame: Uint8Array): WhereAnswer {
  return decodeCbor(frame, answer, 'an answer where a member is');
}
