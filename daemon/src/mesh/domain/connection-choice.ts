/** Which members to be connected with: a pure choice. */
import { createHash } from 'node:crypto';
import type { PeerKey } from '../../../../protocol/ids.ts';

/** Below this many members everybody connects with everybody. */
export const FULL_MESH_BELOW = 32;
/** Successors on the sorted ring: they keep the graph connected whatever the others choose. */
const RING_NEIGHBOURS = 2;
/** Random neighbours: they keep paths short. */
const RANDOM_NEIGHBOURS = 4;

export interface ChoiceInput {
  self: PeerKey;
  /** All live members, with or without `self`. */
  members: Iterable<PeerKey>;
  /** Members that could not be reached lately: passed over on the ring and in the draw. */
  unreachable: ReadonlySet<PeerKey>;
  /** Kept for the life of the process, so that the random neighbours stay the same. */
  seed: string;
}

export function chooseNeighbours({ self, members, unreachable, seed }: ChoiceInput): Set<PeerKey> {
  const others = [...new Set(members)].filter((key) => key !== self).sort();
  if (others.length + 1 < FULL_MESH_BELOW) return new Set(others);
  const start = others.findIndex((key) => key > self);
  const ring = start < 0 ? others : [...others.slice(start), ...others.slice(0, start)];
  const reachable = ring.filter((key) => !unreachable.has(key));
  const chosen = new Set(reachable.slice(0, RING_NEIGHBOURS));
  const draw = reachable
    .slice(RING_NEIGHBOURS)
    .map((key) => ({ key, lot: createHash('sha256').update(seed).update(key).digest('hex') }))
    .sort((a, b) => (a.lot < b.lot ? -1 : 1));
  for (const { key } of draw.slice(0, RANDOM_NEIGHBOURS)) chosen.add(key);
  // The two that should be next on the ring, though unreachable, are tried as well: else a ring broken once would stay so.
  for (const key of ring.slice(0, RING_NEIGHBOURS)) chosen.add(key);
  return chosen;
}
