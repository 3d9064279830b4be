/** Which members to be connected with, which connections to give up, and what is to be said of a member: pure choices. */
import { createHash } from 'node:crypto';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Reach } from '../mesh.types.ts';

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

/**
 * How a member stands. Where everybody connects with everybody, one that is not connected is away; in a larger domain only one that could
 * not be reached when it was tried.
 */
export function reachOf(member: { connected: boolean; unreachable: boolean; members: number }): Reach {
  if (member.connected) return 'connected';
  return member.unreachable || member.members < FULL_MESH_BELOW ? 'away' : 'idle';
}

/** A connection to a member that is no neighbour serves the next request too; making it anew takes a dial, a handshake and a hello. */
export const IDLE_MS = 2 * 60_000;
/** Such connections that are kept unused: the rest of what one host may have is for those who chose us. */
export const MAX_UNUSED = 64;
/** Closed at one time: a domain that has just outgrown the full mesh should not lose hundreds of connections at once. */
const MAX_CLOSED_AT_ONCE = 4;

/** A connection that this node made to a member that is not among its neighbours. */
export interface OnDemand<L> {
  link: L;
  lastUsed: number;
  /** Something runs on it, or depends on it. */
  inUse: boolean;
}

/** Those to be closed now: idle for long, and the longest idle of too many; none that is in use. */
export function chooseIdle<L>(links: readonly OnDemand<L>[], now: number): L[] {
  const unused = links.filter(({ inUse }) => !inUse).sort((a, b) => a.lastUsed - b.lastUsed);
  const surplus = Math.max(unused.length - MAX_UNUSED, 0);
  const expired = unused.slice(surplus).filter(({ lastUsed }) => now - lastUsed >= IDLE_MS);
  return [...unused.slice(0, surplus), ...expired.slice(0, MAX_CLOSED_AT_ONCE)].map(({ link }) => link);
}
