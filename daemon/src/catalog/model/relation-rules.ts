/** Which types may stand in a relation, and how many: pure. `node` is the key of machines, which have no Type. */
import type { RelationRule } from '../../../../protocol/definitions/type-rules.ts';
import { NODE_TYPE, typeKey } from './objects.ts';
import { isA, type ResolvedType } from './resolved-type.ts';

/** What stands at the other end of a relation: a type with its supertypes, or a machine. */
export type End = Pick<ResolvedType, 'name' | 'keys'>;

export const NODE_END: End = { name: NODE_TYPE, keys: new Set([typeKey(NODE_TYPE)]) };

/** How many stand at the other end, by concrete type. */
export interface Count {
  end: End;
  count: number;
}

/** True if the rules (absent: anything) let this type stand there. */
export function mayStand(rules: readonly RelationRule[] | undefined, end: End): boolean {
  return rules === undefined || rules.some((rule) => rule.max !== 0 && isA(end, rule.type));
}

/** `Service, Package` for people; what may stand there. */
export function permitted(rules: readonly RelationRule[]): string {
  const names = rules.filter((rule) => rule.max !== 0).map((rule) => rule.type);
  return names.length === 0 ? 'nothing' : names.join(', ');
}

/** Rules that too many break, in words: `at most 1 Setting, got 2`. */
export function tooMany(rules: readonly RelationRule[] | undefined, counts: readonly Count[]): string[] {
  return (rules ?? []).flatMap((rule) => {
    const fitting = counts.filter(({ end }) => isA(end, rule.type));
    const total = sum(fitting);
    const faults: string[] = [];
    if (rule.max !== undefined && total > rule.max) faults.push(`at most ${rule.max} of type ${rule.type}, got ${total}`);
    if (rule.singleton === true) {
      for (const { end, count } of fitting) if (count > 1) faults.push(`at most one of type ${end.name}, got ${count}`);
    }
    return faults;
  });
}

/** Rules that too few meet, in words. A condition, not a refusal: whoever makes a parent has no children for it yet. */
export function tooFew(rules: readonly RelationRule[] | undefined, counts: readonly Count[]): string[] {
  return (rules ?? []).flatMap((rule) => {
    const total = sum(counts.filter(({ end }) => isA(end, rule.type)));
    return rule.min !== undefined && total < rule.min ? [`at least ${rule.min} of type ${rule.type}, got ${total}`] : [];
  });
}

/** True if rules say how many there may be. */
export function limitsCount(rules: readonly RelationRule[] | undefined): boolean {
  return (rules ?? []).some((rule) => rule.max !== undefined || rule.singleton === true);
}

function sum(counts: readonly Count[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}
