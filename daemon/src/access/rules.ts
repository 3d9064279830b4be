/**
 * What a principal may do on this node, as a list of rules. Pure. Rights limited by labels, types or models cannot be listed, and are
 * reported as missing.
 */
import { KINDS } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import type { AccessRules } from '../../../protocol/kinds/review.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import { type Principal, subjectText } from '../../../protocol/rights/principal.ts';
import { decide } from './decision.ts';
import { decidingKind } from './derived.ts';
import type { Facts, Grant } from './facts.types.ts';
import { kindText } from './scope.ts';
import { isPresent } from './standing.ts';

/** The right that each Kubernetes verb requires. */
export const RIGHT_FOR: ReadonlyMap<string, CapabilityVerb> = new Map([
  ['get', 'READ'],
  ['list', 'DISCOVER'],
  ['watch', 'DISCOVER'],
  ['create', 'CREATE'],
  ['update', 'UPDATE'],
  ['patch', 'UPDATE'],
  ['delete', 'DELETE'],
  ['deletecollection', 'DELETE'],
]);

/** Limits on the names in one rule, and on rules; the rest is reported as missing. */
const MAX_NAMES = 256;
const MAX_RULES = 512;

type Rule = AccessRules['resourceRules'][number];

export function rulesOf(principal: Principal, facts: Facts, now: number): AccessRules {
  if (principal.type === 'operator') return { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] };
  const user = subjectText(principal);
  if (!isPresent(user, facts)) return { resourceRules: [] };
  const grants = [user, ...facts.trustsOf(user)].flatMap((recipient) => [...facts.grantsTo(recipient)]);
  const rules: Rule[] = [];
  const missing = new Set<string>();
  for (const kind of KINDS) {
    const rights = verbsFor(kind, (verb) => decide(principal, { verb, ...placeOf(kind), name: '' }, facts, now).allowed);
    if (rights.length > 0) rules.push(ruleOf(kind, rights));
    const names = namesIn(kind, grants);
    if (names.length > MAX_NAMES) missing.add('some names');
    for (const name of names.slice(0, MAX_NAMES)) {
      const more = verbsFor(kind, (verb) => decide(principal, { verb, ...placeOf(kind), name }, facts, now).allowed);
      if (more.some((verb) => !rights.includes(verb))) rules.push({ ...ruleOf(kind, more), resourceNames: [name] });
    }
    if (facts.hasCreated(kindText(kind.group, kind.plural), user)) missing.add('what it made');
  }
  if (grants.some(({ scope }) => scope.labels !== undefined || scope.model !== undefined || scope.type !== undefined)) {
    missing.add('what it has by label, model or type');
  }
  if (rules.length > MAX_RULES) missing.add('some names');
  return {
    resourceRules: rules.slice(0, MAX_RULES),
    ...(missing.size === 0 ? {} : { incomplete: `not listed: ${[...missing].join('; ')}` }),
  };
}

function placeOf({ group, plural }: Kind): { group: string; plural: string } {
  return { group, plural };
}

function ruleOf(kind: Kind, verbs: string[]): Rule {
  return { verbs, apiGroups: [kind.group], resources: [kind.plural] };
}

/** The Kubernetes verbs of a kind that a principal may use. */
function verbsFor(kind: Kind, may: (right: CapabilityVerb) => boolean): string[] {
  const rights = new Map<CapabilityVerb, boolean>();
  const all = [...kind.verbs, ...(kind.verbs.includes('delete') && kind.verbs.includes('create') ? ['deletecollection'] : [])];
  return all.filter((verb) => {
    const right = RIGHT_FOR.get(verb);
    if (right === undefined) return false;
    const known = rights.get(right) ?? may(right);
    rights.set(right, known);
    return known;
  });
}

/** Object names in grants on a kind. */
function namesIn({ group, plural }: Kind, grants: readonly Grant[]): string[] {
  const deciding = decidingKind(group, plural);
  // derived objects have other names than their sources
  if (deciding.group !== group || deciding.plural !== plural) return [];
  const kind = kindText(group, plural);
  return [
    ...new Set(
      grants.flatMap(({ scope }) => ((scope.kind === kind || scope.kind === '*') && scope.name !== undefined ? [scope.name] : [])),
    ),
  ];
}
