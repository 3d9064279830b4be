/** The sentences of refusals: pure. */
import type { CapabilityVerb } from '../../../protocol/capability.ts';
import { displayOf, type Principal } from '../../../protocol/principal.ts';

/** What to do about a right that is missing. */
export function askFor(
  node: string,
  principal: Principal,
  verb: CapabilityVerb,
  { group, plural, name }: { group: string; plural: string; name?: string },
): string {
  const on = group === '' ? plural : `${plural}.${group}`;
  const one = name === undefined || name === '' ? '' : ` --name ${name}`;
  return `Ask the operator of ${node} for it: dtkd grant ${displayOf(principal)} ${verb} --on ${on}${one}`;
}
