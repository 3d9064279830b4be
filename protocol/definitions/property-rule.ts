/** How a type's rule for a property overrides its supertype's. Pure. */
import type { PropertyType } from './property-types.ts';
import type { PropertyRule } from './type-rules.ts';

/** Narrower types that an overriding rule may use: queries and commands for the supertype continue to work. */
const NARROWER: Readonly<Partial<Record<PropertyType, readonly PropertyType[]>>> = {
  number: ['integer', 'port'],
  integer: ['port'],
};

/** Returns the rule in a subtype: its own fields, and the rest as inherited. */
export function overridden(inherited: PropertyRule | undefined, own: PropertyRule): PropertyRule {
  return { ...inherited, ...own };
}

/** True if a property of type `inherited` may be of type `own` in a subtype. */
export function mayNarrow(inherited: PropertyType, own: PropertyType): boolean {
  return own === inherited || (NARROWER[inherited]?.includes(own) ?? false);
}
