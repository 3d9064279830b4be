/** The texts of refusals. Pure. */
import { capabilityKind } from '../../../../protocol/kinds/capability.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import { shareKind } from '../../../../protocol/kinds/share.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import { displayOf, type Principal } from '../../../../protocol/rights/principal.ts';

const GRANTS = [capabilityKind, shareKind];
const READING = new Set<CapabilityVerb>(['READ', 'DISCOVER']);

/** Tells what to do about a missing right. */
export function askFor(
  node: string,
  principal: Principal,
  verb: CapabilityVerb,
  { group, plural, name }: { group: string; plural: string; name?: string },
): string {
  // only reading can be granted on these kinds
  const isGrant = GRANTS.some((grant) => grant.group === group && grant.plural === plural);
  if (isGrant && !READING.has(verb))
    return `Ask the operator of ${node} to do it, or to grant you MANAGE with these rights on its objects.`;
  const kind = kindByPlural(group, plural)?.singular ?? plural;
  // a right to create a single object of a certain name is seldom what is wanted
  const one = name === undefined || name === '' || verb === 'CREATE' ? '' : `/${name}`;
  return `Ask the operator of ${node} for the right: dtkd grant ${displayOf(principal)} ${verb} --on ${kind}${one}`;
}
