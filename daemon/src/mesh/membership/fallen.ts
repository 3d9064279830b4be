/**
 * A member whose admission fell: its admitter was removed or its invite revoked before the root had heard of it, or a rotation did not list it. The fold keeps
 * nothing of it, so it is known by what it presents alone.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { isItemOf, type ParsedItem } from '../../../../protocol/membership/facts.ts';
import { type FoldedState, fold } from './fold.ts';
import { type VerifyFork, verifyItems } from './verify.ts';

/** What proves to `key` that it counts no more. Empty if it is no member by what it presents either: a stranger is told nothing. */
export async function proofOfFall(
  state: FoldedState,
  key: PeerKey,
  presented: readonly Uint8Array[],
  verifyFork: VerifyFork,
): Promise<ParsedItem[]> {
  const { domain, generations, facts } = state;
  const { accepted, forks } = await verifyItems({ domain, items: new Map() }, presented, verifyFork);
  const claimed = fold({ domain, items: new Map(accepted.map((item) => [item.id, item])), forks });
  if (!claimed?.members.has(key)) return [];
  const certificates = accepted.filter((item) => isItemOf(item, 'certificate'));
  const admitters = new Set(certificates.map(({ fact }) => fact.admitter));
  const grants = new Set(certificates.map(({ fact }) => fact.grant));
  const said = facts.kept.filter(
    ({ fact }) => (fact.type === 'removal' && admitters.has(fact.key)) || (fact.type === 'revocation' && grants.has(fact.grant)),
  );
  return [generations.genesis, ...generations.rotations, ...said];
}
