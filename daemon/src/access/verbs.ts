/** What verbs imply, and how lists of verbs are worded. Pure. */
import { CAPABILITY_VERBS, type CapabilityVerb } from '../../../protocol/rights/capability.ts';

/** Whoever may do one of these may also know that the object exists. CREATE reveals nothing that exists. */
const IMPLY_DISCOVER: ReadonlySet<CapabilityVerb> = new Set<CapabilityVerb>(['READ', 'UPDATE', 'DELETE', 'MANAGE', 'REQUEST', 'EXECUTE']);

export function withImplied(verbs: Iterable<CapabilityVerb>): Set<CapabilityVerb> {
  const all = new Set(verbs);
  for (const verb of all) if (IMPLY_DISCOVER.has(verb)) return all.add('DISCOVER');
  return all;
}

/** In the order of the vocabulary, without duplicates. */
export function inOrder(verbs: Iterable<CapabilityVerb>): CapabilityVerb[] {
  const given = new Set(verbs);
  return CAPABILITY_VERBS.filter((verb) => given.has(verb));
}

/** `READ and UPDATE only`; leaves out a DISCOVER that another verb implies. */
export function heldText(verbs: ReadonlySet<CapabilityVerb>): string {
  const told = inOrder(verbs).filter((verb) => verb !== 'DISCOVER' || ![...verbs].some((other) => IMPLY_DISCOVER.has(other)));
  return told.length === 0 ? 'no rights on it' : `${listText(told)} only`;
}

/** `a, b and c`. */
export function listText(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
