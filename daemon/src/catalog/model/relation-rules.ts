/** Which types may stand in a relation, and how many. Pure. Machines, which have no Type, take part under the key `node`. */
import type { RelationRule } from '../../../../protocol/definitions/type-rules.ts';
import { NODE_TYPE, typeKey } from './objects.ts';
import { isA, type ResolvedType } from './resolved-type.ts';

/** The other end of a relation: a type with its supertypes, or a machine. */
export type End = Pick<ResolvedType, 'name' | 'keys'>;

export const NODE_END: End = { name: NODE_TYPE, keys: new Set([typeKey(NODE_TYPE)]) };

/** Number of objects at the other end, by concrete type. */
export interface Count {
  end: End;
  count: number;
}

/** True if the rules (undefined: anything goes) allow this type. */
export function mayStand(rules: readonly RelationRule[] | undefined, end: End): boolean {
  return rules === undefined || rules.some((rule) => rule.max !== 0 && isA(end, rule.type));
}

/** The types that the rules allow, for people: `Service, Package`. */
export function permitted(rules: readonly RelationRule[]): string {
  const names = rules.filter((rule) => rule.max !== 0).map((rule) => rule.type);
  return names.length === 0 ? 'nothing' : names.join(', ');
}

/** Rules broken by too many objects, in words: `at most 1 Setting, got 2`. */
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

/** Rules not met for lack of objects, in words. Reported as a condition and not refused: a new parent has no children yet. */
export function tooFew(rules: readonly RelationRule[] | undefined, counts: readonly Count[]): string[] {
  return (rules ?? []).flatMap((rule) => {
    const total = sum(counts.filter(({ end }) => isA(end, rule.type)));
    return rule.min !== undefined && total < rule.min ? [`at least ${rule.min} of type ${rule.type}, got ${total}`] : [];
  });
}

/** True if rules limit the number of objects. */
export function limitsCount(rules: readonly RelationRule[] | undefined): boolean {
  return (rules ?? []).some((rule) => rule.max !== undefined || rule.singleton === true);
}

function sum(counts: readonly Count[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}
