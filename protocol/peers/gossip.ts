/**
 * Gossip messages: one byte for the kind, then a log entry or a membership item exactly as signed. A message is named by the hash of its
 * bytes, so that the same message from several members passes through each node once.
 */
import { DtkdError } from '../errors.ts';

const KINDS = { entry: 0, item: 1 } as const;

export type GossipKind = keyof typeof KINDS;

export function encodeGossip(kind: GossipKind, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + bytes.length);
  message[0] = KINDS[kind];
  message.set(bytes, 1);
  return message;
}

/** Throws FRAME_INVALID. */
export function decodeGossip(message: Uint8Array): { kind: GossipKind; bytes: Uint8Array } {
  const bytes = message.subarray(1);
  if (message[0] === KINDS.entry) return { kind: 'entry', bytes };
  if (message[0] === KINDS.item) return { kind: 'item', bytes };
  throw new DtkdError('FRAME_INVALID', 'a gossiped message is neither an entry nor a membership item');
}
