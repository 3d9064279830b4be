/** A type with all that it inherits, its subtypes and violated conditions. */
import type { PropertyRule, RelationRule } from '../../../../../protocol/definitions/type-rules.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import { COUNTED, SHOWN_CHILDREN } from '../limits.ts';
import { NODE_TYPE, type Reads, refIn, typeKey, typeNameOf } from '../objects.ts';
import { resourcesOfType, subtypesOf } from '../rules/dependents.ts';
import type { TypeBook } from '../type-book.ts';

export interface EffectiveType {
  name: string;
  /** Its own name, then those of its supertypes, nearest first. */
  types: readonly string[];
  abstract: boolean;
  /** `from`: the nearest type that says something about the property. */
  properties: Record<string, PropertyRule & { from: string }>;
  children?: readonly RelationRule[];
  parents?: readonly RelationRule[];
  cycles: boolean;
  /** Resources may have properties that are not declared. */
  open: boolean;
  /** Types that extend it directly. */
  subtypes: string[];
  /** Number of resources of exactly this type, counted up to `COUNTED`. */
  resources: number;
  violations: { field: string; message: string }[];
}

export async function effectiveType(
  { reads, book, node }: { reads: Reads; book: TypeBook; node: string },
  name: string,
): Promise<EffectiveType> {
  const object = await reads.get(refIn(node, 'types', name));
  const written = object === undefined ? undefined : typeNameOf(object);
  const type = written === undefined ? undefined : await book.resolve(reads, written);
  if (type === undefined) throw new DtkdError('NOT_FOUND', `types "${name.slice(0, 253)}" not found`);
  const subtypes = await subtypesOf(reads, node, type.name, SHOWN_CHILDREN);
  const names = await Promise.all(subtypes.map(async (ref) => nameOf(await reads.get(ref))));
  const violations: { field: string; message: string }[] = [];
  for (const [field, rules] of [['children', type.children] as const, ['parents', type.parents] as const]) {
    for (const [index, rule] of (rules ?? []).entries()) {
      const known = typeKey(rule.type) === typeKey(NODE_TYPE) || (await book.resolve(reads, rule.type)) !== undefined;
      if (!known) violations.push({ field: `spec.${field}[${index}]`, message: `there is no type "${rule.type}" on this node` });
    }
  }
  return {
    name: type.name,
    types: type.lineage,
    abstract: type.abstract,
    properties: Object.fromEntries(
      [...type.properties].map(
        ([
          property,
          {
            rule: { compiled: _compiled, ...rule },
            from,
          },
        ]) => [property, { ...rule, from }],
      ),
    ),
    ...(type.children === undefined ? {} : { children: type.children }),
    ...(type.parents === undefined ? {} : { parents: type.parents }),
    cycles: type.cycles,
    open: type.open,
    subtypes: names.filter((one) => one !== undefined).sort(),
    resources: (await resourcesOfType(reads, node, type.name, COUNTED)).length,
    violations,
  };
}

function nameOf(object: ApiObject | undefined): string | undefined {
  return object === undefined ? undefined : typeNameOf(object);
}
