/** The facts signed by the current root, by subject. Facts of other roots are left out. */
import type { NodeName, PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs } from '../../../../protocol/log/log-entry.ts';
import type { Binding, Clearance, Fact, Grant, ParsedItem, RootFact } from '../../../../protocol/membership/facts.ts';
import { compareStamps, compareText } from './stamp.ts';

export interface RemovedKey {
  name: NodeName;
  fact: string;
  /** Admissions by the removed member that stand. Of several removals of one key, only those that all of them keep. */
  keeps: ReadonlySet<PeerKey>;
}

export interface RootFacts {
  grants: ReadonlyMap<string, ParsedItem<Grant>>;
  /** By grant: the admissions under it that stand. */
  revocations: ReadonlyMap<string, ReadonlySet<PeerKey>>;
  /** The latest by key. */
  bindings: ReadonlyMap<PeerKey, ParsedItem<Binding>>;
  removals: ReadonlyMap<PeerKey, RemovedKey>;
  /** By name: the removed keys that no longer reserve it. */
  freed: ReadonlyMap<string, ReadonlySet<PeerKey>>;
  /** The highest by key. */
  clearances: ReadonlyMap<PeerKey, ParsedItem<Clearance>>;
  /** The facts that matter, by id; superseded ones are left out. */
  kept: ParsedItem<RootFact>[];
}

export function isRootFact(item: ParsedItem): item is ParsedItem<RootFact> {
  return hasSigner(item.fact);
}

function hasSigner(fact: Fact): fact is RootFact {
  return 'by' in fact;
}

export function gatherRootFacts(current: string, items: Iterable<ParsedItem>): RootFacts {
  const grants = new Map<string, ParsedItem<Grant>>();
  const revocations = new Map<string, Set<PeerKey>>();
  const bindings = new Map<PeerKey, ParsedItem<Binding>>();
  const removals = new Map<PeerKey, { name: NodeName; fact: string; keeps: Set<PeerKey> }>();
  const freed = new Map<string, Set<PeerKey>>();
  const clearances = new Map<PeerKey, ParsedItem<Clearance>>();
  const kept: ParsedItem<RootFact>[] = [];
  for (const item of items) {
    if (!isRootFact(item) || item.fact.by !== current) continue;
    const { id, fact } = item;
    switch (fact.type) {
      case 'grant':
        grants.set(id, { ...item, fact });
        break;
      case 'revocation':
        revocations.set(fact.grant, intersect(revocations.get(fact.grant), fact.keeps));
        break;
      case 'binding': {
        const rival = bindings.get(fact.key);
        const stamp = { time: fact.time, id };
        if (rival === undefined || compareStamps({ time: rival.fact.time, id: rival.id }, stamp) < 0)
          bindings.set(fact.key, { ...item, fact });
        continue;
      }
      case 'removal': {
        const rival = removals.get(fact.key);
        const first = rival === undefined || id < rival.fact;
        removals.set(fact.key, {
          name: first ? fact.name : rival.name,
          fact: first ? id : rival.fact,
          keeps: intersect(rival?.keeps, fact.keeps),
        });
        break;
      }
      case 'free': {
        const keys = freed.get(fact.name) ?? new Set();
        for (const key of fact.keys) keys.add(key);
        freed.set(fact.name, keys);
        break;
      }
      case 'clearance': {
        const rival = clearances.get(fact.key);
        if (rival === undefined || isHigherClearance({ ...item, fact }, rival)) clearances.set(fact.key, { ...item, fact });
        continue;
      }
    }
    kept.push(item);
  }
  kept.push(...bindings.values(), ...clearances.values());
  kept.sort((a, b) => compareText(a.id, b.id));
  return { grants, revocations, bindings, removals, freed, clearances, kept };
}

function isHigherClearance(item: ParsedItem<Clearance>, rival: ParsedItem<Clearance>): boolean {
  const order = compareEpochs(item.fact.epoch, rival.fact.epoch);
  return order > 0 || (order === 0 && item.id < rival.id);
}

function intersect(before: ReadonlySet<PeerKey> | undefined, keys: readonly PeerKey[]): Set<PeerKey> {
  return new Set(before === undefined ? keys : keys.filter((key) => before.has(key)));
}
