/** Checks types as a node would that creates them, or that converges a service with them. Pure, except for the pattern engine. */
import { compilePattern } from '../definitions/pattern.ts';
import { mayNarrow } from '../definitions/property-rule.ts';
import { type JudgingRule, ruleFaults, typeOfRule } from '../definitions/property-value.ts';
import type { PropertyRule } from '../definitions/type-rules.ts';
import { MAX_SUPERTYPES } from '../limits.ts';
import type { KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import { unknownType } from './type-check.ts';
import { NODE_TYPE_KEY, type OwnType } from './type-table.ts';

/**
 * `staged`: the module has assemblies, so services are made from it, which know only its own types, those of its dependencies, and
 * built-in ones.
 */
export async function typeRunFaults(of: OwnType, known: KnownTypes, { staged }: { staged: boolean }): Promise<ModuleFault[]> {
  const faults: ModuleFault[] = [];
  const add = (field: string, message: string) => void faults.push({ field: `types.${of.name}.${field}`, message });
  const supertype = of.type.extends;
  if (supertype?.toLowerCase() === NODE_TYPE_KEY) add('extends', 'Node is reserved for machines and cannot be extended');
  else if (supertype !== undefined && staged && known.table.known(supertype) === 'unknown') add('extends', unknownType(supertype));
  const type = known.get(of.name);
  if (type === undefined) return faults;
  if (type.lineage.length - 1 > MAX_SUPERTYPES) add('extends', `a type has at most ${MAX_SUPERTYPES} supertypes`);
  const above = supertype === undefined ? undefined : known.get(supertype);
  for (const [property, rule] of Object.entries(of.type.properties ?? {})) {
    for (const { field, message } of await propertyFaults(rule, type.properties.get(property) ?? rule, above?.properties.get(property)))
      add(`properties.${property}.${field}`, message);
  }
  for (const relation of ['children', 'parents'] as const) {
    for (const [index, { type: end, min, max }] of (of.type[relation] ?? []).entries()) {
      if (staged && known.table.known(end) === 'unknown') add(`${relation}[${index}].type`, unknownType(end));
      if (min !== undefined && max !== undefined && min > max) add(`${relation}[${index}].min`, `is more than max, which is ${max}`);
    }
  }
  return faults;
}

/** `rule` includes what it inherits. */
async function propertyFaults(
  own: PropertyRule,
  rule: PropertyRule,
  inherited: PropertyRule | undefined,
): Promise<{ field: string; message: string }[]> {
  if (inherited !== undefined && own.type !== undefined && !mayNarrow(typeOfRule(inherited), own.type)) {
    return [{ field: 'type', message: `expected ${typeOfRule(inherited)} as in the supertype, or a narrower type; got ${own.type}` }];
  }
  return wholeRuleFaults(rule);
}

/** Returns the faults of a rule, including those of its pattern and of the values that must match it. */
export async function wholeRuleFaults(rule: PropertyRule): Promise<{ field: string; message: string }[]> {
  const judged = await withPattern(rule);
  return 'error' in judged ? [{ field: 'pattern', message: judged.error }] : ruleFaults(judged);
}

/** Compiles the pattern of a rule. */
export async function withPattern(rule: PropertyRule): Promise<JudgingRule | { error: string }> {
  const compiled = rule.pattern === undefined ? undefined : await compilePattern(rule.pattern);
  if (compiled === undefined) return rule;
  return 'error' in compiled ? compiled : { ...rule, compiled: compiled.pattern };
}
