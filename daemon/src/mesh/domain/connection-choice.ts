/** Which members to connect with, which connections to close, and how a member's reach is reported. Pure. */
import { createHash } from 'node:crypto';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Reach } from '../mesh.types.ts';

/** With fewer members than this, everybody connects with everybody: a full mesh. */
export const FULL_MESH_BELOW = 32;
/** Successors on the sorted ring. They keep the graph connected whatever the others choose. */
const RING_NEIGHBOURS = 2;
/** Random neighbours: they keep paths short. */
const RANDOM_NEIGHBOURS = 4;

export interface ChoiceInput {
  self: PeerKey;
  /** All live members, with or without `self`. */
  members: Iterable<PeerKey>;
  /** Members that could not be reached lately: skipped on the ring and in the draw. */
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
  // The next two on the ring are tried even if unreachable: otherwise a ring once broken would stay broken.
  for (const key of ring.slice(0, RING_NEIGHBOURS)) chosen.add(key);
  return chosen;
}

/**
 * How a member is reported. In a full mesh, a member that is not connected is away; in a larger domain, only one that could not be reached
 * when tried.
 */
export function reachOf(member: { connected: boolean; unreachable: boolean; members: number }): Reach {
  if (member.connected) return 'connected';
  return member.unreachable || member.members < FULL_MESH_BELOW ? 'away' : 'idle';
}

/**
 * How long an unused connection to a member that is not a neighbour is kept for the next request. Making a new one takes a dial, a
 * handshake and a hello.
 */
export const IDLE_MS = 2 * 60_000;
/** Unused connections of this kind that are kept: the rest of a host's connections is for members that chose us. */
export const MAX_UNUSED = 64;
/** Expired connections closed at a time: a domain that has just outgrown the full mesh should not lose hundreds at once. */
const MAX_CLOSED_AT_ONCE = 4;

/** A connection that this node made to a member that is not its neighbour. */
export interface OnDemand<L> {
  link: L;
  lastUsed: number;
  /** Something runs on it, or depends on it. */
  inUse: boolean;
}

/** The connections to close now: those idle for long, and the longest idle of too many. Never one in use. */
export function chooseIdle<L>(links: readonly OnDemand<L>[], now: number): L[] {
  const unused = links.filter(({ inUse }) => !inUse).sort((a, b) => a.lastUsed - b.lastUsed);
  const surplus = Math.max(unused.length - MAX_UNUSED, 0);
  const expired = unused.slice(surplus).filter(({ lastUsed }) => now - lastUsed >= IDLE_MS);
  return [...unused.slice(0, surplus), ...expired.slice(0, MAX_CLOSED_AT_ONCE)].map(({ link }) => link);
}
