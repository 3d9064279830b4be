/**
 * Signed items travel as CBOR `[payload, signature]`, both byte strings. The signature covers the payload as received, which is never
 * encoded again. An item is named by the hash of the payload alone, so a second signature does not make a second item.
 */
import { z } from 'zod';
import { DtkdError } from '../errors.ts';
import { hashHex } from '../keys/signing.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';

export interface Envelope {
  /** 64 hex digits: SHA-256 of the payload. */
  id: string;
  /** A copy of the whole envelope. The other two are views into it. */
  bytes: Uint8Array;
  payload: Uint8Array;
  signature: Uint8Array;
}

const schema = z.tuple([z.instanceof(Uint8Array), z.instanceof(Uint8Array)]);

export function encodeEnvelope(payload: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeCbor([payload, signature]);
}

/** Opens an envelope without verifying its signature. Throws FRAME_TOO_LARGE or FRAME_INVALID. */
export function openEnvelope(bytes: Uint8Array, maxBytes: number, what: string): Envelope {
  if (bytes.length > maxBytes) throw new DtkdError('FRAME_TOO_LARGE', `${what} of ${bytes.length} bytes is over the limit of ${maxBytes}`);
  const copy = Uint8Array.from(bytes);
  const [payload, signature] = decodeCbor(copy, schema, what);
  return { id: hashHex(payload), bytes: copy, payload, signature };
}
