/** Judges and completes the properties of a resource by its type. Pure. */
import { type ReadyRule, typeOfValue, valueFault } from '../../../../protocol/definitions/property-value.ts';
import type { Faults } from './refusal.ts';
import type { ResolvedType } from './resolved-type.ts';

/** A property as commands and readers see it. */
export interface EffectiveProperty {
  value: unknown;
  origin: 'own' | 'default';
  rule: ReadyRule;
}

/** Finds all values that the type does not allow, and all that are missing. */
export function judgeProperties(type: ResolvedType, values: Readonly<Record<string, unknown>>, faults: Faults): void {
  for (const [name, value] of Object.entries(values)) {
    const field = `spec.properties.${name}`;
    const rule = type.properties.get(name)?.rule;
    if (rule === undefined) {
      if (type.open) continue;
      faults.add(field, `type ${type.name} has no such property; expected ${known(type)}`, 'FieldValueForbidden');
      continue;
    }
    const fault = valueFault(rule, value);
    if (fault !== undefined) faults.add(field, fault);
  }
  for (const [name, { rule }] of type.properties) {
    if (isMissing(rule) && !Object.hasOwn(values, name)) {
      faults.add(`spec.properties.${name}`, `is required by type ${type.name}`, 'FieldValueRequired');
    }
  }
}

/** True if a resource must give the property. Computed ones need not be given: the system sets them. */
function isMissing(rule: ReadyRule): boolean {
  return rule.required === true && rule.default === undefined && rule.dynamic !== true;
}

/** The resource's values and the defaults of its type, in name order. */
export function effectiveProperties(type: ResolvedType, values: Readonly<Record<string, unknown>>): Map<string, EffectiveProperty> {
  const effective = new Map<string, EffectiveProperty>();
  const undeclared = Object.keys(values).filter((name) => !type.properties.has(name));
  for (const name of [...type.properties.keys(), ...undeclared].sort()) {
    const rule = type.properties.get(name)?.rule ?? { type: typeOfValue(values[name]) };
    if (Object.hasOwn(values, name)) effective.set(name, { value: values[name], origin: 'own', rule });
    else if (rule.default !== undefined) effective.set(name, { value: rule.default, origin: 'default', rule });
  }
  return effective;
}

/** Names of computed properties that the write changes, though only the system may. */
export function writtenDynamic(
  type: ResolvedType,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] {
  return [...type.properties]
    .filter(([name, { rule }]) => rule.dynamic === true && JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map(([name]) => name);
}

function known(type: ResolvedType): string {
  const names = [...type.properties.keys()].sort();
  if (names.length === 0) return 'none';
  return names.length > 12 ? `one of ${names.slice(0, 12).join(', ')}, …` : `one of ${names.join(', ')}`;
}
