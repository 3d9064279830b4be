/** The sentences of refusals: pure. */
import { capabilityKind } from '../../../../protocol/kinds/capability.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import { shareKind } from '../../../../protocol/kinds/share.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import { displayOf, type Principal } from '../../../../protocol/rights/principal.ts';

const GRANTS = [capabilityKind, shareKind];
const READING = new Set<CapabilityVerb>(['READ', 'DISCOVER']);

/** What to do about a right that is missing. */
export function askFor(
  node: string,
  principal: Principal,
  verb: CapabilityVerb,
  { group, plural, name }: { group: string; plural: string; name?: string },
): string {
  // on these only reading can be granted
  const isGrant = GRANTS.some((grant) => grant.group === group && grant.plural === plural);
  if (isGrant && !READING.has(verb)) return `Ask the operator of ${node} to do it, or for MANAGE with these rights on what it is about.`;
  const kind = kindByPlural(group, plural)?.singular ?? plural;
  // a right to make one thing of a certain name is seldom what is wanted
  const one = name === undefined || name === '' || verb === 'CREATE' ? '' : `/${name}`;
  return `Ask the operator of ${node} for it: dtkd grant ${displayOf(principal)} ${verb} --on ${kind}${one}`;
}
