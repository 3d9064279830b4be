/**
 * Members whose admission became void: the admitter was removed or the invite revoked before the root had heard of the admission, or a
 * rotation did not list the member. The fold keeps nothing of them, so they are known only by what they present.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { isItemOf, type ParsedItem } from '../../../../protocol/membership/facts.ts';
import { type FoldedState, fold } from './fold.ts';
import { type VerifyFork, verifyItems } from './verify.ts';

/**
 * The items that prove to `key` that it no longer counts. Empty if what it presents does not make it a member: strangers are told nothing.
 */
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
