/**
 * `/dtkd/witness`: a member asks another which heads of its own audit log that member has seen. One frame each way. The asked member
 * reports only what it saw of the asker, which it knows from the connection.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesOf, hash, milliseconds } from '../encoding/fields.ts';
import { DtkdError } from '../errors.ts';
import type { AuditHead } from '../kinds/node.ts';
import { canonicalBytes } from './heads.ts';

export const WITNESS_PROTOCOL = '/dtkd/witness/1.0.0';

/** Heads of one author that a member keeps and reports. */
export const MAX_WITNESSED_HEADS = 512;
/** A head takes about 210 bytes. */
export const MAX_WITNESS_FRAME_BYTES = 192 * 1024;

/** A head, and when the member first saw it by its own clock. */
export interface WitnessedHead {
  head: AuditHead;
  /** Milliseconds since the epoch. */
  seen: number;
}

const request = z.object({ type: z.literal('heads') });
const wireHead = z.object({
  key: bytesOf(32),
  seq: z.number().int().nonnegative(),
  hash,
  time: z.string().max(40),
  signature: bytesOf(64),
  seen: milliseconds,
});
const answer = z.object({ type: z.literal('witnessed'), heads: z.array(wireHead).max(MAX_WITNESSED_HEADS) });

export function encodeWitnessRequest(): Uint8Array {
  return encodeCbor({ type: 'heads' });
}

/** Throws FRAME_INVALID. */
export function checkWitnessRequest(frame: Uint8Array): void {
  decodeCbor(frame, request, 'a request for witnessed heads');
}

export function encodeWitnessed(heads: readonly WitnessedHead[]): Uint8Array {
  const wire = heads.map(({ head, seen }) => ({
    key: bytesIn(head.key, 32),
    seq: head.seq,
    hash: head.hash,
    time: head.time,
    signature: bytesIn(head.signature, 64),
    seen,
  }));
  return encodeCbor(z.encode(answer, { type: 'witnessed', heads: wire }));
}

/** Throws FRAME_INVALID. Does not verify the heads' signatures. */
export function decodeWitnessed(frame: Uint8Array): WitnessedHead[] {
  return decodeCbor(frame, answer, 'witnessed heads').heads.map(({ key, signature, seen, ...head }) => ({
    head: { ...head, key: text(key), signature: text(signature) },
    seen,
  }));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function bytesIn(base64: string, length: number): Uint8Array {
  const bytes = canonicalBytes(base64, length);
  if (bytes === undefined) throw new DtkdError('INTERNAL', 'a witnessed head is not written correctly');
  return bytes;
}
