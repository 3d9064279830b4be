/** Rules of properties: pure. How a type's rule overrides its supertype's. */
import type { PropertyType } from './property-types.ts';
import type { PropertyRule } from './type-rules.ts';

/** What an overriding rule may make of a supertype's property: queries and commands for the supertype go on working. */
const NARROWER: Readonly<Partial<Record<PropertyType, readonly PropertyType[]>>> = {
  number: ['integer', 'port'],
  integer: ['port'],
};

/** The rule that holds in a subtype: what it says anew, and the rest as inherited. */
export function overridden(inherited: PropertyRule | undefined, own: PropertyRule): PropertyRule {
  return { ...inherited, ...own };
}

/** True if a property of type `inherited` may be of type `own` in a subtype. */
export function mayNarrow(inherited: PropertyType, own: PropertyType): boolean {
  return own === inherited || (NARROWER[inherited]?.includes(own) ?? false);
}
