/** Chooses which members' addresses to pass on to a member. Pure. */
import type { PeerKey } from '../../../../protocol/ids.ts';

export interface HintsInput {
  /** The member that gets the hints. */
  to: PeerKey;
  connected: readonly PeerKey[];
  /** Members with a known address, in a domain too large for a full mesh; otherwise none. */
  known: readonly PeerKey[];
  max: number;
  random(): number;
}

/**
 * Connected members first, since their addresses are good. In a large domain, then a random choice of others, so that addresses spread
 * further than to neighbours.
 */
export function chooseHints({ to, connected, known, max, random }: HintsInput): PeerKey[] {
  const first = connected.filter((key) => key !== to);
  const told = new Set([...first, to]);
  const others = known
    .filter((key) => !told.has(key))
    .map((key) => ({ key, lot: random() }))
    .sort((a, b) => a.lot - b.lot)
    .map(({ key }) => key);
  return [...first, ...others].slice(0, max);
}
