/**
 * Encodes and hashes a plan, and proves that an entry belongs to it (order.ts says why). Separate from the schemas, which clients load as
 * well.
 */
import { createHash } from 'node:crypto';
import { encodeCbor } from '../encoding/cbor.ts';
import { hashHex } from '../keys/signing.ts';
import { type ExecutionId, MAX_TARGETS, type PlanEntry, type PlanHeader } from './order.ts';

export function encodeEntry(entry: PlanEntry): Uint8Array {
  return encodeCbor(entry);
}

export function encodeHeader(header: PlanHeader): Uint8Array {
  return encodeCbor(header);
}

/** Returns the id of the execution with this header, given as encoded. */
export function executionIdOf(header: Uint8Array): ExecutionId {
  return hashHex(header);
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

function leafHash(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash('sha256').update(LEAF).update(entry).digest());
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash('sha256').update(NODE).update(left).update(right).digest());
}

/**
 * Returns the levels of the tree over encoded entries, leaves first. A node without a neighbour moves up unchanged, which gives the same
 * tree as RFC 6962's split at the largest power of two.
 */
function levels(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[][] {
  let level = entries.map(leafHash);
  const all = [level];
  while (level.length > 1) {
    const above: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = level.slice(at, at + 2);
      if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
    }
    level = above;
    all.push(level);
  }
  return all;
}

/** Returns the root of the tree over encoded entries. Throws RangeError if there are none. */
export function merkleRoot(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const root = levels(entries).at(-1)?.[0];
  if (root === undefined) throw new RangeError('a plan without targets has no root');
  return root;
}

/** Returns the proofs of all entries: hashes from each leaf up. */
export function merkleProofs(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[][] {
  const tree = levels(entries);
  return entries.map((_entry, index) =>
    tree.flatMap((level, height) => {
      const neighbour = level[(index >> height) ^ 1];
      return neighbour === undefined ? [] : [neighbour];
    }),
  );
}

/** True if `entry` is at `index` among the `count` entries that `root` covers (RFC 9162 §2.1.3.2). Never throws. */
export function verifyProof(
  root: Uint8Array,
  { count, index, entry, proof }: { count: number; index: number; entry: Uint8Array; proof: readonly Uint8Array[] },
): boolean {
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || index >= count || count > MAX_TARGETS) return false;
  let hash = leafHash(entry);
  let at = index;
  let last = count - 1;
  for (const neighbour of proof) {
    if (last === 0) return false;
    if ((at & 1) === 1 || at === last) {
      hash = nodeHash(neighbour, hash);
      while ((at & 1) === 0 && at !== 0) {
        at >>= 1;
        last >>= 1;
      }
    } else {
      hash = nodeHash(hash, neighbour);
    }
    at >>= 1;
    last >>= 1;
  }
  return last === 0 && Buffer.compare(hash, root) === 0;
}
