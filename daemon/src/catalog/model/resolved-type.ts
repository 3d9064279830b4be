/**
 * A type with all that it inherits. Pure. For each matter the nearest type that says something decides; properties merge field by field.
 */
import { mayNarrow, overridden } from '../../../../protocol/definitions/property-rule.ts';
import { type ReadyRule, typeOfRule } from '../../../../protocol/definitions/property-value.ts';
import type { PropertyRule, RelationRule } from '../../../../protocol/definitions/type-rules.ts';
import type { TypeSpec } from '../../../../protocol/kinds/type.ts';
import { typeKey } from './objects.ts';

/** A type's name, and its own spec without what it inherits. */
export interface NamedType {
  name: string;
  spec: TypeSpec;
}

export interface ResolvedProperty {
  rule: ReadyRule;
  /** The nearest type that says something about the property. */
  from: string;
}

export interface ResolvedType {
  name: string;
  abstract: boolean;
  /** Its own name, then its supertypes', nearest first. */
  lineage: readonly string[];
  /** The same names in the form for comparison. */
  keys: ReadonlySet<string>;
  properties: ReadonlyMap<string, ResolvedProperty>;
  /** Undefined: anything. */
  children: readonly RelationRule[] | undefined;
  parents: readonly RelationRule[] | undefined;
  cycles: boolean;
  /** Resources may have properties that no type declares. */
  open: boolean;
}

/** True if a type is `wanted` or extends it, directly or not. */
export function isA(type: Pick<ResolvedType, 'keys'>, wanted: string): boolean {
  return type.keys.has(typeKey(wanted));
}

/** The properties of a chain of types (nearest first), each with its effective rule. */
export function mergedProperties(chain: readonly NamedType[]): Map<string, { rule: PropertyRule; from: string }> {
  const merged = new Map<string, { rule: PropertyRule; from: string }>();
  for (const { name, spec } of [...chain].reverse()) {
    for (const [property, rule] of Object.entries(spec.properties ?? {})) {
      merged.set(property, { rule: overridden(merged.get(property)?.rule, rule), from: name });
    }
  }
  return merged;
}

/** Properties of the first type in the chain that override an inherited one with a type that does not narrow it. */
export function wrongOverrides(chain: readonly NamedType[]): { property: string; inherited: string; own: string }[] {
  const [own, ...above] = chain;
  const inherited = mergedProperties(above);
  return Object.entries(own?.spec.properties ?? {}).flatMap(([property, rule]) => {
    const before = inherited.get(property)?.rule;
    if (before === undefined || rule.type === undefined || mayNarrow(typeOfRule(before), rule.type)) return [];
    return [{ property, inherited: typeOfRule(before), own: rule.type }];
  });
}

/** Combines a chain (nearest first, not empty) with its prepared rules. */
export function resolvedType(chain: readonly NamedType[], properties: ReadonlyMap<string, ResolvedProperty>): ResolvedType {
  const lineage = chain.map((type) => type.name);
  return {
    name: lineage[0] ?? '',
    abstract: chain[0]?.spec.abstract ?? false,
    lineage,
    keys: new Set(lineage.map(typeKey)),
    properties,
    children: chain.find(({ spec }) => spec.children !== undefined)?.spec.children,
    parents: chain.find(({ spec }) => spec.parents !== undefined)?.spec.parents,
    cycles: chain.find(({ spec }) => spec.cycles !== undefined)?.spec.cycles ?? false,
    open: chain.find(({ spec }) => spec.open !== undefined)?.spec.open ?? false,
  };
}

/** All that decides whether a resource fits a type, comparable as JSON. */
export function shapeOf(type: ResolvedType): unknown {
  return {
    abstract: type.abstract,
    lineage: type.lineage,
    properties: Object.fromEntries(
      [...type.properties].map(([name, { rule }]) => {
        const { description: _description, default: value, compiled: _compiled, ...judged } = rule;
        return [name, { ...judged, given: value !== undefined }];
      }),
    ),
    children: type.children ?? null,
    parents: type.parents ?? null,
    cycles: type.cycles,
    open: type.open,
  };
}
