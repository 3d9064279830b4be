/**
 * Which root counts: that of the genesis, or of the last rotation. Of several rotations of one generation the lowest id wins, so all nodes
 * that know the same rotations agree on the current root. A generation that has been followed is over for ever.
 */
import type { DomainId, NodeName, PeerKey } from '../../../../protocol/ids.ts';
import type { Epoch } from '../../../../protocol/log/log-entry.ts';
import { type Genesis, isItemOf, type ParsedItem, type Rotation } from '../../../../protocol/membership/facts.ts';
import type { Stamp } from './stamp.ts';

/** A member listed by the root itself. */
export interface ListedMember {
  name: NodeName;
  /** Forks of its log up to this epoch are forgiven. */
  cleared: Epoch | undefined;
}

export interface Generations {
  genesis: ParsedItem<Genesis>;
  /** The rotations that count, in order. */
  rotations: ParsedItem<Rotation>[];
  /** Id of the last rotation, or of the genesis: the `by` of facts that count. */
  current: string;
  /** Every earlier generation. */
  past: ReadonlySet<string>;
  root: PeerKey;
  recovery: string;
  listed: ReadonlyMap<PeerKey, ListedMember>;
  /** Orders the list among bindings of names: it was signed before all of them. */
  stamp: Stamp;
  removed: Rotation['removed'];
}

/** Undefined while the genesis is not among the items. The items must have been verified. */
export function foldGenerations(domain: DomainId, items: ReadonlyMap<string, ParsedItem>): Generations | undefined {
  const genesis = items.get(domain);
  if (genesis === undefined || !isItemOf(genesis, 'genesis')) return undefined;
  const winners = new Map<string, ParsedItem<Rotation>>();
  for (const item of items.values()) {
    if (!isItemOf(item, 'rotation')) continue;
    const rival = winners.get(item.fact.prev);
    if (rival === undefined || item.id < rival.id) winners.set(item.fact.prev, item);
  }
  const rotations: ParsedItem<Rotation>[] = [];
  const past = new Set<string>();
  let current: string = domain;
  // A cycle would need a hash collision, but a fold must terminate on any input.
  for (let next = winners.get(current); next !== undefined && !past.has(next.id); next = winners.get(current)) {
    past.add(current);
    rotations.push(next);
    current = next.id;
  }
  return { genesis, rotations, current, past, ...headOf(genesis, rotations.at(-1)) };
}

function headOf(genesis: ParsedItem<Genesis>, last: ParsedItem<Rotation> | undefined) {
  if (last === undefined) {
    const { root, recovery, founder, time } = genesis.fact;
    const listed = new Map<PeerKey, ListedMember>([[founder.key, { name: founder.name, cleared: undefined }]]);
    return { root, recovery, listed, stamp: { time, id: genesis.id }, removed: [] };
  }
  const { root, recovery, members, time, removed } = last.fact;
  const gone = new Set(removed.map(({ key }) => key));
  const listed = new Map<PeerKey, ListedMember>();
  for (const { key, name, cleared } of members) if (!gone.has(key)) listed.set(key, { name, cleared });
  return { root, recovery, listed, stamp: { time, id: last.id }, removed };
}
