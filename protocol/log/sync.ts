/**
 * Messages between members, one frame each.
 *
 * `/dtkd/sync`: the asker sends its heads, and the other answers with its own. Then the asker pulls as long as it lacks entries, each
 * time with its current heads.
 *
 * `/dtkd/facts`: the sender pushes items that are new to it; the other answers with its digest and the removals that it has heard of. If
 * the digests still differ, `ids` and `items` follow as in hello.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesUpTo, hash, hex8, milliseconds, peerKey } from '../encoding/fields.ts';
import type { PeerKey } from '../ids.ts';
import { hashHex } from '../keys/signing.ts';
import { MAX_ITEMS_PER_FRAME, MAX_MEMBERS, MAX_ROTATION_BYTES } from '../limits.ts';
import { heardRemovals } from '../peers/hello.ts';
import { MAX_ENTRY_BYTES } from './log-entry.ts';

export const SYNC_PROTOCOL = '/dtkd/sync/1.0.0';
export const FACTS_PROTOCOL = '/dtkd/facts/1.0.0';

/** Bytes of entries in one answer. A frame may be larger by one entry and the framing. */
export const SYNC_CHUNK_BYTES = 512 * 1024;
export const MAX_SYNC_FRAME_BYTES = SYNC_CHUNK_BYTES + 2 * MAX_ENTRY_BYTES;
/** An entry takes at least about a hundred bytes. */
const MAX_ENTRIES_PER_FRAME = 8_192;
/**
 * Maximum number of authors: the members, a few of them perhaps two or three times, and some that were removed while the frame was on its
 * way.
 */
const MAX_HEADS = 4 * MAX_MEMBERS;

const wireHead = z.tuple([peerKey, milliseconds, hex8, z.number().int().min(0), hash]);
const codeHead = z.object({
  author: z.custom<PeerKey>(),
  epoch: z.object({ ms: z.number(), random: z.string() }),
  seq: z.number(),
  hash: z.string(),
});

/** A tuple on the wire, since every exchange has one head per author. */
export const head = z.codec(wireHead, codeHead, {
  decode: ([author, ms, random, seq, tip]) => ({ author, epoch: { ms, random }, seq, hash: tip }),
  encode: ({ author, epoch, seq, hash: tip }): z.output<typeof wireHead> => [author, epoch.ms, epoch.random, seq, tip],
});

const heads = z.object({
  type: z.literal('heads'),
  digest: hash,
  removed: heardRemovals,
  heads: z.array(head).max(MAX_HEADS),
});

const pull = z.object({ type: z.literal('pull'), heads: z.array(head).max(MAX_HEADS) });

const entries = z.object({
  type: z.literal('entries'),
  entries: z.array(bytesUpTo(MAX_ENTRY_BYTES)).max(MAX_ENTRIES_PER_FRAME),
});

const push = z.object({
  type: z.literal('push'),
  digest: hash,
  items: z.array(bytesUpTo(MAX_ROTATION_BYTES)).max(MAX_ITEMS_PER_FRAME),
  more: z.boolean(),
});

const heard = z.object({ type: z.literal('heard'), digest: hash, removed: heardRemovals });

const syncMessage = z.discriminatedUnion('type', [heads, pull, entries]);
const factsMessage = z.discriminatedUnion('type', [push, heard]);

export type SyncHeads = z.output<typeof heads>;
export type SyncMessage = z.output<typeof syncMessage>;
export type FactsMessage = z.output<typeof factsMessage>;

/** Digest of a set of heads: SHA-256 over `author ms random seq hash` of each, sorted, one per line. */
export function headsDigest(heads: SyncHeads['heads']): string {
  const lines = heads.map(({ author, epoch, seq, hash: tip }) => `${author} ${epoch.ms} ${epoch.random} ${seq} ${tip}`);
  return hashHex(Buffer.from(lines.sort().join('\n')));
}

export function encodeSync(value: SyncMessage): Uint8Array {
  return encodeCbor(z.encode(syncMessage, value));
}

/** Throws FRAME_INVALID. */
export function decodeSync(frame: Uint8Array): SyncMessage {
  return decodeCbor(frame, syncMessage, 'a sync message');
}

export function encodeFacts(value: FactsMessage): Uint8Array {
  return encodeCbor(z.encode(factsMessage, value));
}

/** Throws FRAME_INVALID. */
export function decodeFacts(frame: Uint8Array): FactsMessage {
  return decodeCbor(frame, factsMessage, 'a facts message');
}
