/**
 * Messages of `/dtkd/compare`, one frame each: the asker sends two digests of what it has, the other answers with its own, and the
 * conversation ends. Cheap enough to happen often. If the digests keep differing, `/dtkd/sync` follows.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { hash } from '../encoding/fields.ts';

export const COMPARE_PROTOCOL = '/dtkd/compare/1.0.0';
/** Two hashes and their framing. */
export const MAX_COMPARE_FRAME_BYTES = 256;

const digests = z.object({
  /** Over the sender's whole set of items. */
  facts: hash,
  /** Over the heads of all logs that the sender has (`headsDigest`), except those of suspended authors. */
  logs: hash,
});

export type Digests = z.output<typeof digests>;

export function encodeDigests(value: Digests): Uint8Array {
  return encodeCbor(z.encode(digests, value));
}

/** Throws FRAME_INVALID. */
export function decodeDigests(frame: Uint8Array): Digests {
  return decodeCbor(frame, digests, 'a comparison');
}
