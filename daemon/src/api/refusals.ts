/** The sentences of refusals: pure. */
import type { CapabilityVerb } from '../../../protocol/capability.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';
import { displayOf, type Principal } from '../../../protocol/principal.ts';

/** What to do about a right that is missing. */
export function askFor(
  node: string,
  principal: Principal,
  verb: CapabilityVerb,
  { group, plural, name }: { group: string; plural: string; name?: string },
): string {
  const kind = kindByPlural(group, plural)?.singular ?? plural;
  // a right to make one thing of a certain name is seldom what is wanted
  const one = name === undefined || name === '' || verb === 'CREATE' ? '' : `/${name}`;
  return `Ask the operator of ${node} for it: dtkd grant ${displayOf(principal)} ${verb} --on ${kind}${one}`;
}
