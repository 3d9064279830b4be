/**
 * Which certificates stand: a pure function of the set, whatever the order of arrival. Members form a forest. Its roots, the anchors, are
 * the keys that the domain's root lists or has bound to a name; they stand whatever happens to their admitters. Every other certificate
 * hangs by its `via` on the one that made its admitter a member, and falls with it. Of each admitter's certificates under an invite, the
 * first N that it witnessed stand, N being the invite's uses; once the root has revoked the invite or removed the admitter, those that the
 * root said to keep.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Certificate } from '../../../../protocol/membership/certificate.ts';
import { isItemOf, type ParsedItem } from '../../../../protocol/membership/facts.ts';
import type { RootFacts } from './root-facts.ts';
import { compareText } from './stamp.ts';

export type CertificateItem = ParsedItem<Certificate>;

/** The certificates that stand, each after the one on which it hangs. */
export function foldAdmissions(facts: RootFacts, anchors: ReadonlySet<PeerKey>, items: Iterable<ParsedItem>): CertificateItem[] {
  const groups = new Map<string, CertificateItem[]>();
  for (const item of items) {
    if (!isItemOf(item, 'certificate') || !facts.grants.has(item.fact.grant)) continue;
    const group = `${item.fact.grant}/${item.fact.admitter}`;
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [item]);
    else members.push(item);
  }
  const hanging = new Map<string, CertificateItem[]>();
  const standing: CertificateItem[] = [];
  for (const group of groups.values()) {
    for (const item of chooseOfGroup(facts, group)) {
      const { admitter, via } = item.fact;
      if (anchors.has(admitter)) standing.push(item);
      else if (via !== undefined) {
        const siblings = hanging.get(via);
        if (siblings === undefined) hanging.set(via, [item]);
        else siblings.push(item);
      }
    }
  }
  standing.sort(byId);
  // The list grows during the walk: breadth first, so that each certificate follows the one on which it hangs.
  for (const item of standing) {
    const below = hanging.get(item.fact.link)?.filter(({ fact }) => fact.admitter === item.fact.key);
    if (below === undefined) continue;
    hanging.delete(item.fact.link);
    standing.push(...below.sort(byId));
  }
  return standing;
}

/** Chooses among all certificates of one admitter under one grant. */
function chooseOfGroup(facts: RootFacts, group: readonly CertificateItem[]): CertificateItem[] {
  const first = group[0];
  const grant = first === undefined ? undefined : facts.grants.get(first.fact.grant);
  if (first === undefined || grant === undefined) return [];
  const revoked = facts.revocations.get(grant.id);
  const removed = facts.removals.get(first.fact.admitter)?.keeps;
  const ordered = [...group].sort(byWitness);
  // An enrolment that was witnessed twice counts once.
  const links = distinct(ordered, (item) => item.fact.link);
  if (revoked === undefined && removed === undefined) return links.slice(0, grant.fact.uses);
  const kept = links.filter(({ fact }) => (revoked?.has(fact.key) ?? true) && (removed?.has(fact.key) ?? true));
  return distinct(kept, (item) => item.fact.key);
}

function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function byId(a: CertificateItem, b: CertificateItem): number {
  return compareText(a.id, b.id);
}

function byWitness(a: CertificateItem, b: CertificateItem): number {
  return a.fact.count - b.fact.count || compareText(a.id, b.id);
}
