/** Which members' addresses to pass on to a member: a pure choice. */
import type { PeerKey } from '../../../../protocol/ids.ts';

export interface HintsInput {
  /** Who is told. */
  to: PeerKey;
  connected: readonly PeerKey[];
  /** Members of which an address is known, in a domain where not everybody connects with everybody; else none. */
  known: readonly PeerKey[];
  max: number;
  random(): number;
}

/**
 * Those that are connected first: their addresses are good. In a large domain then others by lot, so that the word of where everybody is
 * spreads further than from neighbour to neighbour.
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
