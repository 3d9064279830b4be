/**
 * The state of a domain as a pure function of the set of its verified items: it reads no clock and no arrival order, so nodes with the
 * same items show the same members, names, invites and removals. Items that can never count again are left out of `kept`, which is what a
 * node stores and passes on.
 */
import { type DomainId, type NodeName, type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import { compareEpochs, type Epoch } from '../../../../protocol/log/log-entry.ts';
import { type Fork, isItemOf, type Leave, type ParsedItem } from '../../../../protocol/membership/facts.ts';
import { type CertificateItem, foldAdmissions } from './admissions.ts';
import { foldGenerations, type Generations } from './generations.ts';
import type { Invite, Member, MembershipState } from './membership.types.ts';
import { type Claim, showNames } from './names.ts';
import { gatherRootFacts, type RootFacts } from './root-facts.ts';
import { compareText, type Stamp } from './stamp.ts';

/** A verified fork proof, with what it proves. */
export interface ProvenFork {
  author: PeerKey;
  epoch: Epoch;
}

export interface FoldedMember extends Member {
  claimedName: NodeName;
  /** The bare name that counts: the one that the root bound, else the claimed one. */
  name: NodeName;
  /** True if the root lists the member or has bound its name. */
  bound: boolean;
  /** True if the root granted that it takes over its name from an older holder. */
  replaces: boolean;
  /** The certificate that counts for it; undefined if the root lists it. */
  certificate: CertificateItem | undefined;
}

export interface FoldedState extends MembershipState {
  readonly members: ReadonlyMap<PeerKey, FoldedMember>;
  readonly suspended: ReadonlyMap<PeerKey, { proof: string; epoch: Epoch }>;
  /** By name: the removed keys for which it is reserved. */
  readonly reservations: ReadonlyMap<string, readonly PeerKey[]>;
  readonly generations: Generations;
  readonly facts: RootFacts;
  /** Keys that stand whatever happens to their admitters. */
  readonly anchors: ReadonlySet<PeerKey>;
  /** Certificates that stand, by link. */
  readonly links: ReadonlyMap<string, CertificateItem>;
  /** By key: the epoch up to which forks of its log are forgiven. */
  readonly cleared: ReadonlyMap<PeerKey, Epoch>;
  /** All items that count, each after those on which it builds. */
  readonly kept: readonly ParsedItem[];
}

export interface FoldInput {
  domain: DomainId;
  /** Verified items by id. */
  items: ReadonlyMap<string, ParsedItem>;
  /** What each fork proof among the items proves. */
  forks: ReadonlyMap<string, ProvenFork>;
}

/** Undefined while the genesis is not among the items. */
export function fold({ domain, items, forks }: FoldInput): FoldedState | undefined {
  const generations = foldGenerations(domain, items);
  if (generations === undefined) return undefined;
  const facts = gatherRootFacts(generations.current, items.values());
  const anchors = new Set([...generations.listed.keys(), ...facts.bindings.keys()]);
  const certificates = foldAdmissions(facts, anchors, items.values());
  const byKey = new Map<PeerKey, CertificateItem[]>();
  for (const item of certificates) {
    const own = byKey.get(item.fact.key);
    if (own === undefined) byKey.set(item.fact.key, [item]);
    else own.push(item);
  }
  const known = (key: PeerKey): boolean => anchors.has(key) || byKey.has(key);
  const leaves = gatherLeaves(domain, items.values(), known);
  const removed = gatherRemoved(generations, facts, leaves, byKey);

  const identities: Identity[] = [];
  for (const key of new Set([...anchors, ...byKey.keys()])) {
    if (!removed.has(key)) identities.push(identify(key, generations, facts, byKey.get(key) ?? []));
  }
  identities.sort((a, b) => compareText(a.key, b.key));
  const reservations = gatherReservations(generations, facts);
  const names = showNames(identities, new Set(reservations.keys()));
  for (const name of names.holders.keys()) reservations.delete(name);
  const members = new Map<PeerKey, FoldedMember>();
  for (const identity of identities) {
    const shown = names.shown.get(identity.key) ?? { displayName: identity.name, ambiguous: false };
    members.set(identity.key, {
      key: identity.key,
      id: peerIdOf(identity.key),
      claimedName: identity.claimedName,
      name: identity.name,
      ...shown,
      admittedBy: identity.certificate?.fact.admitter,
      grant: identity.certificate?.fact.grant,
      bound: identity.bound !== undefined,
      replaces: identity.replaces !== undefined,
      certificate: identity.certificate,
    });
  }

  const cleared = gatherCleared(generations, facts);
  const forkItems = gatherForks(items.values(), forks, cleared, (key) => known(key) && !removed.has(key));
  return {
    domain,
    name: generations.genesis.fact.name,
    root: generations.root,
    rotations: generations.rotations.length,
    members,
    removed,
    suspended: new Map([...forkItems].map(([key, { item, epoch }]) => [key, { proof: item.id, epoch }])),
    reservedNames: new Set(reservations.keys()),
    reservations,
    invites: describeInvites(facts, certificates, members),
    generations,
    facts,
    anchors,
    links: new Map(certificates.map((item) => [item.fact.link, item])),
    cleared,
    kept: [
      generations.genesis,
      ...generations.rotations,
      ...facts.kept,
      ...certificates,
      ...leaves.values(),
      ...[...forkItems.values()].map(({ item }) => item),
    ],
  };
}

interface Identity extends Claim {
  name: NodeName;
  claimedName: NodeName;
  certificate: CertificateItem | undefined;
}

function identify(key: PeerKey, generations: Generations, facts: RootFacts, own: readonly CertificateItem[]): Identity {
  const listed = generations.listed.get(key);
  const binding = facts.bindings.get(key);
  // Lost answers can lead to several certificates; the choice among them must not depend on who asks.
  const certificate = listed === undefined ? [...own].sort((a, b) => compareText(a.id, b.id))[0] : undefined;
  const claimedName = listed?.name ?? certificate?.fact.name ?? binding?.fact.name ?? ('node' as NodeName);
  const name = binding?.fact.name ?? claimedName;
  return { key, name, claimedName, certificate, bound: boundSince(), replaces: replacesSince() };

  function boundSince(): Stamp | undefined {
    if (binding !== undefined) return { time: binding.fact.time, id: binding.id };
    return listed === undefined ? undefined : generations.stamp;
  }

  function replacesSince(): Stamp | undefined {
    const grant = certificate?.fact.replace === name ? facts.grants.get(certificate.fact.grant) : undefined;
    return grant?.fact.replace === name ? { time: grant.fact.time, id: grant.id } : undefined;
  }
}

function gatherLeaves(domain: DomainId, items: Iterable<ParsedItem>, known: (key: PeerKey) => boolean): Map<PeerKey, ParsedItem<Leave>> {
  const leaves = new Map<PeerKey, ParsedItem<Leave>>();
  for (const item of items) {
    if (!isItemOf(item, 'leave') || item.fact.domain !== domain || !known(item.fact.key)) continue;
    const rival = leaves.get(item.fact.key);
    if (rival === undefined || item.id < rival.id) leaves.set(item.fact.key, item);
  }
  return leaves;
}

function gatherRemoved(
  generations: Generations,
  facts: RootFacts,
  leaves: ReadonlyMap<PeerKey, ParsedItem<Leave>>,
  byKey: ReadonlyMap<PeerKey, readonly CertificateItem[]>,
): Map<PeerKey, { name: string; fact: string; left: boolean }> {
  const removed = new Map<PeerKey, { name: string; fact: string; left: boolean }>();
  for (const { key, name, left } of generations.removed) removed.set(key, { name, fact: generations.current, left });
  for (const [key, leave] of leaves) {
    removed.set(key, { name: identify(key, generations, facts, byKey.get(key) ?? []).name, fact: leave.id, left: true });
  }
  for (const [key, { name, fact }] of facts.removals) removed.set(key, { name, fact, left: false });
  return removed;
}

function gatherReservations(generations: Generations, facts: RootFacts): Map<string, PeerKey[]> {
  const reservations = new Map<string, PeerKey[]>();
  const reserve = (name: string, key: PeerKey): void => {
    if (facts.freed.get(name)?.has(key)) return;
    reservations.set(name, [...(reservations.get(name) ?? []), key].sort(compareText));
  };
  for (const { key, name, reserved } of generations.removed) if (reserved) reserve(name, key);
  for (const [key, { name }] of facts.removals) reserve(name, key);
  return reservations;
}

function gatherCleared(generations: Generations, facts: RootFacts): Map<PeerKey, Epoch> {
  const cleared = new Map<PeerKey, Epoch>();
  for (const [key, listed] of generations.listed) if (listed.cleared !== undefined) cleared.set(key, listed.cleared);
  for (const [key, { fact }] of facts.clearances) {
    const before = cleared.get(key);
    if (before === undefined || compareEpochs(fact.epoch, before) > 0) cleared.set(key, fact.epoch);
  }
  return cleared;
}

/** At most one per author, the one of the highest epoch, so that a clearance of a lower epoch forgives no more than it says. */
function gatherForks(
  items: Iterable<ParsedItem>,
  forks: ReadonlyMap<string, ProvenFork>,
  cleared: ReadonlyMap<PeerKey, Epoch>,
  counts: (key: PeerKey) => boolean,
): Map<PeerKey, { item: ParsedItem<Fork>; epoch: Epoch }> {
  const kept = new Map<PeerKey, { item: ParsedItem<Fork>; epoch: Epoch }>();
  for (const item of items) {
    const proven = forks.get(item.id);
    if (!isItemOf(item, 'fork') || proven === undefined || !counts(proven.author)) continue;
    const forgiven = cleared.get(proven.author);
    if (forgiven !== undefined && compareEpochs(proven.epoch, forgiven) <= 0) continue;
    const rival = kept.get(proven.author);
    const order = rival === undefined ? 1 : compareEpochs(proven.epoch, rival.epoch) || compareText(rival.item.id, item.id);
    if (order > 0) kept.set(proven.author, { item, epoch: proven.epoch });
  }
  return kept;
}

function describeInvites(
  facts: RootFacts,
  certificates: readonly CertificateItem[],
  members: ReadonlyMap<PeerKey, FoldedMember>,
): Map<string, Invite> {
  const admitted = new Map<string, Set<PeerKey>>();
  for (const { fact } of certificates) {
    const keys = admitted.get(fact.grant) ?? new Set();
    admitted.set(fact.grant, keys.add(fact.key));
  }
  const invites = new Map<string, Invite>();
  for (const [grant, { fact }] of facts.grants) {
    const keys = [...(admitted.get(grant) ?? [])].sort(compareText);
    invites.set(grant, {
      grant,
      uses: fact.uses,
      expires: fact.expires,
      revoked: facts.revocations.has(grant),
      replace: fact.replace,
      admitted: keys,
      // A use stays used when its member is gone, but the surplus counts only present members.
      surplus: Math.max(0, keys.filter((key) => members.has(key)).length - fact.uses),
    });
  }
  return invites;
}
