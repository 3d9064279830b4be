/**
 * Display names. At most one live member holds a name: the one to which the root gave it, else its only claimant. All others that claim it
 * are shown as `name-<6 hex>`, with the first digits of their key.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareStamps, compareText, type Stamp } from './stamp.ts';

/** A live member's claim of a name. */
export interface Claim {
  key: PeerKey;
  name: string;
  /** When the root gave it the name. */
  bound: Stamp | undefined;
  /** When the root granted that it takes over the name. The latest such grant wins, over any binding of another member. */
  replaces: Stamp | undefined;
}

export interface ShownName {
  displayName: string;
  /** True while nobody holds the bare name: several members claim it, or it is reserved. */
  ambiguous: boolean;
}

export interface NameTable {
  shown: ReadonlyMap<PeerKey, ShownName>;
  /** The holder of each bare name. */
  holders: ReadonlyMap<string, PeerKey>;
}

const MAX_LABEL_LENGTH = 63;
/** Digits of a key in a suffix: six, and more only if somebody made a key that begins like another. */
const SUFFIX_LENGTHS = [6, 12, 24, 48];

/** `reserved`: names of removed members, which only the root can give to somebody else. */
export function showNames(claims: readonly Claim[], reserved: ReadonlySet<string>): NameTable {
  const byName = new Map<string, Claim[]>();
  for (const claim of claims) {
    const rivals = byName.get(claim.name);
    if (rivals === undefined) byName.set(claim.name, [claim]);
    else rivals.push(claim);
  }
  const holders = new Map<string, PeerKey>();
  for (const [name, rivals] of byName) {
    const holder = holderOf(rivals, reserved.has(name));
    if (holder !== undefined) holders.set(name, holder.key);
  }
  const shown = new Map<PeerKey, ShownName>();
  const others: Claim[] = [];
  for (const claim of claims) {
    if (holders.get(claim.name) === claim.key) shown.set(claim.key, { displayName: claim.name, ambiguous: false });
    else others.push(claim);
  }
  addSuffixes(others, holders, shown);
  return { shown, holders };
}

function holderOf(rivals: readonly Claim[], reserved: boolean): Claim | undefined {
  const replacer = best(rivals, (claim) => claim.replaces, -1);
  if (replacer !== undefined) return replacer;
  const bound = best(rivals, (claim) => claim.bound, 1);
  if (bound !== undefined) return bound;
  return rivals.length === 1 && !reserved ? rivals[0] : undefined;
}

/** The claim with the earliest stamp (`direction` 1) or the latest (-1). */
function best(claims: readonly Claim[], stampOf: (claim: Claim) => Stamp | undefined, direction: 1 | -1): Claim | undefined {
  let winner: { claim: Claim; stamp: Stamp } | undefined;
  for (const claim of claims) {
    const stamp = stampOf(claim);
    if (stamp === undefined) continue;
    const order = winner === undefined ? -1 : compareStamps(stamp, winner.stamp) * direction || compareText(claim.key, winner.claim.key);
    if (order < 0) winner = { claim, stamp };
  }
  return winner?.claim;
}

function addSuffixes(others: readonly Claim[], holders: ReadonlyMap<string, PeerKey>, shown: Map<PeerKey, ShownName>): void {
  const taken = new Set(holders.keys());
  let left = others;
  for (const digits of SUFFIX_LENGTHS) {
    const candidates = new Map<string, Claim[]>();
    for (const claim of left) {
      const text = withSuffix(claim, digits);
      candidates.set(text, [...(candidates.get(text) ?? []), claim]);
    }
    const unplaced: Claim[] = [];
    for (const [text, claimants] of candidates) {
      const [only, ...more] = claimants;
      if (only !== undefined && more.length === 0 && !taken.has(text)) {
        taken.add(text);
        shown.set(only.key, { displayName: text, ambiguous: !holders.has(only.name) });
      } else unplaced.push(...claimants);
    }
    left = unplaced;
    if (left.length === 0) return;
  }
  // Nobody can make two keys that agree in 48 digits, but a total function must place every claim.
  for (const claim of left)
    shown.set(claim.key, { displayName: claim.key.slice(0, MAX_LABEL_LENGTH), ambiguous: !holders.has(claim.name) });
}

function withSuffix({ name, key }: Claim, digits: number): string {
  return `${name.slice(0, MAX_LABEL_LENGTH - 1 - digits)}-${key.slice(0, digits)}`;
}
