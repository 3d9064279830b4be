/**
 * Messages of `/dtkd/hello`, one frame each, on every new connection before anything else. D is the dialling side, R the other:
 *
 *     D → R  chain    which domain, and the certificates that make D a member (one frame or more)
 *     R → D  chain    the same of R, or a refusal
 *     D ⇄ R  ids, items   only if their digests differ: which items each has, then those that the other lacks
 *     D → R  about    addresses, protocols, what D has heard; from now on D serves R
 *     R → D  about    the same of R; from now on R serves D
 *
 * A refusal ends the conversation. A REMOVED refusal comes after the items that prove the removal, so that the removed node learns of it.
 * No side describes itself before the other has proved that it is a member.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesOf, bytesOfHex, bytesUpTo, domainId, hash, hexOf, peerKey } from '../encoding/fields.ts';
import type { PeerId } from '../ids.ts';
import { MAX_ITEMS_PER_FRAME, MAX_JOIN_FRAME_BYTES, MAX_MEMBERS, MAX_ROTATION_BYTES } from '../limits.ts';
import { padding, refusal } from '../membership/join.ts';

export const HELLO_PROTOCOL = '/dtkd/hello/1.0.0';
export const HELLO_VERSION = 1;
/** Maximum bytes of a frame: the same as for join, which carries the same items. */
export const MAX_HELLO_FRAME_BYTES = MAX_JOIN_FRAME_BYTES;

/** Addresses that a node announces for itself. */
export const MAX_ADDRESSES = 16;
/** Other members whose addresses a node passes on, and addresses for each. */
export const MAX_PEER_HINTS = 64;
export const MAX_PEER_ADDRESSES = 4;
/** `[v6]:port` or `host:port`. */
const MAX_ADDRESS_LENGTH = 262;
const MAX_PROTOCOLS = 128;
const MAX_PROTOCOL_LENGTH = 128;
/** Ids in one frame: 34 bytes each. */
export const MAX_IDS_PER_FRAME = 4_096;

/** 16 bytes on the wire, 32 hex digits in code. */
export const peerId = z.codec(
  bytesOf(16),
  z.custom<PeerId>((value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)),
  { decode: (bytes) => hexOf(bytes) as PeerId, encode: bytesOfHex },
);

const items = z.array(bytesUpTo(MAX_ROTATION_BYTES)).max(MAX_ITEMS_PER_FRAME);

const chain = z.object({
  type: z.literal('chain'),
  version: z.number().int().min(1).max(65_535),
  domain: domainId,
  /** Digest of the sender's whole set of items. */
  digest: hash,
  items,
  more: z.boolean(),
  padding,
});

const idsMessage = z.object({ type: z.literal('ids'), ids: z.array(hash).max(MAX_IDS_PER_FRAME), more: z.boolean() });
const itemsMessage = z.object({ type: z.literal('items'), items, more: z.boolean() });

/** Maximum number of removed keys in one message, 16 bytes each. */
export const MAX_HEARD_REMOVALS = 4 * MAX_MEMBERS;
/** Keys that the sender knows to be removed. */
export const heardRemovals = z.array(peerId).max(MAX_HEARD_REMOVALS);

const about = z.object({
  type: z.literal('about'),
  /** Addresses at which the sender may be dialled, the best first. */
  addresses: z.array(z.string().max(MAX_ADDRESS_LENGTH)).max(MAX_ADDRESSES),
  /** The port that the sender listens on, to combine with the address that the receiver sees. */
  port: z.number().int().min(0).max(65_535),
  /** The receiver's IP address as the sender sees it; empty if relayed. */
  observed: z.string().max(MAX_ADDRESS_LENGTH),
  protocols: z.array(z.string().max(MAX_PROTOCOL_LENGTH)).max(MAX_PROTOCOLS),
  /** Addresses at which the sender last reached other members. They are hints: dialling checks the key. */
  peers: z
    .array(z.object({ key: peerKey, addresses: z.array(z.string().max(MAX_ADDRESS_LENGTH)).max(MAX_PEER_ADDRESSES) }))
    .max(MAX_PEER_HINTS),
  removed: heardRemovals,
  /**
   * Digest of the heads of all logs that the sender has (`headsDigest`), except those of suspended authors. If both are equal, neither
   * side lacks anything.
   */
  logs: hash.optional(),
});

const message = z.discriminatedUnion('type', [chain, idsMessage, itemsMessage, about, refusal]);

export type HelloAbout = z.output<typeof about>;
export type HelloMessage = z.output<typeof message>;

export function encodeHello(value: HelloMessage): Uint8Array {
  return encodeCbor(z.encode(message, value));
}

/** Reads one frame. Throws FRAME_INVALID. */
export function decodeHello(frame: Uint8Array): HelloMessage {
  return decodeCbor(frame, message, 'a hello message');
}
