/** Rules of properties: pure. How a type's rule overrides its supertype's, and what makes a rule wrong in itself. */
import type { PropertyRule, PropertyType } from '../../../../protocol/kinds/type.ts';
import { type ReadyRule, valueFault } from './property-value.ts';

/** What an overriding rule may make of a supertype's property: queries and commands for the supertype go on working. */
const NARROWER: Readonly<Partial<Record<PropertyType, readonly PropertyType[]>>> = {
  number: ['integer', 'port'],
  integer: ['port'],
};

const SCALAR: readonly PropertyType[] = ['string', 'integer', 'number', 'boolean', 'port', 'secret'];

/** The rule that holds in a subtype: what it says anew, and the rest as inherited. */
export function overridden(inherited: PropertyRule | undefined, own: PropertyRule): PropertyRule {
  return { ...inherited, ...own };
}

/** True if a property of type `inherited` may be of type `own` in a subtype. */
export function mayNarrow(inherited: PropertyType, own: PropertyType): boolean {
  return own === inherited || (NARROWER[inherited]?.includes(own) ?? false);
}

export function typeOfRule(rule: PropertyRule): PropertyType {
  return rule.type ?? 'string';
}

/** What is wrong with a rule: the field below the property, and why. */
export function ruleFaults(rule: ReadyRule): { field: string; message: string }[] {
  const faults: { field: string; message: string }[] = [];
  const { allowed, pattern, type } = rule;
  if (allowed !== undefined && !SCALAR.includes(type)) {
    faults.push({ field: 'allowed', message: `a property of type ${type} cannot have a list of allowed values` });
  } else {
    const { allowed: _allowed, ...plain } = rule;
    for (const [index, value] of (allowed ?? []).entries()) {
      const fault = valueFault(plain, value);
      if (fault !== undefined) faults.push({ field: `allowed[${index}]`, message: fault });
    }
  }
  if (pattern !== undefined && type !== 'string' && type !== 'secret') {
    faults.push({ field: 'pattern', message: `a property of type ${type} cannot have a pattern; only texts can` });
  }
  if (rule.default !== undefined && faults.length === 0) {
    const fault = valueFault(rule, rule.default);
    if (fault !== undefined) faults.push({ field: 'default', message: fault });
  }
  return faults;
}
